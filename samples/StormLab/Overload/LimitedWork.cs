using Resilience.Overload;
using Resilience.Testing;

namespace Resilience.StormLab;

/// <summary>Work behind a limit, or behind none.</summary>
internal abstract class LimitedWork(SimulatedDependency work)
{
    private const int Waiting = 64;
    private static readonly TimeSpan MaxWait = TimeSpan.FromMilliseconds(100);

    internal abstract double Limit { get; }

    internal abstract ValueTask CallAsync(CallInfo call, CancellationToken cancellationToken);

    private protected Task WorkAsync(CallInfo call, CancellationToken cancellationToken) => work.CallAsync(call, cancellationToken);

    internal static LimitedWork Of(Simulation world, OverloadScenario scenario, OverloadSide side, SimulatedDependency work) => side switch
    {
        OverloadSide.Naive => new Unlimited(work),
        OverloadSide.Static => new Static(world, work, scenario.Clients == 0 ? OverloadScenario.StaticLimit : OverloadScenario.StaticLimit / 4),
        _ => new Adaptive(work, new(Options(scenario), world.Time, world.Randomness)),
    };

    /// <summary>At the service by latency, with a queue; at one of many clients by signs of overload and a target.</summary>
    private static AdaptiveConcurrencyLimitOptions Options(OverloadScenario scenario) => scenario.Clients == 0
        ? new() { Name = "service", Algorithm = LimitAlgorithm.Gradient, MaxQueued = Waiting, QueueFollowsLimit = true, MaxWait = MaxWait }
        : new() { Name = "client", InitialLimit = 5, LatencyTarget = TimeSpan.FromMilliseconds(400) };

    private sealed class Unlimited(SimulatedDependency work) : LimitedWork(work)
    {
        internal override double Limit => double.NaN;

        internal override ValueTask CallAsync(CallInfo call, CancellationToken cancellationToken) => new(WorkAsync(call, cancellationToken));
    }

    /// <summary>The limit of a pipeline.</summary>
    private sealed class Static : LimitedWork
    {
        private readonly ResiliencePipeline _limited;
        private readonly int _limit;

        internal Static(Simulation world, SimulatedDependency work, int limit)
            : base(work)
        {
            _limit = limit;
            _limited = world.Attach(new ResiliencePipelineBuilder { Name = "limited" })
                .AddConcurrencyLimit(new ConcurrencyLimitOptions { MaxConcurrent = limit, MaxQueued = Waiting, MaxWait = MaxWait }).Build();
        }

        internal override double Limit => _limit;

        internal override ValueTask CallAsync(CallInfo call, CancellationToken cancellationToken) =>
            _limited.ExecuteAsync(token => WorkAsync(call, token), cancellationToken);
    }

    private sealed class Adaptive(SimulatedDependency work, AdaptiveConcurrencyLimit limit) : LimitedWork(work)
    {
        internal override double Limit => limit.Limit;

        internal override async ValueTask CallAsync(CallInfo call, CancellationToken cancellationToken)
        {
            LimitAdmission admission = await limit.EnterAsync(call.Criticality, cancellationToken: cancellationToken).ConfigureAwait(false);
            if (!admission.IsAdmitted) throw admission.Rejection.ToException();
            bool isInTime = false;
            try
            {
                await WorkAsync(call, cancellationToken).ConfigureAwait(false);
                isInTime = true;
            }
            finally
            {
                // At a client its own timeout is a sign of overload. At the service nothing is cancelled: the work is done when its caller has left, too.
                limit.Leave(admission.Permit, isInTime ? Verdict.Success : Verdict.Failure, isOverloaded: !isInTime);
            }
        }
    }
}
