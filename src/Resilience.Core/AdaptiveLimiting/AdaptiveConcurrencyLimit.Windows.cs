using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <content>How windows end and the limit changes.</content>
public sealed partial class AdaptiveConcurrencyLimit
{
    private const double AdaptedShare = 0.2;

    private readonly Lock _judging = new(); // one judgement or change of the options at a time; runs no user code, and no call waits for it
    private int _told; // the limit that was last told of
    private bool _toldOfBound;

    /// <summary>Changes the options of a living limit. What it has learnt and the window that lasts stay while the algorithm does; those who wait go on
    /// waiting as long as they were told.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range; the old ones stay in effect.</exception>
    public void Update(AdaptiveConcurrencyLimitOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        AdaptiveConcurrencyLimitOptions own = options.Copy();
        own.ThrowIfInvalid();
        LimitSetup setup = LimitSetup.Of(own);
        (double draw, long now) = (Draw(), Now); // before the lock: both may be code of the user's
        lock (_judging)
        {
            LimitPeriod former = _period;
            bool isSame = former.Setup.Options.Algorithm == own.Algorithm;
            LimitState state = !isSame ? setup.Rules.Begin(Ms(now), former.State.Epoch + 1, draw)
                : former.State.IsFresh ? setup.Rules.Begin(former.State.LastProbeMs, former.State.Epoch, draw)
                : setup.Rules.Adopt(former.State);
            Begin(isSame ? new(setup, state, former) : new(setup, state, new(this, state.Epoch), now));
        }

        _queue.AdmitWaiting();
    }

    /// <summary>As <see cref="Update"/>, and it goes by the names of another environment from now on.</summary>
    internal void Adopt(AdaptiveConcurrencyLimitOptions options, PolicyEnvironment environment)
    {
        // Full fence: the environment is whole before a rejection can name it.
        PolicyEnvironment former = Interlocked.Exchange(ref _environment, environment);
        Update(options);
        if (ReferenceEquals(former.Meter, environment.Meter)) return;
        AdaptiveLimitTelemetry.Unwatch(former, this);
        AdaptiveLimitTelemetry.Watch(environment, this);
    }

    /// <summary>An update has left its policy out: it is shown no more, unless another policy has adopted it.</summary>
    internal void Abandon(PolicyEnvironment environment)
    {
        if (ReferenceEquals(Volatile.Read(ref _environment), environment)) AdaptiveLimitTelemetry.Unwatch(environment, this); // acquire: pairs with Adopt
    }

    /// <summary>Judges a window that may be over. Of calls that find it so one does; the others go on.</summary>
    private void EndWindow(LimitPeriod period, long now)
    {
        double elapsed = Ms(now - period.StartTicks);
        (long samples, long overloads, _, _) = period.Counts.Sum();
        if (!period.Setup.Rules.IsOver(period.State, elapsed, samples, overloads)) return;
        double draw = Draw(); // before the lock: it may be code of the user's
        LimitDecision decision;
        LimitAdapted? adapted;
        if (!_judging.TryEnter()) return;
        try
        {
            if (!ReferenceEquals(_period, period)) return; // another call has judged it
            (decision, adapted) = Judge(period, now, elapsed, draw);
        }
        finally
        {
            _judging.Exit();
        }

        _queue.AdmitWaiting();
        PolicyEnvironment environment = Volatile.Read(ref _environment); // acquire: pairs with Adopt
        AdaptiveLimitTelemetry.Decided(environment, decision);
        if (adapted is not null) environment.Report(adapted);
    }

    private (LimitDecision Decision, LimitAdapted? Adapted) Judge(LimitPeriod period, long now, double elapsed, double draw)
    {
        (long samples, long overloads, long slow, long rejected) = period.Counts.Sum();
        AdaptiveLimitWord word = new(Volatile.Read(ref _word)); // acquire: pairs with the compare-and-swaps on this word
        LimitWindow window = new(Ms(now), elapsed, samples, period.Counts.Median(samples) / TimeSpan.TicksPerMillisecond, word.Peak, rejected, overloads, slow);
        LimitStep step = period.Setup.Rules.Judge(period.State, window, draw);
        LimitEpoch epoch = step.State.Epoch == period.Epoch.Number ? period.Epoch : new(this, step.State.Epoch);
        Begin(new(period.Setup, step.State with { IsFresh = false }, epoch, now) { WasRejecting = rejected > 0 });
        return (step.Decision, Tell(step));
    }

    /// <summary>What is told: a change by a fifth or more since the last time, or that a bound was reached. The limit of a probe is no change.</summary>
    private LimitAdapted? Tell(LimitStep step)
    {
        int to = PlacesOf(step.State.SettledLimit);
        bool isAtBound = step.Decision is LimitDecision.Floor or LimitDecision.Ceiling;
        bool isNewBound = isAtBound && !_toldOfBound;
        if (step.Decision is not (LimitDecision.Hold or LimitDecision.Probe or LimitDecision.ProbeEnded)) _toldOfBound = isAtBound;
        if (!isNewBound && Math.Abs(to - _told) < Math.Max(1, AdaptedShare * _told)) return null;
        LimitAdapted adapted = new(
            PipelineName, Name, _told, to, AdaptiveLimitText.Span(step.State.LatencyMs), AdaptiveLimitText.Span(step.State.BaselineMs))
        {
            IsAtFloor = step.Decision == LimitDecision.Floor,
            IsAtCeiling = step.Decision == LimitDecision.Ceiling,
        };
        _told = to;
        return adapted;
    }

    /// <summary>A window begins. The limit comes first: a call that knows the new epoch has begun under the new limit.</summary>
    private void Begin(LimitPeriod next)
    {
        AdaptiveLimitWord seen = new(Volatile.Read(ref _word)); // acquire: pairs with the compare-and-swaps on this word
        while (true)
        {
            long found = Interlocked.CompareExchange(ref _word, seen.Begun(PlacesOf(next.State)).Bits, seen.Bits);
            if (found == seen.Bits) break;
            seen = new(found);
        }

        Volatile.Write(ref _period, next); // release: whole before it can be seen, and after the limit
    }

    private static double Ms(long ticks) => (double)ticks / TimeSpan.TicksPerMillisecond;
}
