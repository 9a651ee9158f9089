namespace Resilience.Tests.Starvation;

/// <summary>Time in a process whose thread pool has a backlog of seconds: what is due must come before a timer of the runtime that was armed 50 ms later.
/// An order, not a duration. In a process of its own, because it starves its pool.</summary>
[Collection(ProcessesCollection.Name)]
public sealed class StarvedPoolTests
{
    private static Task<(int ExitCode, string Output)> RunAsync(params string[] arguments) => Repository.RunAsync(
        "dotnet", TimeSpan.FromMinutes(10), [Path.Combine(Repository.Root, "tests", "proofs", "Resilience.Starved", "bin", Repository.Configuration, "net10.0", "Resilience.Starved.dll"), .. arguments]);

    [Theory]
    [InlineData("")]
    [InlineData("runtime-timers")]
    public async Task Whatever_is_due_comes_before_a_timer_of_the_runtime_that_was_armed_50_ms_later(string option)
    {
        (int late, string printed) = await RunAsync("all", option);
        late.Should().Be(0, printed);
        printed.Should().ContainAll("timeout-long", "timeout-short", "hedge-starts", "hedge-loser-hears", "retry-begins", "queue-gives-up", "lease-renewed", "chaos-latency");
    }

    [Fact]
    public async Task The_check_finds_what_goes_to_the_end_of_the_ordinary_queue()
    {
        (int late, string printed) = await RunAsync("planted-ordinary-queue");
        late.Should().Be(1, printed);
    }
}
