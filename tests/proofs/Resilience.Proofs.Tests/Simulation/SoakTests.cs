namespace Resilience.Tests.Simulations;

/// <summary>Real traffic for a while, on a Debug build with its invariants asserted: heap, timers, handles and threads stay flat.</summary>
[Requires(Tool.ProcessFiles)]
public sealed class SoakTests(SoakTests.DebugBuild build) : IClassFixture<SoakTests.DebugBuild>
{
    private static int Seconds => Bounds.Of(here: 5, inCi: 60, deep: 3600);

    /// <summary>The program as a Debug build, whatever the tests are; made once for all of them.</summary>
    public sealed class DebugBuild : IAsyncLifetime
    {
        private readonly string _program = Path.Combine(Repository.Root, "tests/proofs/Resilience.Soak/bin/Debug/net10.0/Resilience.Soak.dll");

        public async Task InitializeAsync()
        {
            if (Requirements.AreMissingFor(typeof(SoakTests)) || Repository.Configuration == "Debug") return; // it was built with the tests
            (int exit, string printed) = await Repository.RunAsync(
                "dotnet", TimeSpan.FromMinutes(10), "build", "tests/proofs/Resilience.Soak", "-c", "Debug", "--nologo");
            exit.Should().Be(0, "{0}", printed);
        }

        public Task DisposeAsync() => Task.CompletedTask;

        internal Task<(int ExitCode, string Output)> RunAsync(params string[] arguments) =>
            Repository.RunAsync("dotnet", TimeSpan.FromHours(2), [_program, .. arguments]);
    }

    [Fact]
    public async Task Nothing_grows_and_no_invariant_breaks_under_traffic()
    {
        (int exit, string printed) = await build.RunAsync($"{Seconds}");
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
        (int exit, string printed) = await build.RunAsync("1", leak, "2000"); // a leak grows with the rounds, not with the calls
        exit.Should().Be(1, "{0}", printed);
        printed.Should().Contain(expected);
    }
}
