namespace Resilience.Idempotency;

/// <content>The two simple forms, without a pipeline.</content>
public sealed partial class IdempotencyGate
{
    /// <summary>Returns what was created under this key, or creates it.</summary>
    /// <param name="key">The key.</param>
    /// <param name="create">Creates it. Receives the claim (fence, derived keys) and a token that is cancelled with the caller and when the
    /// claim is lost.</param>
    /// <param name="serializer">Writes and reads it. Default: simple types.</param>
    /// <param name="fingerprint">What is asked for; see <see cref="Fingerprint.Of(string[])"/>.</param>
    /// <param name="cancellationToken">Cancels the creation and every wait.</param>
    /// <exception cref="IdempotencyRejectedException">It is being created by another caller, or the outcome is unknown, or the store cannot be
    /// asked.</exception>
    /// <exception cref="NotSupportedException">The serializer does not know the type.</exception>
    /// <remarks>What <paramref name="create"/> throws comes out. The key is free again if nothing can have been done, and held until the lease ends
    /// otherwise; see <see cref="IdempotencyOutcomes"/>.</remarks>
    public async ValueTask<T> GetOrAddAsync<T>(
        IdempotencyKey key,
        Func<IdempotencyClaim, CancellationToken, ValueTask<T>> create,
        IIdempotencySerializer? serializer = null,
        Fingerprint fingerprint = default,
        CancellationToken cancellationToken = default)
    {
        SimpleCalls.CreateState<T> state = new(create, Classifier);
        Outcome<T> outcome = await SimpleCalls.CreateAsync(this, key, state, serializer, fingerprint, cancellationToken).ConfigureAwait(false);
        return outcome.GetValueOrThrow();
    }

    /// <summary>As <see cref="GetOrAddAsync"/>, and says whether the value was created now: for callers that answer 201 the first time and 200 afterwards,
    /// or count what was created.</summary>
    /// <inheritdoc cref="GetOrAddAsync"/>
    public async ValueTask<IdempotentValue<T>> GetOrAddWithOriginAsync<T>(
        IdempotencyKey key,
        Func<IdempotencyClaim, CancellationToken, ValueTask<T>> create,
        IIdempotencySerializer? serializer = null,
        Fingerprint fingerprint = default,
        CancellationToken cancellationToken = default)
    {
        SimpleCalls.CreateState<T> state = new(create, Classifier);
        Outcome<T> outcome = await SimpleCalls.CreateAsync(this, key, state, serializer, fingerprint, cancellationToken).ConfigureAwait(false);
        return new(outcome.GetValueOrThrow(), state.Claim is not { HasConverged: false });
    }

    /// <summary>Processes a message that may be delivered more than once.</summary>
    /// <param name="message">The scope is the name of the consumer, the key that of the message.</param>
    /// <param name="process">Processes it. Receives the claim (fence, derived keys) and a token that is cancelled with the caller and when
    /// the claim is lost.</param>
    /// <param name="fingerprint">What the message says, if a key might be used twice.</param>
    /// <param name="cancellationToken">Cancels the processing and every wait.</param>
    /// <exception cref="IdempotencyRejectedException">The store cannot be asked: let the message be delivered again.</exception>
    /// <remarks>What <paramref name="process"/> throws comes out, and the next delivery processes it again, at once (after a timeout or a cancellation
    /// when the lease has ended), at most <see cref="IdempotencyOptions.MaxAttempts"/> times in all; then the answer is
    /// <see cref="MessageResult.Poison"/>. A rejection of ours (an open circuit) is not counted.</remarks>
    public ValueTask<MessageResult> ProcessOnceAsync(
        IdempotencyKey message,
        Func<IdempotencyClaim, CancellationToken, ValueTask> process,
        Fingerprint fingerprint = default,
        CancellationToken cancellationToken = default) => SimpleCalls.ProcessOnceAsync(this, message, process, fingerprint, cancellationToken);
}
