using Resilience.Overload;
using Resilience.Testing;

namespace Resilience.Tests.Overload;

/// <summary>A request failed, and who asked is told not to ask again: what an HTTP service says by a header.</summary>
internal sealed class DoNotAskAgainException(Exception cause) : Exception("failed, do not ask again", cause);

/// <summary>A chain of services that call each other through pipelines with retries: the context of each request is the real one, the wire is
/// modeled.</summary>
/// <param name="world">In which they live.</param>
/// <param name="marks">Whether "do not retry" is written and honored on the wire.</param>
/// <param name="deadlines">Whether the time that is left is sent along.</param>
/// <param name="wrongBy">How far the wall clock of a service is off, by its number.</param>
internal sealed class Layers(Simulation world, bool marks, bool deadlines, Func<int, TimeSpan>? wrongBy = null)
{
    /// <summary>Requests that the leaf has served for users that had left by the moment in their tag.</summary>
    internal long InVain { get; private set; }

    /// <summary>Adds a service that calls the next one.</summary>
    /// <param name="number">1 is the one that users call.</param>
    /// <param name="configure">Its retries.</param>
    /// <param name="next">What it calls.</param>
    internal SimulatedService Add(int number, Action<RetryOptions> configure, Func<CallInfo, CancellationToken, Task> next)
    {
        TimeProvider clock = wrongBy is null ? world.Time : new WrongClock(world.Time, wrongBy(number));
        ResiliencePipelineBuilder builder = new() { Name = $"service-{number}", TimeProvider = clock, Randomness = world.Randomness };
        ResiliencePipeline pipeline = builder.AddRetry(o =>
        {
            o.BaseDelay = TimeSpan.FromMilliseconds(5);
            if (marks) o.ShouldRetry = static attempt => attempt.Exception is not DoNotAskAgainException;
            configure(o);
        }).Build();
        return world.AddService($"service-{number}", new() { Latency = TimeSpan.FromMilliseconds(1) }, (call, _) => HandleAsync(call, clock, pipeline, next));
    }

    /// <summary>A service that admits as many as run at once, and lets the others wait until the deadline of their request, or for ten seconds.</summary>
    /// <param name="places">How many run at once.</param>
    /// <param name="work">What they do.</param>
    /// <param name="minimumTime">What must be left of its time when a request begins.</param>
    internal SimulatedService AddLeaf(int places, SimulatedDependency work, TimeSpan minimumTime)
    {
        ResiliencePipeline limited = world.Attach(new ResiliencePipelineBuilder { Name = "leaf" })
            .AddConcurrencyLimit(new ConcurrencyLimitOptions { MaxConcurrent = places, MaxQueued = 100_000, MaxWait = TimeSpan.FromSeconds(10) }).Build();
        return world.AddService("leaf", new() { Latency = TimeSpan.Zero }, async (call, _) =>
        {
            using RequestScope request = Begin(call with { TimeLeft = call.TimeLeft - minimumTime }, world.Time);
            if (RequestContext.Current!.IsExpired) throw new DoNotAskAgainException(new TimeoutException());
            await limited.ExecuteAsync(default(CallOptions), async (_, _) => await work.CallAsync(CancellationToken.None), 0, CancellationToken.None);
            if (call.Tag is TimeSpan until && world.Time.Elapsed > until) InVain++;
        });
    }

    private async ValueTask HandleAsync(CallInfo call, TimeProvider clock, ResiliencePipeline pipeline, Func<CallInfo, CancellationToken, Task> next)
    {
        using RequestScope request = Begin(call, clock);
        try
        {
            await pipeline.ExecuteAsync(
                default(CallOptions),
                async (context, _) => await next(new() { TimeLeft = deadlines ? context.RemainingTime : null, Tag = call.Tag }, context.CancellationToken),
                0);
        }
        catch (Exception error) when (marks && (error is DoNotAskAgainException || RequestContext.Current!.HasGivenUpOn(error)))
        {
            throw new DoNotAskAgainException(error);
        }
    }

    /// <summary>The time that is left counts from the arrival, not from when the handler is reached.</summary>
    private RequestScope Begin(CallInfo call, TimeProvider clock)
    {
        TimeSpan? left = call.TimeLeft - (world.Time.Elapsed - call.ArrivedAt);
        return RequestContext.Begin(new()
        {
            Timeout = deadlines && left is { } time ? TimeSpan.FromTicks(Math.Max(0, time.Ticks)) : null,
            TimeProvider = clock,
            IsIndependent = true,
        });
    }

    /// <summary>A machine whose wall clock is wrong; time passes as everywhere.</summary>
    private sealed class WrongClock(VirtualTime time, TimeSpan by) : TimeProvider, IContinuationRunner
    {
        public override long TimestampFrequency => time.TimestampFrequency;

        public override long GetTimestamp() => time.GetTimestamp();

        public override DateTimeOffset GetUtcNow() => time.GetUtcNow() + by;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            time.CreateTimer(callback, state, dueTime, period);

        public void Enqueue(IThreadPoolWorkItem work) => ((IContinuationRunner)time).Enqueue(work);
    }
}
