namespace Resilience;

/// <summary>What happens to a call that has no key.</summary>
public enum WhenKeyIsMissing
{
    /// <summary>It is rejected.</summary>
    Reject = 0,

    /// <summary>It runs like any other call, without protection.</summary>
    RunUnprotected = 1,
}

/// <summary>What was found out about an earlier execution whose claim lapsed.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
public readonly record struct Reconciliation<T>
{
    private Reconciliation(bool? isDone, T? value)
    {
        IsDone = isDone;
        Value = value;
    }

    /// <summary>True: it was done. False: it was not. Null: unknown.</summary>
    public bool? IsDone { get; }

    /// <summary>The result, when it was done.</summary>
    public T? Value { get; }

    /// <summary>It was done, and this is the result: kept, and not executed again.</summary>
    public static Reconciliation<T> Done(T value) => new(true, value);

    /// <summary>It was not done: execute.</summary>
    public static Reconciliation<T> NotDone => new(false, default);

    /// <summary>Unknown: kept as unknown, and not executed again. The content of <c>default</c>.</summary>
    public static Reconciliation<T> Unknown => default;
}

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
        check.Require(Outcomes is not null, nameof(Outcomes), null, "a table");
    }

    internal Func<IdempotencyClaim, CancellationToken, ValueTask<Reconciliation<T>>>? ReconcilerOf<T>() =>
        _reconcilers.GetValueOrDefault(typeof(T)) as Func<IdempotencyClaim, CancellationToken, ValueTask<Reconciliation<T>>>;
}

/// <summary>Adds idempotency to a pipeline.</summary>
public static class IdempotencyPipelineBuilderExtensions
{
    /// <summary>Adds idempotency: a call whose key was used before is not executed, but receives the outcome of the first. Stands outside
    /// the retry, so that all attempts are one claim.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="gate">The gate, which may be shared with other pipelines.</param>
    /// <param name="options">Default: <see cref="IdempotencyPolicyOptions"/> as they come.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> or <paramref name="gate"/> is null.</exception>
    public static TBuilder AddIdempotency<TBuilder>(this TBuilder builder, IdempotencyGate gate, IdempotencyPolicyOptions? options = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(gate);
        IdempotencyPolicyOptions used = options ?? new();
        return builder.AddPolicy(used, environment => new IdempotencyPolicy(gate, used, environment));
    }
}
