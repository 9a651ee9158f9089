namespace Resilience.Tests.Fuzzing;

/// <summary>Every parser against what a client may send, store or write: the oracles of tests/proofs/Resilience.Fuzz, on inputs made by chance. A search
/// that is guided by coverage runs them too (tests/fuzz.sh); what it found is kept among the known inputs.</summary>
public sealed class FuzzTests
{
    private static readonly string Program = Path.Combine(Repository.Root, "tests", "proofs", "Resilience.Fuzz", "bin", Repository.Configuration, "net10.0", "Resilience.Fuzz.dll");

    private static int Deep => Bounds.Of(here: 1, inCi: 1, deep: 50);

    [Fact]
    public async Task The_known_inputs_break_no_promise()
    {
        (int exit, string printed) = await RunAsync("replay", "all");
        exit.Should().Be(0, "{0}", printed);
        printed.Should().Contain(" passed, 0 failed").And.NotStartWith("0 passed");
    }

    [Theory]
    [InlineData("header", 40_000)]
    [InlineData("retry-after", 40_000)]
    [InlineData("record", 40_000)]
    [InlineData("response", 40_000)]
    [InlineData("settings", 1_500)]
    public async Task No_input_breaks_a_promise_of_the_parser(string target, int cases)
    {
        (int exit, string printed) = await RunAsync("random", target, $"{cases * Deep}", "1");
        exit.Should().Be(0, "{0}", printed);
        printed.Should().Contain($"{cases * Deep} passed, 0 failed");
    }

    [Theory]
    [InlineData("header", "KeepsEscapes")]
    [InlineData("header", "IgnoresWhatFollows")]
    [InlineData("retry-after", "NegativeWait")]
    [InlineData("retry-after", "WrapsSeconds")]
    [InlineData("record", "SkipsChecksum")]
    [InlineData("record", "ReadsNewer")]
    [InlineData("response", "TrustsLengths")]
    [InlineData("response", "ForgetsTheFlag")]
    [InlineData("settings", "PassesOverUnknownKeys")]
    [InlineData("settings", "ReadsDays")]
    [InlineData("settings", "SwapsDelays")]
    public async Task A_planted_bug_of_a_parser_is_found(string target, string planted)
    {
        (int exit, string printed) = await RunAsync("random", target, "300", "1", planted);
        exit.Should().Be(1, "{0}", printed);
        printed.Should().Contain(target);
    }

    private static Task<(int ExitCode, string Output)> RunAsync(params string[] arguments) =>
        Repository.RunAsync("dotnet", TimeSpan.FromMinutes(20), [Program, .. arguments]);
}
