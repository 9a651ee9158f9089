using Microsoft.Extensions.Time.Testing;
using Resilience.Overload;
using Resilience.Tests.Allocation;

namespace Resilience.Tests.Requests;

/// <summary>What calls take over from the request in which they are made, and what is kept from it.</summary>
public sealed class RequestContextTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _time = new();

    private ResiliencePipelineBuilder Builder => new() { TimeProvider = _time };

    private RequestScope Begin(double? seconds = null, Criticality? criticality = null, int? attempt = null) => RequestContext.Begin(new()
    {
        Timeout = seconds is { } given ? TimeSpan.FromSeconds(given) : null,
        Criticality = criticality,
        Attempt = attempt,
        TimeProvider = _time,
    });

    private static async Task<(double? Left, Criticality Criticality)> SeenAsync(ResiliencePipeline pipeline, CallOptions options = default) =>
        await pipeline.ExecuteAsync(
            options, static (context, _) => new ValueTask<(double?, Criticality)>((context.RemainingTime?.TotalSeconds, context.Criticality)), 0);

    [Theory]
    [InlineData(null, null, null)]
    [InlineData(5.0, null, 5.0)]
    [InlineData(null, 3.0, 3.0)]
    [InlineData(5.0, 3.0, 3.0)]
    [InlineData(2.0, 3.0, 2.0)]
    [InlineData(0.0, 3.0, 0.0)]
    [InlineData(3.0, 0.0, 0.0)]
    public async Task A_call_ends_with_the_earlier_deadline(double? ofRequest, double? ofCall, double? expected)
    {
        using RequestScope scope = Begin(ofRequest);
        CallOptions options = new() { Deadline = ofCall is { } given ? TimeSpan.FromSeconds(given) : null };
        (await SeenAsync(Builder.Build(), options)).Left.Should().Be(expected);
    }

    [Theory]
    [InlineData(null, null, Criticality.Critical)]
    [InlineData(Criticality.Sheddable, null, Criticality.Sheddable)]
    [InlineData(Criticality.CriticalPlus, null, Criticality.CriticalPlus)]
    [InlineData(Criticality.Sheddable, Criticality.Critical, Criticality.Critical)]
    [InlineData(Criticality.CriticalPlus, Criticality.SheddablePlus, Criticality.SheddablePlus)]
    [InlineData(null, Criticality.CriticalPlus, Criticality.CriticalPlus)]
    public async Task The_class_of_a_call_is_its_own_then_that_of_the_request(Criticality? ofRequest, Criticality? ofCall, Criticality expected)
    {
        using RequestScope scope = Begin(criticality: ofRequest);
        (await SeenAsync(Builder.Build(), new() { Criticality = ofCall })).Criticality.Should().Be(expected);
    }

    [Fact]
    public async Task Time_is_measured_by_each_clock_and_what_is_left_is_the_same()
    {
        ManualTime ofRequest = new(frequency: 1_000) { Timestamp = 7_000_000 };
        using RequestScope scope = RequestContext.Begin(new() { Timeout = 5 * Second, TimeProvider = ofRequest });
        ResiliencePipeline pipeline = Builder.Build(), system = new ResiliencePipelineBuilder().Build();
        (await SeenAsync(pipeline)).Left.Should().Be(5);
        ofRequest.Timestamp += 2_000;
        (await SeenAsync(pipeline)).Left.Should().Be(3, "the time of the request passes on its own clock");
        _time.Advance(TimeSpan.FromHours(1));
        (await SeenAsync(pipeline)).Left.Should().Be(3, "that of the pipeline is no time of the request");
        (await SeenAsync(system)).Left.Should().BeInRange(2, 3);
        ofRequest.Timestamp -= 6_000_000;
        (await SeenAsync(pipeline)).Left.Should().Be(3, "a clock that jumps back stands still");
        ofRequest.Timestamp += 10_000_000;
        (await SeenAsync(pipeline)).Left.Should().Be(0);
        ofRequest.Error = new InvalidOperationException("planted");
        (await SeenAsync(pipeline)).Left.Should().Be(0, "a clock that throws stands still");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task That_the_time_of_a_request_is_up_says_nothing_about_the_dependency(bool ownDeadlineCounts)
    {
        ResiliencePipeline pipeline = Builder.AddTimeout(60 * Second).AddRetry().AddCircuitBreaker().Build();
        TaskCompletionSource begun = new();
        CallOptions options = new() { Deadline = 10 * Second, DeadlineCounts = ownDeadlineCounts };
        using RequestScope scope = Begin(2);
        Task<Outcome<int>> running = pipeline.TryExecuteAsync<TaskCompletionSource, int>(options, static async (context, begun) =>
        {
            begun.SetResult();
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
            return 1;
        }, begun).AsTask();
        await begun.Task;
        _time.Advance(2 * Second);
        Outcome<int> outcome = await running;
        outcome.Verdict.Should().Be(Verdict.Ignored);
        outcome.Exception.Should().BeOfType<TimedOutException>();
        pipeline.Find<CircuitBreaker>()!.TakeSnapshot().Failures.Should().Be(0);
    }

    [Fact]
    public async Task Nothing_is_begun_when_the_deadline_has_passed()
    {
        int begun = 0;
        using RequestScope scope = Begin(1);
        _time.Advance(Second);
        scope.Request!.IsExpired.Should().BeTrue();
        scope.Request.RemainingTime.Should().Be(TimeSpan.Zero);
        ResiliencePipeline pipeline = Builder.AddTimeout(60 * Second).AddRetry().Build();
        (await pipeline.TryExecuteAsync(_ => ValueTask.FromResult(++begun))).Verdict.Should().Be(Verdict.Ignored);
        pipeline.Invoking(static p => p.Execute(static _ => 1)).Should().Throw<TimedOutException>("synchronous calls are calls");
        begun.Should().Be(0);
    }

    [Fact]
    public async Task No_retry_is_waited_for_beyond_the_deadline_of_the_request()
    {
        RetryOptions slow = new() { MaxRetries = 3, BackoffKind = BackoffKind.Constant, BaseDelay = 5 * Second, Jitter = BackoffJitter.None };
        int attempts = 0;
        using RequestScope scope = Begin(3);
        Outcome<int> outcome = await Builder.AddRetry(slow).Build().TryExecuteAsync<int>(_ => throw new IOException($"planted {++attempts}"));
        (attempts, outcome.DoNotRetry).Should().Be((1, true));
    }

    [Fact]
    public async Task A_pipeline_inside_another_has_the_deadline_too()
    {
        ResiliencePipeline outer = Builder.AddTimeout(60 * Second).Build(), inner = Builder.Build();
        using RequestScope scope = Begin(4);
        double? left = await outer.ExecuteAsync(async token =>
        {
            await Task.Yield();
            _time.Advance(Second);
            return (await SeenAsync(inner)).Left;
        });
        left.Should().Be(3);
    }

    [Fact]
    public void A_request_inside_another_is_a_part_of_it()
    {
        using RequestScope outer = Begin(10, Criticality.SheddablePlus, attempt: 2);
        using (RequestScope later = Begin(60))
        {
            later.Request!.RemainingTime.Should().Be(10 * Second);
            (later.Request.Criticality, later.Request.Attempt).Should().Be((Criticality.SheddablePlus, 2));
            later.Request.SetDoNotRetry();
        }

        outer.Request!.IsDoNotRetry.Should().BeTrue("the answer is that of the outer one");
        using (RequestScope earlier = Begin(3, Criticality.Critical, attempt: 0))
        {
            earlier.Request!.RemainingTime.Should().Be(3 * Second);
            (earlier.Request.Criticality, earlier.Request.Attempt).Should().Be((Criticality.Critical, 0));
        }

        using RequestScope independent = RequestContext.Begin(new() { IsIndependent = true });
        independent.Request!.RemainingTime.Should().BeNull();
        (independent.Request.Criticality, independent.Request.Attempt, independent.Request.IsDoNotRetry).Should().Be((Criticality.Critical, 0, false));
    }

    [Fact]
    public void A_scope_puts_back_what_was_there_and_only_once()
    {
        RequestContext.Current.Should().BeNull();
        RequestScope outer = Begin(1), inner = Begin(1);
        outer.Dispose();
        RequestContext.Current.Should().BeSameAs(inner.Request, "it is not the innermost");
        inner.Dispose();
        RequestContext.Current.Should().BeSameAs(outer.Request);
        inner.Dispose();
        RequestContext.Current.Should().BeSameAs(outer.Request, "it was disposed before");
        RequestScope none = RequestContext.Suppress();
        RequestContext.Current.Should().BeNull();
        none.Request.Should().BeNull();
        none.Dispose();
        none.Dispose();
        RequestContext.Current.Should().BeSameAs(outer.Request);
        outer.Dispose();
        RequestContext.Current.Should().BeNull();
        using (RequestContext.Suppress()) RequestContext.Current.Should().BeNull();
        default(RequestScope).Dispose();
    }

    [Fact]
    public void Impossible_options_are_said_at_once()
    {
        this.Invoking(static _ => new RequestContextOptions { Timeout = TimeSpan.FromTicks(-1) }).Should().Throw<ArgumentOutOfRangeException>();
        this.Invoking(static _ => new RequestContextOptions { Attempt = -1 }).Should().Throw<ArgumentOutOfRangeException>();
        this.Invoking(static _ => new RequestContextOptions { Criticality = (Criticality)4 }).Should().Throw<ArgumentOutOfRangeException>();
        this.Invoking(static _ => new RequestContextOptions { Criticality = (Criticality)(-1) }).Should().Throw<ArgumentOutOfRangeException>();
        using RequestScope longest = RequestContext.Begin(new() { Timeout = TimeSpan.MaxValue });
        longest.Request!.RemainingTime.Should().BeNull("no clock goes so far");
    }

    [Fact]
    public async Task A_hedge_is_a_class_lower_than_the_request()
    {
        ResiliencePipeline pipeline = Builder.AddHedging(new HedgingOptions { Delay = Second, MaxAttempts = 2 }).Build();
        TaskCompletionSource<Criticality> seen = new();
        TaskCompletionSource begun = new();
        using RequestScope scope = Begin(criticality: Criticality.CriticalPlus);
        Task<int> running = pipeline.ExecuteAsync(default, async (context, _) =>
        {
            if (context.Attempt == 0)
            {
                begun.SetResult();
                await seen.Task;
            }
            else
            {
                seen.SetResult(context.Criticality);
            }

            return 1;
        }, 0).AsTask();
        await begun.Task;
        _time.Advance(Second);
        (await seen.Task).Should().Be(Criticality.Critical);
        await running;
    }

    [Fact]
    public void A_call_within_a_request_allocates_nothing_more()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(60 * Second).AddRetry().AddCircuitBreaker().Build();
        using RequestScope scope = RequestContext.Begin(new() { Timeout = 30 * Second, Criticality = Criticality.Sheddable });
        Allocated.BytesPerRun(() => pipeline.ExecuteAsync(static _ => new ValueTask<int>(1)).GetAwaiter().GetResult()).Should().Be(0);
    }
}
