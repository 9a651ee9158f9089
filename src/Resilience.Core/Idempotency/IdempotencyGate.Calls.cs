namespace Resilience.Idempotency;

/// <content>The two simple forms, without a pipeline.</content>
public sealed partial class IdempotencyGate
{
    private readonly IdempotencyPolicyOptions _simple = new(), _messages = new() { CountsFailures = true };

    internal IdempotencyOptions Options => _options;

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
        Outcome<T> outcome = await CreateAsync(key, new CreateState<T>(create, Classifier), serializer, fingerprint, cancellationToken).ConfigureAwait(false);
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
        CreateState<T> state = new(create, Classifier);
        Outcome<T> outcome = await CreateAsync(key, state, serializer, fingerprint, cancellationToken).ConfigureAwait(false);
        return new(outcome.GetValueOrThrow(), state.Claim is not { HasConverged: false });
    }

    private ValueTask<Outcome<T>> CreateAsync<T>(
        IdempotencyKey key, CreateState<T> state, IIdempotencySerializer? serializer, Fingerprint fingerprint, CancellationToken cancellationToken)
    {
        IdempotencyPolicyOptions options = serializer is null ? _simple : new() { Serializer = serializer };
        IdempotentExecution<T> execution = new(this, _environment, options);
        return execution.RunAsync(key.ToId(), fingerprint, state, static (s, claim, stop) => s.RunAsync(claim, stop), cancellationToken);
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
    public async ValueTask<MessageResult> ProcessOnceAsync(
        IdempotencyKey message,
        Func<IdempotencyClaim, CancellationToken, ValueTask> process,
        Fingerprint fingerprint = default,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(process);
        IdempotentExecution<Nothing> execution = new(this, _environment, _messages);
        ProcessState state = new(process, Classifier);
        Outcome<Nothing> outcome = await execution.RunAsync(
            message.ToId(), fingerprint, state, static (s, claim, stop) => s.RunAsync(claim, stop), cancellationToken).ConfigureAwait(false);
        if (outcome.IsSuccess) return state.HasRun ? MessageResult.Processed : MessageResult.SeenBefore;
        if (outcome.Rejection is IdempotencyRejection rejection)
        {
            switch (rejection.Why)
            {
                case IdempotencyRejectionReason.ResultNotKept:
                    return MessageResult.SeenBefore;
                case IdempotencyRejectionReason.Busy or IdempotencyRejectionReason.ClaimLost or IdempotencyRejectionReason.Stopping:
                    return MessageResult.InProgress;
                case IdempotencyRejectionReason.OutcomeUnknown when rejection.AreAttemptsUsedUp:
                    return MessageResult.Poison;
                case IdempotencyRejectionReason.OutcomeUnknown or IdempotencyRejectionReason.Unreadable or IdempotencyRejectionReason.KeyReused:
                    return MessageResult.Unknown;
            }
        }

        outcome.GetValueOrThrow();
        return MessageResult.Unknown; // not reached: an outcome without a result throws
    }

    private static async ValueTask<Outcome<T>> CaughtAsync<T>(
        Func<IdempotencyClaim, CancellationToken, ValueTask<T>> create, IdempotencyClaim claim, OutcomeClassifier classifier, CancellationToken stop)
    {
        try
        {
            return Outcome.Success(await create(claim, stop).ConfigureAwait(false));
        }
        catch (Exception error)
        {
            return Outcome.Failure<T>(error, classifier.Classify(error, stop.IsCancellationRequested));
        }
    }

    /// <summary>One call that creates a value unless there is one.</summary>
    private sealed class CreateState<T>
    {
        private readonly Func<IdempotencyClaim, CancellationToken, ValueTask<T>> _create;
        private readonly OutcomeClassifier _classifier;

        internal CreateState(Func<IdempotencyClaim, CancellationToken, ValueTask<T>> create, OutcomeClassifier classifier)
        {
            ArgumentNullException.ThrowIfNull(create);
            (_create, _classifier) = (create, classifier);
        }

        /// <summary>Under which it was created; null when it was not.</summary>
        internal IdempotencyClaim? Claim { get; private set; }

        internal ValueTask<Outcome<T>> RunAsync(IdempotencyClaim claim, CancellationToken stop)
        {
            Claim = claim;
            return CaughtAsync(_create, claim, _classifier, stop);
        }
    }

    private sealed class ProcessState(Func<IdempotencyClaim, CancellationToken, ValueTask> process, OutcomeClassifier classifier)
    {
        internal bool HasRun { get; private set; }

        internal ValueTask<Outcome<Nothing>> RunAsync(IdempotencyClaim claim, CancellationToken stop)
        {
            HasRun = true;
            return CaughtAsync(ProcessAsync, claim, classifier, stop);
        }

        private async ValueTask<Nothing> ProcessAsync(IdempotencyClaim claim, CancellationToken stop)
        {
            await process(claim, stop).ConfigureAwait(false);
            return default;
        }
    }
}
