using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>How a pipeline's calls use their keys.</summary>
public sealed class IdempotencyPolicyOptions : PolicyOptions
{
    private readonly Dictionary<Type, Delegate> _reconcilers = [];

    /// <summary>Finds the key of a call; null: it has none. Default: <see cref="IdempotencyKey.Property"/> in the properties of the call.</summary>
    public Func<ResilienceContext, IdempotencyKey?>? KeyFor { get; set; }

    /// <summary>Finds what the call asks for, so that a key that is used again for something else is noticed. Default:
    /// <see cref="Fingerprint.Property"/> in the properties of the call, or none.</summary>
    public Func<ResilienceContext, Fingerprint>? FingerprintFor { get; set; }

    /// <summary>What happens to a call without a key. Default <see cref="WhenKeyIsMissing.Reject"/>.</summary>
    public WhenKeyIsMissing WhenKeyIsMissing { get; set; }

    /// <summary>Writes and reads results. Default: simple types (<see cref="JsonIdempotencySerializer.Simple"/>).</summary>
    public IIdempotencySerializer Serializer { get; set; } = JsonIdempotencySerializer.Simple;

    /// <summary>What is done with the key for each outcome. Default: <see cref="IdempotencyOutcomes.Default"/>.</summary>
    public IdempotencyOutcomes Outcomes { get; set; } = IdempotencyOutcomes.Default;

    /// <summary>True: a caller who cancels stops waiting for nothing: the call runs to its end and its outcome is kept. Default false: the call
    /// is cancelled with its caller, and its key is held until the lease ends.</summary>
    public bool IgnoreCallersCancellation { get; set; }

    /// <summary>For messages, which are delivered again at once: a failure is counted as an attempt, and the next may take over without waiting.</summary>
    internal bool CountsFailures { get; init; }

    /// <inheritdoc/>
    protected internal override string Kind => "idempotency";

    /// <summary>Asked when a call of this result type takes the place of one whose claim lapsed: was it done? What it throws ends the call
    /// and holds the key.</summary>
    /// <returns>These options.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="reconcile"/> is null.</exception>
    public IdempotencyPolicyOptions ReconcileWith<T>(Func<IdempotencyClaim, CancellationToken, ValueTask<Reconciliation<T>>> reconcile)
    {
        ArgumentNullException.ThrowIfNull(reconcile);
        _reconcilers[typeof(T)] = reconcile;
        return this;
    }

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Defined(nameof(WhenKeyIsMissing), WhenKeyIsMissing);
        check.Require(Serializer is not null, nameof(Serializer), null, "a serializer");
        check.Require(Outcomes is not null, nameof(Outcomes), null, "an IdempotencyOutcomes, not null");
    }

    internal Func<IdempotencyClaim, CancellationToken, ValueTask<Reconciliation<T>>>? ReconcilerOf<T>() =>
        _reconcilers.GetValueOrDefault(typeof(T)) as Func<IdempotencyClaim, CancellationToken, ValueTask<Reconciliation<T>>>;
}
