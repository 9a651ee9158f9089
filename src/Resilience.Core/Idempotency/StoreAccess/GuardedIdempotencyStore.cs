namespace Resilience.Idempotency;

/// <summary>A store behind a pipeline of ours: a circuit breaker, say, so that a store that is down is not asked by every call, and who asks
/// hears at once.</summary>
/// <remarks>
/// Every operation may be repeated safely, so a retry is allowed inside; the gate asks again by itself, though. The gate puts its own bound in
/// time inside the pipeline, so a breaker sees a store that hangs. A rejection of the pipeline is
/// <see cref="IdempotencyStoreFault.Unavailable"/>, and a claim is not asked for again then. Give the pipeline <see cref="Classifier"/>: what a
/// store holds is not what it suffers from. Thread-safe as its parts are.
/// </remarks>
public sealed class GuardedIdempotencyStore : IResolvableIdempotencyStore
{
    private readonly IIdempotencyStore _inner;
    private readonly ResiliencePipeline _pipeline;

    /// <summary>Puts a pipeline before a store.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public GuardedIdempotencyStore(IIdempotencyStore inner, ResiliencePipeline pipeline)
    {
        ArgumentNullException.ThrowIfNull(inner);
        ArgumentNullException.ThrowIfNull(pipeline);
        _inner = inner;
        _pipeline = pipeline;
    }

    /// <summary>Counts as failures only what says that the store is ill: unavailable, full. A damaged record, a missing table and a mistake
    /// of the caller do not open a circuit.</summary>
    public static OutcomeClassifier Classifier { get; } = OutcomeClassifier.Default.Table(
        "idempotency store",
        static table => table.On<IdempotencyStoreException>(
            static failed => failed.Fault is IdempotencyStoreFault.Corrupt or IdempotencyStoreFault.Misconfigured ? Verdict.Ignored : Verdict.Failure));

    /// <summary>The store behind the pipeline.</summary>
    internal IIdempotencyStore Inner => _inner;

    /// <summary>The pipeline before the store.</summary>
    public ResiliencePipeline Pipeline => _pipeline;

    /// <inheritdoc/>
    public IdempotencyStoreTraits Traits => _inner.Traits;

    /// <inheritdoc/>
    public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default) =>
        RunAsync((_inner, request), static (s, token) => s._inner.TryAcquireAsync(s.request, token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default) =>
        RunAsync((_inner, id, fence, lease), static (s, token) => s._inner.RenewAsync(s.id, s.fence, s.lease, token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default) => RunAsync(
            (_inner, id, fence, completion, payload, retention),
            static (s, token) => s._inner.CompleteAsync(s.id, s.fence, s.completion, s.payload, s.retention, token),
            cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) =>
        RunAsync((_inner, id, fence), static (s, token) => s._inner.ReleaseAsync(s.id, s.fence, token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) =>
        RunAsync((_inner, id), static (s, token) => s._inner.PeekAsync(s.id, token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default) =>
        RunAsync((_inner, max), static (s, token) => s._inner.PurgeAsync(s.max, token), cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="NotSupportedException">The store behind the pipeline cannot do it.</exception>
    public ValueTask<ResolveResult> ResolveRecordAsync(ResolveRequest request, CancellationToken cancellationToken = default) =>
        RunAsync((Resolvable(_inner), request), static (s, token) => s.Item1.ResolveRecordAsync(s.request, token), cancellationToken);

    private async ValueTask<TResult> RunAsync<TState, TResult>(
        TState state, Func<TState, CancellationToken, ValueTask<TResult>> ask, CancellationToken cancellationToken)
    {
        try
        {
            return await _pipeline.ExecuteAsync(ask, state, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception rejected) when (rejected is ResilienceException or TimeoutException)
        {
            throw new IdempotencyStoreException(
                IdempotencyStoreFault.Unavailable, $"The store '{Traits.Name}' is not asked: {Safely.MessageOf(rejected)}", rejected);
        }
    }

    /// <summary>The store as one in which records can be resolved.</summary>
    /// <exception cref="NotSupportedException">It is none.</exception>
    internal static IResolvableIdempotencyStore Resolvable(IIdempotencyStore store) => store as IResolvableIdempotencyStore
        ?? throw new NotSupportedException($"The store '{store.Traits.Name}' has no way to resolve a record: it is no {nameof(IResolvableIdempotencyStore)}.");
}
