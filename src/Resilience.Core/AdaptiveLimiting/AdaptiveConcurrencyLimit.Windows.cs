using Resilience.Extensibility;

namespace Resilience.Overload;

/// <content>How windows end and the limit changes.</content>
public sealed partial class AdaptiveConcurrencyLimit
{
    private readonly Lock _judging = new(); // one judgement or change of the options at a time; runs no user code, and no call waits for it

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
            LimitState state = isSame ? setup.Rules.Adopt(former.State) : setup.Rules.Begin(Ms(now), former.State.Epoch + 1, draw);
            Begin(isSame ? new(setup, state, former) : new(setup, state, new(this, state.Epoch), now));
        }

        _queue.AdmitWaiting();
    }

    /// <summary>As <see cref="Update"/>, and it goes by the names of another environment from now on.</summary>
    internal void Adopt(AdaptiveConcurrencyLimitOptions options, PolicyEnvironment environment)
    {
        // Full fence: the environment is whole before a rejection can name it.
        Interlocked.Exchange(ref _environment, environment);
        Update(options);
    }

    /// <summary>Judges a window that may be over. Of calls that find it so one does; the others go on.</summary>
    private void EndWindow(LimitPeriod period, long now)
    {
        double elapsed = Ms(now - period.StartTicks);
        (long samples, long overloads, _, _) = period.Counts.Sum();
        if (!period.Setup.Rules.IsOver(period.State, elapsed, samples, overloads)) return;
        double draw = Draw(); // before the lock: it may be code of the user's
        if (!_judging.TryEnter()) return;
        try
        {
            if (!ReferenceEquals(_period, period)) return; // another call has judged it
            Judge(period, now, elapsed, draw);
        }
        finally
        {
            _judging.Exit();
        }

        _queue.AdmitWaiting();
    }

    private void Judge(LimitPeriod period, long now, double elapsed, double draw)
    {
        (long samples, long overloads, long slow, long rejected) = period.Counts.Sum();
        AdaptiveLimitWord word = new(Volatile.Read(ref _word)); // acquire: pairs with the compare-and-swaps on this word
        LimitWindow window = new(Ms(now), elapsed, samples, period.Counts.Median(samples) / TimeSpan.TicksPerMillisecond, word.Peak, rejected, overloads, slow);
        LimitStep step = period.Setup.Rules.Judge(period.State, window, draw);
        LimitEpoch epoch = step.State.Epoch == period.Epoch.Number ? period.Epoch : new(this, step.State.Epoch);
        Begin(new(period.Setup, step.State, epoch, now) { WasRejecting = rejected > 0 });
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
