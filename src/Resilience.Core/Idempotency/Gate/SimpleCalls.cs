namespace Resilience.Idempotency;

/// <summary>The two simple forms, without a pipeline: a value that is created once, a message that is processed once.</summary>
internal static class SimpleCalls
{
    private static readonly IdempotencyPolicyOptions Simple = new(), Messages = new() { CountsFailures = true };

    internal static ValueTask<Outcome<T>> CreateAsync<T>(
        IdempotencyGate gate, IdempotencyKey key, CreateState<T> state, IIdempotencySerializer? serializer, Fingerprint fingerprint,
        CancellationToken cancellationToken)
    {
        IdempotencyPolicyOptions options = serializer is null ? Simple : new() { Serializer = serializer };
        IdempotentExecution<T> execution = new(gate, gate.Environment, options);
        return execution.RunAsync(key.ToId(), fingerprint, state, static (s, claim, stop) => s.RunAsync(claim, stop), cancellationToken);
    }

    internal static async ValueTask<MessageResult> ProcessOnceAsync(
        IdempotencyGate gate,
        IdempotencyKey message,
        Func<IdempotencyClaim, CancellationToken, ValueTask> process,
        Fingerprint fingerprint,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(process);
        IdempotentExecution<Nothing> execution = new(gate, gate.Environment, Messages);
        ProcessState state = new(process, gate.Classifier);
        Outcome<Nothing> outcome = await execution.RunAsync(
            message.ToId(), fingerprint, state, static (s, claim, stop) => s.RunAsync(claim, stop), cancellationToken).ConfigureAwait(false);
        if (outcome.IsSuccess) return state.HasRun ? MessageResult.Processed : MessageResult.SeenBefore;
        if (outcome.Rejection is IdempotencyRejection rejection)
        {
            switch (rejection.Why)
            {
                case IdempotencyRejectionReason.ResultNotKept:
                    return MessageResult.SeenBefore;
                case IdempotencyRejectionReason.InFlight or IdempotencyRejectionReason.ClaimLost or IdempotencyRejectionReason.Stopping:
                    return MessageResult.InFlight;
                case IdempotencyRejectionReason.OutcomeUnknown when rejection.AreAttemptsUsedUp:
                    return MessageResult.Poison;
                case IdempotencyRejectionReason.OutcomeUnknown or IdempotencyRejectionReason.Unreadable or IdempotencyRejectionReason.KeyReused:
                    return MessageResult.OutcomeUnknown;
            }
        }

        outcome.GetValueOrThrow();
        return MessageResult.OutcomeUnknown; // not reached: an outcome without a result throws
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
    internal sealed class CreateState<T>
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
