namespace Resilience.Tests.Simulations;

/// <summary>Whole pipelines in virtual time: one seed draws shape, options, load and faults, and the promises are checked at every attempt.</summary>
public sealed class SwarmTests
{
    private static readonly string Program = Path.Combine(
        Repository.Root, "tests", "proofs", "Resilience.Simulation", "bin", Repository.Configuration, "net10.0", "Resilience.Simulation.dll");

    private static int Seeds => Bounds.Of(here: 20, inCi: 200, deep: 5_000);

    [Fact]
    public async Task No_seed_breaks_a_promise()
    {
        (int exit, string printed) = await RunAsync("swarm", "1", $"{Seeds}");
        exit.Should().Be(0, "{0}", printed);
        printed.Should().Contain($"{Seeds} seeds, 0 failing");
    }

    [Fact]
    public async Task Seeds_that_once_failed_are_replayed()
    {
        string[] kept = [.. File.ReadLines(Path.Combine(Repository.Root, "tests/proofs/Resilience.Simulation/seeds.txt")).Where(l => l.Length > 0 && l[0] != '#')];
        kept.Should().NotBeEmpty();
        foreach (string line in kept)
        {
            (int exit, string printed) = await RunAsync("swarm", line.Split(' ')[0], "1");
            exit.Should().Be(0, "{0}: {1}", line, printed);
        }
    }

    [Fact]
    public async Task The_same_seed_tells_the_same_story_in_another_process()
    {
        string seeds = $"{Bounds.Of(here: 5, inCi: 20, deep: 20)}";
        (_, string first) = await RunAsync("swarm", "1000", seeds);
        (_, string second) = await RunAsync("swarm", "1000", seeds);
        (_, string other) = await RunAsync("swarm", "1001", seeds);
        Fingerprint(first).Should().Be(Fingerprint(second)).And.NotBe(Fingerprint(other));

        static string Fingerprint(string printed) => printed[printed.LastIndexOf("fingerprint", StringComparison.Ordinal)..].Trim();
    }

    [Theory]
    [InlineData("IgnoresOpenCircuit", "circuit is open")]
    [InlineData("OneAttemptMore", "retries are allowed")]
    [InlineData("OverspendsBudget", "the budget allows")]
    [InlineData("LeaksPermit", "places and")]
    [InlineData("LeaksTimer", "timers leaked")]
    [InlineData("IgnoresDeadline", "into a call of")]
    [InlineData("NeverEnds", "never ended")]
    [InlineData("RepeatsProgramErrors", "error of the program was repeated")]
    [InlineData("ForgetsReceipts", "has two receipts")]
    [InlineData("KeepsTheCircuitOpen", "though nothing fails any more")]
    [InlineData("LosersNeverEnd", "attempts still run")]
    public async Task A_planted_bug_is_found_by_the_check_for_it(string planted, string expected)
    {
        (int exit, string printed) = await RunAsync("swarm", "1", "30", planted, expected);
        exit.Should().Be(1, "{0}", printed);
        printed.Should().Contain(expected);
    }

    private static Task<(int ExitCode, string Output)> RunAsync(params string[] arguments) =>
        Repository.RunAsync("dotnet", TimeSpan.FromHours(2), [Program, .. arguments]);
}
