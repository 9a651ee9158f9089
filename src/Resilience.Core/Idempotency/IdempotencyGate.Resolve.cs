namespace Resilience.Idempotency;

/// <content>The way out for a record whose outcome is unknown.</content>
public sealed partial class IdempotencyGate
{
    /// <summary>Looks at a record, without its result: for a person who is to decide about it.</summary>
    /// <param name="id">The record; see <see cref="IdempotencyKey.ToId"/> and <see cref="IdempotencyId.TryParse"/>.</param>
    /// <exception cref="IdempotencyStoreException">The store could not be asked, or holds something that is no record.</exception>
    public ValueTask<PeekResult> PeekAsync(IdempotencyId id) => _store.PeekAsync(id);

    /// <summary>Decides about a record whose outcome is unknown: its outcome was recorded as unknown, its attempts are used up, or its lease has ended.
    /// From then on duplicates hear what was decided, and a late owner of the record changes nothing.</summary>
    /// <param name="id">The record; see <see cref="IdempotencyKey.ToId"/> and <see cref="IdempotencyId.TryParse"/>.</param>
    /// <param name="resolution">What is known now. It is kept for <see cref="IdempotencyOptions.Retention"/> from now.</param>
    /// <returns>Whether it was decided, or what the record is instead: a result is never changed, and a live claim is left alone.</returns>
    /// <remarks>Nothing is stopped by it: say <see cref="IdempotencyResolution.NotDone"/> only when you know that what had begun the operation runs no
    /// more. Counted in <c>resilience.idempotency.completions</c> as <c>resolved</c>.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="resolution"/> is null.</exception>
    /// <exception cref="NotSupportedException">The store is no <see cref="IResolvableIdempotencyStore"/>.</exception>
    /// <exception cref="IdempotencyStoreException">The store could not be asked in time. Ask again: whether it was decided is not known.</exception>
    public async ValueTask<ResolveResult> ResolveAsync(IdempotencyId id, IdempotencyResolution resolution)
    {
        ArgumentNullException.ThrowIfNull(resolution);
        ResolveResult answer = await _store.ResolveAsync(new()
        {
            Id = id,
            Nonce = NonceOf(NextNumber()),
            Completion = resolution.Completion,
            Fence = resolution.OnlyIfFence,
            Payload = PayloadOf(resolution),
            Retention = _options.Retention,
        }).ConfigureAwait(false);
        ForgetReplay(id);
        if (answer.Status == ResolveStatus.Resolved) IdempotencyTelemetry.Ended(_environment, "resolved");
        return answer;
    }

    /// <summary>Lets this process forget what it has seen of a completed record, so that the next duplicate asks the store: call it after you have erased or
    /// replaced the record there. Other processes do so within <see cref="IdempotencyOptions.ReplayCacheTime"/>.</summary>
    /// <param name="id">The record; see <see cref="IdempotencyKey.ToId"/> and <see cref="IdempotencyId.TryParse"/>.</param>
    public void ForgetReplay(IdempotencyId id) => _replays?.Forget(id, _clock.NowMs);

    /// <summary>The store as one in which records can be resolved.</summary>
    /// <exception cref="NotSupportedException">It is none.</exception>
    internal static IResolvableIdempotencyStore Resolvable(IIdempotencyStore store) => store as IResolvableIdempotencyStore
        ?? throw new NotSupportedException($"The store '{store.Traits.Name}' has no way to resolve a record: it is no {nameof(IResolvableIdempotencyStore)}.");

    private byte[] PayloadOf(IdempotencyResolution resolution)
    {
        // What is given back has nothing to tell; what stays unknown tells that it is unknown.
        if (resolution.Completion != IdempotencyCompletion.Completed) return [];
        IdempotencyPayloadKind kind = resolution.Kind;
        return Frame(ref kind, resolution.Content.Span);
    }
}
