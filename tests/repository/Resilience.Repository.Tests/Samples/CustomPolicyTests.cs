using Microsoft.Extensions.Time.Testing;
using Resilience.CustomPolicy;

namespace Resilience.Tests.Samples;

/// <summary>The policy that docs/build-a-policy.md builds, and the page itself.</summary>
public sealed class CustomPolicyTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<ResilienceEvent> _heard = [];

    private PauseSwitch MakeSwitch(PauseSwitchOptions? options = null) =>
        new(options ?? new() { EndSpread = TimeSpan.Zero }, _time, Randomness.Seeded(1), _heard.Add);

    private ResiliencePipeline MakePipeline(PauseSwitch pause, bool simple)
    {
        ResiliencePipelineBuilder builder = new() { Name = "p", TimeProvider = _time };
        builder.OnEvent(_heard.Add);
        return (simple ? builder.AddSimplePauseSwitch(pause) : builder.AddPauseSwitch(pause)).Build();
    }

    [Fact]
    public async Task The_first_sketch_rejects_while_it_is_off()
    {
        OffSwitch off = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(off).Build();
        off.IsOff = true;
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Verdict.Should().Be(Verdict.Rejected);
        off.IsOff = false;
        (await pipeline.ExecuteAsync(_ => new ValueTask<int>(1))).Should().Be(1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_policy_that_returns_early_from_a_fork_gets_the_result_or_leaves_a_call_that_harms_no_other(bool comesInTime)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .AddPolicy(new WalkAway(TimeSpan.FromSeconds(1))).AddRetry(o => o.BaseDelay = TimeSpan.Zero).Build();
        TaskCompletionSource<int> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int runs = 0;
        CancellationToken seen = default;
        Task<Outcome<int>> call = pipeline.TryExecuteAsync(token =>
        {
            runs++;
            seen = token;
            return new ValueTask<int>(answer.Task);
        }).AsTask();
        if (comesInTime) answer.SetResult(1);
        else _time.Advance(TimeSpan.FromSeconds(1));
        Outcome<int> outcome = await call.WaitAsync(TimeSpan.FromSeconds(30));
        if (comesInTime) outcome.Value.Should().Be(1);
        else outcome.Exception.Should().BeOfType<TimeoutException>();
        seen.IsCancellationRequested.Should().BeTrue();
        answer.TrySetException(new IOException());
        (await pipeline.ExecuteAsync(_ => new ValueTask<int>(2))).Should().Be(2);
        runs.Should().Be(1, "what was left behind is cancelled, and not repeated");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_pause_rejects_calls_until_it_is_over(bool simple)
    {
        PauseSwitch pause = MakeSwitch();
        ResiliencePipeline pipeline = MakePipeline(pause, simple);
        pause.Pause(TimeSpan.FromSeconds(10), "we test");

        Outcome<int> rejected = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1));
        rejected.Verdict.Should().Be(Verdict.Rejected);
        rejected.Rejection!.Reason.Should().Contain("pause-switch: calls are paused").And.Contain("because we test");
        rejected.RetryAfter.Should().Be(TimeSpan.FromSeconds(10));

        _time.Advance(TimeSpan.FromSeconds(9.999));
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).RetryAfter.Should().Be(TimeSpan.FromMilliseconds(1));
        _time.Advance(TimeSpan.FromMilliseconds(1));
        (await pipeline.ExecuteAsync(_ => new ValueTask<int>(1))).Should().Be(1);
        pause.IsPaused.Should().BeFalse();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Running_counts_the_calls_under_way_however_they_end(bool simple)
    {
        PauseSwitch pause = MakeSwitch();
        ResiliencePipeline pipeline = MakePipeline(pause, simple);
        TaskCompletionSource<int> answer = new();
        Task<Outcome<int>> running = pipeline.TryExecuteAsync(_ => answer.Task).AsTask();
        pause.Pause(TimeSpan.FromSeconds(10), "we test");
        await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1));
        pause.Running.Should().Be(1, "a rejected call is not under way");

        answer.SetException(new IOException());
        (await running).Verdict.Should().Be(Verdict.Failure);
        pause.Running.Should().Be(0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Listeners_receive_the_switch_and_each_rejection(bool simple)
    {
        PauseSwitch pause = MakeSwitch(new() { Name = "maintenance", EndSpread = TimeSpan.Zero });
        ResiliencePipeline pipeline = MakePipeline(pause, simple);
        pause.Pause(TimeSpan.FromSeconds(10), "we test");
        PausedRejection rejection = (PausedRejection)(await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Rejection!;
        pause.Resume();
        pause.Resume();
        _heard.Should().Equal(
            new PauseChanged("", "maintenance", true, TimeSpan.FromSeconds(10)),
            new CallPaused("p", "maintenance", rejection),
            new PauseChanged("", "maintenance", false, TimeSpan.Zero));
    }

    [Fact]
    public void A_pause_is_cut_to_the_longest_and_spread_by_chance()
    {
        PauseSwitch pause = MakeSwitch(new() { MaxPause = TimeSpan.FromMinutes(1), EndSpread = TimeSpan.FromSeconds(10) });
        for (int i = 0; i < 100; i++) pause.Pause(TimeSpan.FromHours(1), "we test");
        TimeSpan[] lengths = [.. _heard.Cast<PauseChanged>().Select(e => e.Length)];
        lengths.Should().OnlyContain(length => length >= TimeSpan.FromSeconds(60) && length < TimeSpan.FromSeconds(70));
        lengths.Max().Should().BeGreaterThan(TimeSpan.FromSeconds(69));
        lengths.Min().Should().BeLessThan(TimeSpan.FromSeconds(61));
    }

    [Fact]
    public void Options_out_of_range_are_rejected_all_at_once()
    {
        FluentActions.Invoking(() => MakeSwitch(new() { MaxPause = TimeSpan.Zero, EndSpread = TimeSpan.MaxValue }))
            .Should().Throw<ResilienceOptionsException>().Which.Problems.Select(p => p.Option)
            .Should().Equal(nameof(PauseSwitchOptions.MaxPause), nameof(PauseSwitchOptions.EndSpread));
    }

    [Fact]
    public void Every_block_of_the_page_is_code_of_the_sample_or_of_these_tests()
    {
        string root = FindRoot();
        string[] sources =
        [
            .. Directory.EnumerateFiles(Path.Combine(root, "samples", "CustomPolicy"), "*.cs").Select(Squeezed),
            Squeezed(Path.Combine(root, "tests", "repository", "Resilience.Repository.Tests", "Samples", "CustomPolicyTests.cs")),
        ];
        string[] blocks =
        [
            .. File.ReadAllText(Path.Combine(root, "docs", "build-a-policy.md")).Split("```csharp").Skip(1)
                .Select(b => Squeeze(b[..b.IndexOf("```", StringComparison.Ordinal)])),
        ];
        blocks.Should().HaveCountGreaterThan(5);
        foreach (string block in blocks) sources.Should().Contain(source => source.Contains(block, StringComparison.Ordinal), "the page shows {0}", block);
    }

    private static string Squeezed(string path) => Squeeze(File.ReadAllText(path));

    /// <summary>Without white space, and without the namespaces that the page shows to its readers and a project has for all of its files.</summary>
    private static string Squeeze(string code) => string.Join(
        '\n', code.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && !line.StartsWith("using Resilience", StringComparison.Ordinal)));

    private static string FindRoot()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Resilience.sln"))) directory = directory.Parent;
        return directory?.FullName ?? throw new DirectoryNotFoundException("The tests do not run inside the repository.");
    }
}
