namespace Resilience.Tests.Simulations;

/// <summary>Real traffic for a while, on a Debug build with its invariants asserted: heap, timers, handles and threads stay flat.</summary>
public sealed class SoakTests
{
    private static string Seconds => Environment.GetEnvironmentVariable("RESILIENCE_DEEP") == "1" ? "3600" : "60";

    [Fact]
    public async Task Nothing_grows_and_no_invariant_breaks_under_traffic()
    {
        (int exit, string printed) = await RunAsync(Seconds);
        exit.Should().Be(0, "{0}", printed);
        printed.Should().Contain("Debug, invariants asserted").And.Contain("4 passed, 0 failed");
    }

    [Theory]
    [InlineData("heap", "GROWS: bytes of heap")]
    [InlineData("timers", "GROWS: timers")]
    [InlineData("handles", "GROWS: handles")]
    [InlineData("threads", "GROWS: threads")]
    public async Task A_planted_leak_is_found(string leak, string expected)
    {
        (int exit, string printed) = await RunAsync("1", leak);
        exit.Should().Be(1, "{0}", printed);
        printed.Should().Contain(expected);
    }

    private static Task<(int ExitCode, string Output)> RunAsync(params string[] arguments) =>
        Repository.RunAsync("dotnet", TimeSpan.FromHours(2), ["run", "--project", "tests/proofs/Resilience.Soak", "-c", "Debug", "--", .. arguments]);
}
