using System.Globalization;
using System.Runtime.CompilerServices;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>Chooses an endpoint for each attempt, and hears how the attempt has ended.</summary>
internal sealed class EndpointPolicy : ResiliencePolicy, IOverloadSign
{
    private const int MaxTried = 16;

    private readonly EndpointSet _set;
    private readonly PolicyEnvironment _environment;
    private readonly CarriedState<EndpointSet, EndpointSetOptions>? _carried; // null: the set is shared, and an update changes nothing about it

    /// <summary>A set of the pipeline's own, or the one that the policy of this name had before an update.</summary>
    internal EndpointPolicy(EndpointSetOptions options, PolicyEnvironment environment)
    {
        _environment = environment;
        _carried = new(
            this, environment, options, static (o, e) => new(o, e), static (s, o, e) => s.Adopt(o, e), static (s, e) => EndpointTelemetry.Watch(e, s),
            static (s, e) => s.Abandon(e));
        _set = _carried.State;
    }

    internal EndpointPolicy(EndpointSet set, PolicyEnvironment environment)
    {
        _set = set;
        _environment = environment;
    }

    internal override bool NeverThrows => true;

    public override object? State => _set;

    protected internal override CarriedState? Carried => _carried;

    /// <summary>That an endpoint fails is no sign that the service has too much to do.</summary>
    bool IOverloadSign.ShowsOverload => false;

    /// <summary>Attempts that run beside each other must know of each other's endpoints, so what they share is made before the first of them.</summary>
    void IOverloadSign.BeforeAttempts(ResilienceContext call) => TrailOf(call);

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new ChoiceLink<T>(this, next);

    public override PolicyDescription Describe()
    {
        EndpointSetOptions options = _carried?.Pending ?? _set.Options;
        List<KeyValuePair<string, string>> described =
        [
            new(nameof(EndpointSetOptions.Addresses), string.Join(" ", options.Addresses)),
            new(nameof(EndpointSetOptions.Choice), options.Choice.ToString()),
            new(nameof(EndpointSetOptions.DecayTime), TimeText.Of(options.DecayTime)),
            new("another", Another(options)),
        ];
        if (options.SubsetSize is { } size) described.Add(new(nameof(EndpointSetOptions.SubsetSize), size.ToString(CultureInfo.InvariantCulture)));
        described.Add(new(nameof(EndpointSetOptions.Ejection), options.Ejection is { } ejection ? Describe(ejection) : "never"));
        if (options.Load is not null) described.Add(new(nameof(EndpointSetOptions.Load), "custom"));
        return new(_environment.PolicyName, PolicyRole.Other) { Options = described };
    }

    private static string Another(EndpointSetOptions options) => (options.AnotherOnRetry, options.AnotherOnHedge) switch
    {
        (true, true) => "on retry and hedge",
        (true, false) => "on retry",
        (false, true) => "on hedge",
        _ => "never",
    };

    private static string Describe(EndpointEjectionOptions o) => string.Create(
        CultureInfo.InvariantCulture,
        $"{o.ConsecutiveFailures} failures in a row, or {o.FailureShare * 100:0.##} % of {o.MinRequests} in {TimeText.Of(o.Interval)}, ")
        + string.Create(CultureInfo.InvariantCulture, $"compared from {o.MinEndpoints} endpoints on, ")
        + (o.SlowFactor is { } factor ? string.Create(CultureInfo.InvariantCulture, $"or {factor:0.##} times slower, ") : "")
        + string.Create(CultureInfo.InvariantCulture,
            $"for {TimeText.Of(o.Base)} to {TimeText.Of(o.Max)}, at most {o.MaxShare * 100:0.##} %, all below {o.PanicBelow * 100:0.##} %");

    private static EndpointTrail TrailOf(ResilienceContext context)
    {
        if (context.TryFind(EndpointTrail.Property, out EndpointTrail? known)) return known;
        EndpointTrail made = new();
        if (!context.HasEnded) context.Set(EndpointTrail.Property, made);
        return made;
    }

    /// <summary>An attempt that began while another was under way is a hedge.</summary>
    private EndpointPick? Pick(EndpointTrail trail)
    {
        EndpointSetOptions options = _set.Options;
        Tried tried = default;
        int count = 0;
        bool isHedge = false;
        for (EndpointTrail.Step? step = trail.Last; step is not null && count < MaxTried; step = step.Before)
        {
            isHedge |= !step.IsOver;
            tried[count++] = step.Pick.Endpoint;
        }

        bool isAnother = isHedge ? options.AnotherOnHedge : options.AnotherOnRetry;
        return _set.TryPick(isAnother ? ((ReadOnlySpan<TargetEndpoint>)tried)[..count] : []);
    }

    [InlineArray(MaxTried)]
    private struct Tried
    {
        private TargetEndpoint _first;
    }

    private sealed class ChoiceLink<T>(EndpointPolicy policy, PolicyLink<T> next) : SuspendingLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            EndpointTrail trail = TrailOf(context);
            if (policy.Pick(trail) is not { } pick) return next.ExecuteAsync(context);
            EndpointTrail.Step step = trail.Add(pick);
            if (!context.HasEnded) context.Set(EndpointSet.Chosen, pick.Endpoint);
            ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
            if (!running.IsCompletedSuccessfully) return Suspend(running, context, new(step));
            Outcome<T> outcome = running.Result;
            End(step, outcome);
            return new(outcome);
        }

        private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
        {
            End(Unsafe.As<EndpointTrail.Step>(state.First!), outcome);
            return true;
        }

        private void End(EndpointTrail.Step step, in Outcome<T> outcome)
        {
            step.IsOver = true;
            policy._set.Release(step.Pick, outcome.Verdict switch
            {
                Verdict.Success => EndpointEnd.Answered,
                Verdict.Failure => (outcome.Marks & OutcomeMarks.NotCounted) != 0 ? EndpointEnd.Throttled : EndpointEnd.Failed,
                Verdict.Rejected => EndpointEnd.NotSent,
                _ => outcome.HasResult ? EndpointEnd.Answered : EndpointEnd.Cut,
            });
        }
    }
}
