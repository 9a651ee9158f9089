using System.Diagnostics.Metrics;
using System.Globalization;
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
public sealed partial class IdempotencyGate : IDisposable, IPolicyStatus
{
    private readonly ClaimTable _claims = new();
    private readonly IdempotencyOptions _options;
    private readonly PolicyEnvironment _environment;
    private readonly TimeProvider _time;
    private readonly Clock _clock;
    private readonly StoreCalls _store;
    private readonly LeaseKeeper _keeper;
    private readonly ReplayCache? _replays;
    private readonly Duplicates _duplicates;
    private readonly ClaimCompletion _completion;
    private readonly long _nonceBase;
    private long _numbers; // of the claims that were asked for
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
        _duplicates = new(_options, _environment);
        _completion = new(this);
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
    public int Waiting => _duplicates.Waiting;

    /// <inheritdoc/>
    PolicyStatus IPolicyStatus.GetStatus()
    {
        int waiting = Waiting;
        string text = waiting == 1
            ? "1 duplicate waits for the first"
            : string.Create(CultureInfo.InvariantCulture, $"{waiting} duplicates wait for the first");
        return new(PolicyCondition.Ok, text) { Readings = [new("waiting", waiting, "duplicates")] };
    }

    /// <summary>How many keys this process asks for or holds now.</summary>
    internal int Flights => _claims.Leading;

    /// <summary>How many completed keys this process answers by itself now.</summary>
    internal int CachedReplays => _replays?.Count ?? 0;

    internal TimeProvider Time => _time;

    internal Clock Clock => _clock;

    internal IdempotencyOptions Options => _options;

    internal PolicyEnvironment Environment => _environment;

    internal ClaimTable Claims => _claims;

    internal StoreCalls Calls => _store;

    internal LeaseKeeper Keeper => _keeper;

    internal ReplayCache? Replays => _replays;

    internal Duplicates Duplicates => _duplicates;

    internal ClaimCompletion Completion => _completion;

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

        IdempotencyClaim mine = new(_completion, id, fingerprint);
        ValueTask<IdempotencyResult> entering = _claims.TryEnter(mine, out ClaimFollowers? followers, out bool isOwned)
            ? this.LeadAsync(mine, WaitUntil(), cancellationToken)
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

    /// <summary>After a claim was lost: the outcome that another caller recorded, so that all callers are told the same.</summary>
    /// <returns>Replayed or unknown if there is one; otherwise busy.</returns>
    public ValueTask<IdempotencyResult> ReadOutcomeAsync(IdempotencyId id, Fingerprint fingerprint) => this.OutcomeAsync(id, fingerprint);

    internal long NextNumber() => Interlocked.Increment(ref _numbers);

    /// <summary>Unique among all processes: 64 random bits of this gate and a number that starts at random.</summary>
    internal Guid NonceOf(long number)
    {
        Span<long> words = [number, _nonceBase];
        return new(System.Runtime.InteropServices.MemoryMarshal.AsBytes(words));
    }

    /// <summary>Out of the table first: who comes from now on asks the store, which knows what has ended.</summary>
    internal void Leave(IdempotencyClaim claim, in IdempotencyResult end) => _claims.Leave(claim)?.End(end);

    /// <summary>A duplicate of an operation that this process is asking for or doing.</summary>
    /// <param name="mine">Enters the place of the first if that gives up.</param>
    /// <param name="followers">Those of the first; null when the first asks for something else.</param>
    /// <param name="isOwned">Whether the first holds the key.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    private async ValueTask<IdempotencyResult> FollowAsync(
        IdempotencyClaim mine, ClaimFollowers? followers, bool isOwned, CancellationToken cancellationToken)
    {
        long waitUntil = WaitUntil();
        while (true)
        {
            if (followers is null)
            {
                // Known to be another request only when the other one holds the key; until then the store decides, for us alone.
                if (isOwned) return IdempotencyResult.KeyReused;
                return await this.LeadAsync(mine, waitUntil, cancellationToken).ConfigureAwait(false);
            }

            IdempotencyResult? entry = await _duplicates.WaitForAsync(followers, waitUntil, cancellationToken).ConfigureAwait(false);
            if (entry is not { } known) return IdempotencyResult.InFlight(_duplicates.MinRetryAfter);
            if (known.Status != IdempotencyStatus.None) return known;

            // The first gave up: one of those who waited takes its place, the others follow that one.
            if (_claims.TryEnter(mine, out followers, out isOwned)) return await this.LeadAsync(mine, waitUntil, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Whether the store takes part in transactions (<see cref="ITransactionalIdempotencyStore"/>).</summary>
    public bool HasTransactions => ClaimCompletion.TransactionalOf(Store) is not null;

    private async ValueTask<bool> RenewAsync(IdempotencyClaim claim)
    {
        try
        {
            bool isHeld = await _store.RenewAsync(claim).ConfigureAwait(false);
            claim.RenewalError = null;
            return isHeld;
        }
        catch (Exception failed)
        {
            claim.RenewalError = failed;
            IdempotencyTelemetry.StoreFailed(_environment, "renew", failed, claim.Id);
            throw;
        }
    }

    private void LoseClaim(IdempotencyClaim claim)
    {
        // A renewal that crossed with the completion: the record is no longer in progress because it was completed, by us.
        if (claim.HasEnded) return;
        IdempotencyTelemetry.Lost(_environment, claim);

        // Those who wait here may ask the store again: another caller may hold the key, or none.
        Leave(claim, default);
        claim.Lose();
    }

    /// <summary>One caller in an interval starts a sweep, and does not wait for it.</summary>
    private void PurgeInBackground()
    {
        long due = Volatile.Read(ref _purgeAt), now = _clock.NowMs;
        if (now < due || Interlocked.CompareExchange(ref _purgeAt, Clock.After(now, _options.PurgeInterval), due) != due) return;
        ThreadPool.UnsafeQueueUserWorkItem(static gate => _ = gate._completion.PurgeAsync(), this, preferLocal: false);
    }
}
