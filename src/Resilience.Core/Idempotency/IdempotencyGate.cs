using System.Diagnostics.Metrics;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Sees to it that an operation is done once: the first caller with a key receives a claim, later ones the outcome.</summary>
/// <remarks>
/// <para>What it promises: at most one execution for each lease, as long as the store keeps its state; the outcome that is recorded is one
/// for ever (until the retention has passed). That the <em>effect</em> happens once needs one thing more: the record committed in the
/// same transaction as the effect, or a <see cref="IdempotencyClaim.DeriveKey">derived key</see> sent to the next service, or the
/// <see cref="IdempotencyClaim.Fence"/> checked by the resource.</para>
/// <para>Duplicates in the same process share one question to the store, and one outcome. Thread-safe. Make one for each store and share
/// it between pipelines, endpoints and consumers: their keys are apart by scope. Dispose it to stop renewing.</para>
/// </remarks>
public sealed partial class IdempotencyGate : IDisposable
{
    private readonly ClaimTable _claims = new();
    private readonly IdempotencyOptions _options;
    private readonly PolicyEnvironment _environment;
    private readonly TimeProvider _time;
    private readonly Clock _clock;
    private readonly StoreCalls _store;
    private readonly LeaseKeeper _keeper;
    private readonly ReplayCache? _replays;
    private readonly long _nonceBase;
    private long _numbers; // of the claims that were asked for
    private int _waiters;
    private long _purgeAt;

    /// <summary>Makes a gate before a store.</summary>
    /// <param name="store">The store. Default: one in the memory of this process.</param>
    /// <param name="options">Default: <see cref="IdempotencyOptions"/> as they come. Read once, now.</param>
    /// <param name="timeProvider">Time for waits and renewals; records live on the store's own clock. Default: the system's.</param>
    /// <param name="randomness">Spreads renewals and waits. Default: <see cref="Randomness.Shared"/>.</param>
    /// <param name="listener">Hears the events of the gate. It runs on the thread of a call, so keep it short.</param>
    /// <param name="meterFactory">Where the meter of the metrics comes from. Default: the meter of the process.</param>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public IdempotencyGate(
        IIdempotencyStore? store = null,
        IdempotencyOptions? options = null,
        TimeProvider? timeProvider = null,
        Randomness? randomness = null,
        Action<ResilienceEvent>? listener = null,
        IMeterFactory? meterFactory = null)
        : this(Prepare(store, options, timeProvider, randomness, listener, meterFactory))
    {
    }

    private IdempotencyGate((IIdempotencyStore Store, IdempotencyOptions Options, PolicyEnvironment Environment) parts)
        : this(parts.Store, parts.Options, parts.Environment)
    {
    }

    private IdempotencyGate(IIdempotencyStore store, IdempotencyOptions options, PolicyEnvironment environment, IdempotencyGate? of = null)
    {
        _options = options;
        _environment = environment;
        _clock = environment.Clock;
        _time = _clock.Time;
        Name = environment.PolicyName;
        Store = store;
        _store = new(Store, _options, _environment);
        _keeper = new(_claims, _options, _clock, _environment.Randomness, RenewAsync, LoseClaim);
        _purgeAt = _options.PurgeInterval == TimeSpan.Zero || _store.Traits.IsImmediate ? Clock.Never : Clock.After(_clock.NowMs, _options.PurgeInterval);
        if (!_store.Traits.IsImmediate && _options.ReplayCacheTime > TimeSpan.Zero) _replays = of is null ? new(_options) : of._replays;
        Guid seed = Guid.NewGuid();
        _nonceBase = BitConverter.ToInt64(seed.ToByteArray(), 8);
        _numbers = BitConverter.ToInt64(seed.ToByteArray(), 0);
    }

    private static (IIdempotencyStore Store, IdempotencyOptions Options, PolicyEnvironment Environment) Prepare(
        IIdempotencyStore? store, IdempotencyOptions? options, TimeProvider? timeProvider, Randomness? randomness, Action<ResilienceEvent>? listener,
            IMeterFactory? meterFactory)
    {
        IdempotencyOptions copy = (options ?? new()).Copy();
        copy.ThrowIfInvalid();
        Clock clock = Clock.For(timeProvider ?? TimeProvider.System);
        PolicyEnvironment environment = new(
            "", copy.Name ?? copy.Kind, clock, randomness ?? Randomness.Shared, OutcomeClassifier.Default, listener is null ? [] : [new(listener)],
                ResilienceTelemetry.MeterOf(meterFactory));
        return (store ?? new InMemoryIdempotencyStore(timeProvider: clock.Time), copy, environment);
    }

    /// <summary>The name in telemetry and rejections.</summary>
    public string Name { get; }

    /// <summary>The store behind it.</summary>
    public IIdempotencyStore Store { get; }

    /// <summary>How many duplicates wait in this process now.</summary>
    public int Waiting => Volatile.Read(ref _waiters);

    /// <summary>How many keys this process asks for or holds now.</summary>
    internal int Flights => _claims.Leading;

    /// <summary>How many completed keys this process answers by itself now.</summary>
    internal int CachedReplays => _replays?.Count ?? 0;

    internal TimeProvider Time => _time;

    internal OutcomeClassifier Classifier => _environment.Classifier;

    /// <summary>Asks to begin an operation.</summary>
    /// <param name="id">The operation; see <see cref="IdempotencyKey.ToId"/>.</param>
    /// <param name="fingerprint">What is asked for.</param>
    /// <param name="cancellationToken">Ends the wait. A claim that arrives too late is given back.</param>
    /// <returns>An answer. If it has a claim, the caller must end that: complete, release, or hold.</returns>
    /// <exception cref="OperationCanceledException">The caller has left.</exception>
    public ValueTask<IdempotencyResult> EnterAsync(IdempotencyId id, Fingerprint fingerprint, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_clock.NowMs >= Volatile.Read(ref _purgeAt)) PurgeInBackground();
        if (_replays is not null && _replays.TryFind(id, fingerprint, _clock.NowMs, out IdempotencyResult known))
        {
            IdempotencyTelemetry.Answered(_environment, id, known);
            return new(known);
        }

        IdempotencyClaim mine = new(this, id, fingerprint);
        ValueTask<IdempotencyResult> entering = _claims.TryEnter(mine, out ClaimFollowers? followers, out bool isOwned)
            ? LeadAsync(mine, WaitUntil(), cancellationToken)
            : FollowAsync(mine, followers, isOwned, cancellationToken);
        if (!entering.IsCompletedSuccessfully) return AnsweredAsync(id, entering);
        IdempotencyResult entry = entering.Result;
        IdempotencyTelemetry.Answered(_environment, id, entry);
        return new(entry);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        DisposeUnderTerms();
        _keeper.Dispose();
        _store.Dispose();
    }

    private async ValueTask<IdempotencyResult> AnsweredAsync(IdempotencyId id, ValueTask<IdempotencyResult> entering)
    {
        IdempotencyResult entry = await entering.ConfigureAwait(false);
        IdempotencyTelemetry.Answered(_environment, id, entry);
        return entry;
    }

    private long WaitUntil() => _options.WhenInFlight == WhenInFlight.Wait ? Clock.After(_clock.NowMs, _options.MaxWait) : 0;

    /// <summary>Asks the store for all who come with this key at this moment, and goes on asking while it is worth waiting.</summary>
    private ValueTask<IdempotencyResult> LeadAsync(IdempotencyClaim claim, long waitUntil, CancellationToken cancellationToken)
    {
        if (_isStopping) return LookOnlyAsync(claim);
        long asked = _clock.NowMs, number = NextNumber();
        AcquireRequest request = RequestFor(claim, number);
        ValueTask<AcquireResult> acquiring = _store.AcquireAsync(request);
        if (acquiring.IsCompletedSuccessfully)
        {
            AcquireResult answer = acquiring.Result;
            if (answer.Status != AcquireStatus.InFlight) return new(Settle(claim, answer, asked, number));
            acquiring = new(answer);
        }

        return LeadSlowlyAsync(claim, acquiring, asked, number, waitUntil, cancellationToken);
    }

    private async ValueTask<IdempotencyResult> LeadSlowlyAsync(
        IdempotencyClaim claim, ValueTask<AcquireResult> acquiring, long asked, long number, long waitUntil, CancellationToken cancellationToken)
    {
        // Whatever is thrown here, and whenever: the claim leaves the table, or no call of this process could ever begin again.
        Task<AcquireResult> asking = acquiring.AsTask();
        bool isSettled = false;
        try
        {
            for (int pauseMs = 25; ; pauseMs = Math.Min(pauseMs * 8 / 5, 1000))
            {
                AcquireResult answer = await asking.WaitAsync(cancellationToken).ConfigureAwait(false);
                if (answer.Status != AcquireStatus.InFlight || _clock.NowMs >= waitUntil)
                {
                    isSettled = true;
                    return Settle(claim, answer, asked, number);
                }

                await WaitForOtherProcessAsync(claim.Id, answer, pauseMs, waitUntil, cancellationToken).ConfigureAwait(false);
                if (_isStopping)
                {
                    isSettled = true;
                    return await LookOnlyAsync(claim).ConfigureAwait(false);
                }

                asked = _clock.NowMs;
                number = NextNumber();
                asking = _store.AcquireAsync(RequestFor(claim, number)).AsTask();
            }
        }
        catch (IdempotencyStoreException failed)
        {
            isSettled = true;
            return SettleFailure(claim, failed);
        }
        finally
        {
            // We leave (cancelled): what was asked may still be granted, and nothing else would give it back.
            if (!isSettled) _ = LeaveAsync(claim, asking);
        }
    }

    private async Task LeaveAsync(IdempotencyClaim claim, Task<AcquireResult> asking)
    {
        try
        {
            AcquireResult answer = await asking.ConfigureAwait(false);
            if (answer.Status == AcquireStatus.Acquired) await _store.ReleaseAsync(claim.Id, answer.Fence, answer.Attempt).ConfigureAwait(false);
        }
        catch (Exception failed)
        {
            IdempotencyTelemetry.StoreFailed(_environment, "release", failed);
        }
        finally
        {
            Leave(claim, default);
        }
    }

    /// <summary>Looks now and then, with jitter, until the other claim may have ended. What a look shows is a reason to ask, never an answer.</summary>
    private async ValueTask WaitForOtherProcessAsync(
        IdempotencyId id, AcquireResult other, int pauseMs, long waitUntil, CancellationToken cancellationToken)
    {
        long leaseEnd = _clock.NowMs + Math.Max(1, (long)other.RetryAfter.TotalMilliseconds);
        while (true)
        {
            long end = Math.Min(leaseEnd, waitUntil), left = end - _clock.NowMs;
            if (left <= 0) return;
            double pause = Math.Min(left, pauseMs * (0.5 + SafeRandomness.Draw(_environment.Randomness, 0.5)));
            await ClockWait.ForAsync(_clock, TimeSpan.FromMilliseconds(Math.Max(1, pause)), cancellationToken).ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            if (_isStopping) return;
            pauseMs = Math.Min(pauseMs * 8 / 5, 1000);
            try
            {
                PeekResult seen = await _store.PeekAsync(id).ConfigureAwait(false);
                if (seen.State != IdempotencyState.InProgress || seen.Fence != other.Fence) return;
                leaseEnd = _clock.NowMs + Math.Max(1, (long)seen.RetryAfter.TotalMilliseconds);
            }
            catch (IdempotencyStoreException failed) when (failed.IsTransient)
            {
                // The key is held, that much is known: a store that is away for a moment is no reason to give up, or to begin.
            }
        }
    }

    private AcquireRequest RequestFor(IdempotencyClaim claim, long number) => RequestFor(claim.Id, claim.Fingerprint, number);

    private AcquireRequest RequestFor(IdempotencyId id, Fingerprint fingerprint, long number) => new()
    {
        Id = id,
        Fingerprint = fingerprint,
        Nonce = NonceOf(number),
        Lease = _options.Lease,
        Retention = _options.Retention,
        MaxAttempts = _options.MaxAttempts,
    };

    private long NextNumber() => Interlocked.Increment(ref _numbers);

    /// <summary>Unique among all processes: 64 random bits of this gate and a number that starts at random.</summary>
    internal Guid NonceOf(long number)
    {
        Span<long> words = [number, _nonceBase];
        return new(System.Runtime.InteropServices.MemoryMarshal.AsBytes(words));
    }

    /// <summary>Turns the store's answer to a claim into ours, and tells it to those who follow.</summary>
    private IdempotencyResult Settle(IdempotencyClaim claim, in AcquireResult answer, long asked, long number)
    {
        if (answer.Status == AcquireStatus.Acquired)
        {
            claim.Granted(answer, number, asked);
            _keeper.Add(claim)?.Own();
            return IdempotencyResult.Of(claim);
        }

        IdempotencyResult entry = EntryOf(answer);
        if (answer.Status == AcquireStatus.Completed) _replays?.Keep(claim.Id, claim.Fingerprint, entry, asked, answer.KeptFor);

        // Out of time: those who follow may have more of it than we had, and ask for themselves.
        bool asksThemselves = answer.Status == AcquireStatus.InFlight && _options.WhenInFlight == WhenInFlight.Wait;
        Leave(claim, asksThemselves ? default : entry);
        return entry;
    }

    private IdempotencyResult EntryOf(in AcquireResult answer) => answer.Status switch
    {
        AcquireStatus.Completed => IdempotencyResult.Kept(answer.Completion, answer.Payload),
        AcquireStatus.InFlight => IdempotencyResult.Busy(HintFor(answer.RetryAfter)),
        AcquireStatus.Mismatch => IdempotencyResult.KeyReused,
        _ => IdempotencyResult.Abandoned,
    };

    private IdempotencyResult SettleFailure(IdempotencyClaim claim, IdempotencyStoreException failed)
    {
        // Something lies under this id and cannot be read: whatever the options say, it is not executed again.
        if (failed.Fault == IdempotencyStoreFault.Corrupt)
        {
            IdempotencyResult unreadable = IdempotencyResult.Unreadable(failed);
            Leave(claim, unreadable);
            return unreadable;
        }

        if (_options.WhenStoreFails == WhenStoreFails.RunUnprotected)
        {
            // Duplicates here still wait for this one: what this process can see, it still protects.
            claim.GoUnprotected(failed);
            _claims.Own(claim, isRenewed: false, out _)?.Own();
            return IdempotencyResult.Of(claim);
        }

        IdempotencyResult unavailable = IdempotencyResult.Unavailable(failed);
        Leave(claim, unavailable);
        return unavailable;
    }

    /// <summary>Out of the table first: who comes from now on asks the store, which knows what has ended.</summary>
    private void Leave(IdempotencyClaim claim, in IdempotencyResult end) => _claims.Leave(claim)?.End(end);
}
