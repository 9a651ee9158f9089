using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Starts a second attempt beside a slow first one. Holds the budget that its calls share; thread-safe.</summary>
internal sealed class HedgingPolicy : ResiliencePolicy
{
    private readonly TimeSpan _delay;
    private readonly Func<ResilienceContext, TimeSpan?>? _delayFor;
    private readonly Func<ResilienceContext, int, bool>? _route;
    private readonly Func<AttemptResult, bool>? _shouldHedge;
    private readonly Func<ResilienceContext, bool>? _canHedge;
    private readonly TimeSpan _leastDelay;
    private readonly string? _measured; // how the delay is measured, as people read it
    private readonly CarriedState<RetryBudget, RetryBudgetOptions>? _carried; // null: the budget is shared, and an update changes nothing about it

    internal HedgingPolicy(HedgingOptions options, PolicyEnvironment environment)
    {
        Environment = environment;
        Rules = new(options.MaxAttempts);
        _delay = options.Delay;
        _delayFor = options.DelayFor;
        _route = options.Route;
        _shouldHedge = options.ShouldHedge;
        _canHedge = options.CanHedge;
        _leastDelay = _delay;
        if (options.DelayQuantile is { } quantile)
        {
            RotatingHistogram? known = environment.Former is HedgingPolicy former && former.Environment.TimeProvider == environment.TimeProvider
                ? former.Measured?.Latencies
                : null;
            Measured = new(options, environment.Clock, known);
            _leastDelay = options.MinDelay;
            _measured = string.Create(CultureInfo.InvariantCulture,
                $"{quantile:0.###} of first attempts, from {TimeText.Of(options.MinDelay)} to {Shown(options.MaxDelay ?? _delay)}, after {options.MinSamples}");
        }

        _carried = options.Budget is null ? RetryBudget.Carried(this, options.BudgetOptions ?? new(), environment) : null;
        Budget = options.Budget ?? _carried!.State;
    }

    internal PolicyEnvironment Environment { get; }

    internal HedgingRules Rules { get; }

    internal RetryBudget Budget { get; }

    /// <summary>The delay as it is measured; null: it is not.</summary>
    internal MeasuredDelay? Measured { get; }

    /// <summary>The <see cref="Budget"/>, unless it is unlimited or nothing is hedged.</summary>
    public override object? State => Budget.IsUnlimited || Rules.MaxAttempts == 1 ? null : Budget;

    protected internal override CarriedState? Carried => _carried;

    internal override bool NeverThrows => true;

    internal override bool HonorsMarks => true;

    public override PolicyDescription Describe()
    {
        List<KeyValuePair<string, string>> options =
        [
            new(nameof(HedgingOptions.MaxAttempts), Rules.MaxAttempts.ToString(CultureInfo.InvariantCulture)),
            new(nameof(HedgingOptions.Delay), _delay == Timeout.InfiniteTimeSpan ? "after a failure only" : TimeText.Of(_delay)),
            new(nameof(HedgingOptions.Budget), _carried?.Pending is { } pending ? RetryBudget.Describe(pending) : Budget.ToString()),
        ];
        if (_measured is not null) options.Add(new(nameof(HedgingOptions.DelayQuantile), _measured));
        if (_delayFor is not null) options.Add(new(nameof(HedgingOptions.DelayFor), "yes"));
        if (_route is not null) options.Add(new(nameof(HedgingOptions.Route), "yes"));
        PolicyDescription.AddIfOwn(options, nameof(HedgingOptions.ShouldHedge), _shouldHedge);
        PolicyDescription.AddIfOwn(options, nameof(HedgingOptions.CanHedge), _canHedge);
        return new(Environment.PolicyName, PolicyRole.Hedging)
        {
            MaxAttempts = Rules.MaxAttempts,
            FirstDelay = _leastDelay == Timeout.InfiniteTimeSpan ? null : _leastDelay,
            Options = options,
        };
    }

    private static string Shown(TimeSpan delay) => delay == Timeout.InfiniteTimeSpan ? "any" : TimeText.Of(delay);

    protected internal override void TakeEffect()
    {
        if (Measured is not null) HedgingTelemetry.Watch(this);
    }

    protected internal override void Retire()
    {
        if (Measured is not null) HedgingTelemetry.Unwatch(this);
    }

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => BindAround(next, []);

    /// <summary>With one attempt there is nothing to do, so there is no link.</summary>
    internal override PolicyLink<T> BindAround<T>(PolicyLink<T> next, IReadOnlyList<IOverloadSign> inside) =>
        Rules.MaxAttempts == 1 ? next : new HedgingLink<T>(this, next, [.. inside]);

    /// <summary>How long the attempt that has just begun may take, in whole milliseconds; <see cref="Clock.Never"/>: as long as it
    /// wants.</summary>
    internal long DelayMs(ResilienceContext context)
    {
        if (_delayFor is null) return UsualDelayMs;
        try
        {
            if (_delayFor(context.Shown()) is not { } own) return UsualDelayMs;
            if (HedgingOptions.IsDelay(own)) return Clock.ToMs(own);
            Safely.Report("hedging DelayFor", new InvalidOperationException("DelayFor returned a time that is out of range."));
        }
        catch (Exception error)
        {
            Safely.Report("hedging DelayFor", error);
        }

        return UsualDelayMs;
    }

    private long UsualDelayMs => Measured?.Ms ?? Clock.ToMs(_delay);

    /// <summary>Whether the user lets this call be hedged.</summary>
    internal bool IsWanted(ResilienceContext call)
    {
        if (_canHedge is null) return true;
        try
        {
            return _canHedge(call.Shown());
        }
        catch (Exception error)
        {
            Safely.Report("hedging CanHedge", error);
            return false;
        }
    }

    /// <summary>Whether the user lets another attempt start because of this one.</summary>
    internal bool IsAllowed(in AttemptResult attempt)
    {
        if (_shouldHedge is null) return true;
        try
        {
            return _shouldHedge(attempt);
        }
        catch (Exception error)
        {
            Safely.Report("hedging ShouldHedge", error);
            return false;
        }
    }

    /// <summary>Lets the user choose the way of a hedge. True when it is another one.</summary>
    internal bool RoutesElsewhere(ResilienceContext attempt, int number)
    {
        if (_route is null) return false;
        try
        {
            return _route(attempt, number);
        }
        catch (Exception error)
        {
            Safely.Report("hedging Route", error);
            return false;
        }
    }
}
