using System.Diagnostics;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>Bounds how many calls run at once, and finds out how many that should be. Usable alone. Thread-safe.</summary>
/// <remarks>
/// Taking and giving back a place is lock-free while no call waits: one compare-and-swap each, and nothing is allocated. The limit is judged at the end of each
/// window by the call that ends then; there is no timer. Those who wait do so in a queue for each class of <see cref="Criticality"/>, under a short lock
/// that runs no user code and that callers who find a place never touch.
/// </remarks>
/// <example><code>
/// AdaptiveConcurrencyLimit limit = new(new AdaptiveConcurrencyLimitOptions { Name = "search", LatencyTarget = TimeSpan.FromMilliseconds(250) });
/// if (limit.TryEnter(Criticality.Sheddable) is not { } permit) return Degraded();
/// Answer answer = await SendAsync();
/// limit.Leave(permit, answer.IsSuccess ? Verdict.Success : Verdict.Failure, isOverloaded: answer.Status is 429 or 503);
/// </code></example>
public sealed partial class AdaptiveConcurrencyLimit : IPolicyStatus
{
    internal const int Classes = 4;

    private PolicyEnvironment _environment; // changes when the pipeline is updated; the clock stays
    private readonly long _origin; // the timestamp at which its line of time begins
    private readonly double _ticksPerStamp;
    private LimitPeriod _period; // the window that lasts; replaced as a whole, under _judging
    private long _word;
    private readonly LimitQueue _queue;

    /// <summary>Makes a limit to be used alone or shared between pipelines.</summary>
    /// <param name="options">A copy is taken. <see cref="AdaptiveConcurrencyLimitOptions.IsOverload"/> speaks of outcomes, which only a pipeline
    /// has.</param>
    /// <param name="timeProvider">Default: the system's.</param>
    /// <param name="randomness">Spreads probes. Default: <see cref="Randomness.Shared"/>.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    public AdaptiveConcurrencyLimit(AdaptiveConcurrencyLimitOptions options, TimeProvider? timeProvider = null, Randomness? randomness = null)
        : this(options, PolicyEnvironment.Standalone(NameOf(options), timeProvider, randomness)) => AdaptiveLimitTelemetry.Watch(_environment, this);

    internal AdaptiveConcurrencyLimit(AdaptiveConcurrencyLimitOptions options, PolicyEnvironment environment)
    {
        AdaptiveConcurrencyLimitOptions own = options.Copy(); // before the check: what is checked is what is used
        own.ThrowIfInvalid();
        _environment = environment;
        _origin = environment.Clock.Timestamp;
        _ticksPerStamp = (double)TimeSpan.TicksPerSecond / environment.Clock.Frequency;
        LimitSetup setup = LimitSetup.Of(own);
        LimitState state = setup.Rules.Begin(0, 1, Draw());
        _word = new AdaptiveLimitWord(PlacesOf(state), 0, 0, false).Bits;
        _period = new(setup, state, new(this, state.Epoch), 0);
        _queue = new(this);
        _told = PlacesOf(state);
    }

    /// <summary>The name, as in rejections and telemetry.</summary>
    public string Name => _environment.PolicyName;

    /// <summary>The pipeline that it was made for, empty when it was made alone.</summary>
    internal string PipelineName => _environment.PipelineName;

    internal AdaptiveConcurrencyLimitOptions Options => Period.Setup.Options;

    /// <summary>How many calls may run now. In a probe it is that of the probe.</summary>
    public int Limit => new AdaptiveLimitWord(Volatile.Read(ref _word)).Limit;

    /// <summary>Calls that run now.</summary>
    public int Running => new AdaptiveLimitWord(Volatile.Read(ref _word)).Running;

    /// <summary>Calls that wait now.</summary>
    public int Waiting => _queue.Count;

    /// <summary>The window that lasts.</summary>
    internal LimitPeriod Period => Volatile.Read(ref _period); // acquire: pairs with the replacement in Begin

    internal ref long Word => ref _word;

    internal Clock Clock => _environment.Clock;

    /// <summary>What the limit has learnt, and what it does now.</summary>
    public AdaptiveLimitSnapshot GetSnapshot()
    {
        LimitPeriod period = Period;
        AdaptiveLimitWord word = new(Volatile.Read(ref _word));
        LimitState state = period.State;
        return new()
        {
            Limit = word.Limit,
            SettledLimit = PlacesOf(state.SettledLimit),
            Running = word.Running,
            WaitingByClass = _queue.CountByClass(),
            Latency = AdaptiveLimitText.Span(state.LatencyMs),
            Baseline = AdaptiveLimitText.Span(state.BaselineMs),
            Gradient = state.Gradient,
            IsProbing = state.IsProbing,
            IsRejecting = period.IsRejecting,
        };
    }

    /// <summary>Whether it rejects calls, or looks for its baseline with few of them.</summary>
    internal bool ShowsOverload => Period is { IsRejecting: true } or { State.IsProbing: true };

    /// <inheritdoc/>
    PolicyStatus IPolicyStatus.GetStatus() => AdaptiveLimitStatus.Of(GetSnapshot());

    /// <summary>Takes a place if one is free for a call of this class. It does not wait, and does not overtake those that do.</summary>
    /// <param name="criticality">The class of the call.</param>
    /// <returns>Null: rejected; <see cref="EnterAsync"/> with no time to wait says why. Otherwise give it back with
    /// <see cref="Leave(LimitPermit, Verdict, bool)"/>, exactly once.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="criticality"/> is undefined.</exception>
    public LimitPermit? TryEnter(Criticality criticality = Criticality.Critical)
    {
        Check(criticality);
        LimitPeriod period = Period; // before the word: a call that begins under an old limit never has the new epoch
        if (TryTake(period, criticality)) return new LimitPermit(period.Epoch, Now);
        period.Counts.CountRejected();
        return null;
    }

    /// <summary>As <see cref="TryEnter"/>, for a caller that asks again with time to wait, so a rejection is not counted. A permit of no epoch:
    /// none.</summary>
    internal LimitPermit TryEnterQuietly(Criticality criticality)
    {
        LimitPeriod period = Period; // before the word, as in TryEnter
        return TryTake(period, criticality) ? new LimitPermit(period.Epoch, Now) : default;
    }

    /// <summary>Takes a place for a call of this class, waiting for one if the options have a queue and there is time.</summary>
    /// <param name="criticality">The class of the call: of those that wait the highest goes first.</param>
    /// <param name="maxWait">How long it may wait at most: what is left until its deadline. Default: as long as the options say; never longer. Zero or less: it
    /// does not wait.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>A permit, to be given back with <see cref="Leave(LimitPermit, Verdict, bool)"/> exactly once, or the reason why there is none.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="criticality"/> is undefined.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled while waiting.</exception>
    public ValueTask<LimitAdmission> EnterAsync(
        Criticality criticality = Criticality.Critical, TimeSpan? maxWait = null, CancellationToken cancellationToken = default)
    {
        Check(criticality);
        return EnterOrWaitAsync(criticality, maxWait, blocksThread: false, cancellationToken);
    }

    internal ValueTask<LimitAdmission> EnterOrWaitAsync(Criticality criticality, TimeSpan? maxWait, bool blocksThread, CancellationToken cancellationToken)
    {
        LimitPeriod period = Period; // before the word, as in TryEnter
        if (TryTake(period, criticality)) return new(new LimitAdmission(new LimitPermit(period.Epoch, Now)));
        QueueTerms terms = period.Setup.Queue;
        if (terms.MaxQueued == 0) return new(Reject(period, AdaptiveLimitReason.NoPlace, criticality));
        long wait = Math.Min(maxWait?.Ticks ?? long.MaxValue, terms.MaxWait);
        if (wait <= 0) return new(Reject(period, AdaptiveLimitReason.WaitedTooLong, criticality));
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<LimitAdmission>(cancellationToken);
        return _queue.WaitAsync(criticality, wait, blocksThread, cancellationToken);
    }

    internal LimitAdmission Reject(LimitPeriod period, AdaptiveLimitReason why, Criticality criticality) => new(CountRejection(period, why, criticality));

    internal AdaptiveLimitRejection CountRejection(LimitPeriod period, AdaptiveLimitReason why, Criticality criticality)
    {
        period.Counts.CountRejected();
        return period.RejectionOf(why, criticality, _environment);
    }

    /// <summary>Gives a place back, and tells how the call ended. The latency is the time since the place was taken.</summary>
    /// <param name="permit">The place.</param>
    /// <param name="verdict">What became of the call. <see cref="Verdict.Success"/> is a sample of latency. A failure without a sign of overload says
    /// nothing: a connection that fails within a millisecond would look like a fast dependency. Nor does what was ignored or rejected.</param>
    /// <param name="isOverloaded">Whether it ended with a sign of overload: 429, 503, cut by a timeout.</param>
    /// <exception cref="ArgumentException">The permit is not one of this limit.</exception>
    /// <exception cref="InvalidOperationException">No place is held: one was given back twice.</exception>
    public void Leave(LimitPermit permit, Verdict verdict, bool isOverloaded = false)
    {
        long now = Now;
        GiveBack(permit);
        Count(permit, verdict, isOverloaded, now - permit.StartTicks, now);
    }

    /// <summary>As <see cref="Leave(LimitPermit, Verdict, bool)"/>, with a latency that the caller has measured: of a call that holds its place beyond its
    /// answer, to the end of a body.</summary>
    /// <inheritdoc cref="Leave(LimitPermit, Verdict, bool)"/>
    /// <param name="permit">The place.</param>
    /// <param name="verdict">What became of the call.</param>
    /// <param name="isOverloaded">Whether it ended with a sign of overload.</param>
    /// <param name="latency">How long the call took until its answer; without the time for which it waited for a place.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="latency"/> is negative.</exception>
    public void Leave(LimitPermit permit, Verdict verdict, bool isOverloaded, TimeSpan latency)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(latency, TimeSpan.Zero);
        GiveBack(permit);
        Count(permit, verdict, isOverloaded, latency.Ticks, Now);
    }

    /// <summary>How long a place has been held.</summary>
    /// <exception cref="ArgumentException">The permit is not one of this limit.</exception>
    public TimeSpan ElapsedSince(LimitPermit permit)
    {
        Check(permit);
        return TimeSpan.FromTicks(Now - permit.StartTicks);
    }

    private void GiveBack(LimitPermit permit)
    {
        Check(permit);
        if (!TryRelease()) throw GivenBackTwice();
    }

    internal InvalidOperationException GivenBackTwice() => new($"{Name}: a place was given back twice.");

    /// <summary>Counts what a call tells, in the window of its epoch or in none; and ends the window if it is time.</summary>
    internal void Count(LimitPermit permit, Verdict verdict, bool isOverloaded, long latencyTicks, long now)
    {
        LimitPeriod period = Period;
        if (ReferenceEquals(permit.EpochOfLimit, period.Epoch) && verdict is Verdict.Success or Verdict.Failure)
        {
            if (isOverloaded) period.Counts.CountOverload();
            else if (verdict == Verdict.Success) period.Counts.CountLatency(latencyTicks, latencyTicks > period.Setup.LatencyTargetTicks);
        }

        if (now >= period.EndTicks) EndWindow(period, now);
    }

    private bool TryTake(LimitPeriod period, Criticality criticality)
    {
        // Acquire: pairs with the compare-and-swaps on this word; what the call before us did in its place is visible.
        AdaptiveLimitWord seen = new(Volatile.Read(ref _word));
        while (seen.MayEnter(period.Setup.Shares.BoundOf(criticality, seen.Limit)))
        {
            long found = Interlocked.CompareExchange(ref _word, seen.Entered.Bits, seen.Bits);
            if (found == seen.Bits)
            {
                Debug.Assert(seen.Running < seen.Limit && !seen.HasWaiting, "No call goes in past the limit or past those that wait.");
                return true;
            }

            seen = new(found);
        }

        return false;
    }

    /// <summary>Gives a place back, and says nothing of the call; false when none is held.</summary>
    internal bool TryRelease()
    {
        AdaptiveLimitWord seen = new(Volatile.Read(ref _word)); // acquire: pairs with the compare-and-swaps on this word
        while (true)
        {
            if (seen.Running == 0) return false;

            // Full fence: what we did in our place is visible before the place is free.
            long found = Interlocked.CompareExchange(ref _word, seen.Left.Bits, seen.Bits);
            if (found == seen.Bits) break;
            seen = new(found);
        }

        if (seen.HasWaiting) _queue.AdmitWaiting();
        return true;
    }

    /// <summary>Ticks of 100 ns since the limit was made.</summary>
    internal long Now => (long)((_environment.Clock.Timestamp - _origin) * _ticksPerStamp);

    private double Draw() => SafeRandomness.Draw(_environment.Randomness, 0.5);

    private static int PlacesOf(LimitState state) => PlacesOf(state.Limit);

    private static int PlacesOf(double limit) => Math.Max(1, (int)limit);

    private static string NameOf(AdaptiveConcurrencyLimitOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.GetName();
    }

    private void Check(LimitPermit permit)
    {
        if (!ReferenceEquals(permit.EpochOfLimit?.Owner, this)) throw new ArgumentException($"{Name}: the permit is not one of this limit.", nameof(permit));
    }

    private static void Check(Criticality criticality)
    {
        if ((uint)criticality >= Classes) throw new ArgumentOutOfRangeException(nameof(criticality), criticality, "A defined class of criticality.");
    }
}
