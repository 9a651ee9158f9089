using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>One call with a key, from the question to the store to the outcome: the same for pipelines, values and messages.</summary>
internal sealed class IdempotentExecution<T>
{
    private static readonly bool HasNoResult = typeof(T) == typeof(Nothing);

    private readonly IdempotencyGate _gate;
    private readonly PolicyEnvironment _environment;
    private readonly IdempotencyPolicyOptions _options;
    private readonly Func<IdempotencyClaim, CancellationToken, ValueTask<Reconciliation<T>>>? _reconcile;
    private readonly string? _problem;

    internal IdempotentExecution(IdempotencyGate gate, PolicyEnvironment environment, IdempotencyPolicyOptions options)
    {
        _gate = gate;
        _environment = environment;
        _options = options;
        _reconcile = options.ReconcilerOf<T>();
        if (!HasNoResult && !options.Serializer.CanSerialize(typeof(T)))
        {
            _problem = $"{environment.PolicyName}: results of type {typeof(T)} cannot be kept, because the serializer does not know the type. "
                + $"Give the options a {nameof(JsonIdempotencySerializer)} with a JsonSerializerContext that has it.";
        }
    }

    /// <summary>Answers with the outcome of the first call, or makes this the first. Never throws.</summary>
    /// <param name="id">The key.</param>
    /// <param name="fingerprint">Of what is asked.</param>
    /// <param name="state">For the delegate.</param>
    /// <param name="execute">The operation.</param>
    /// <param name="caller">Cancelled when the caller leaves.</param>
    /// <param name="synchronous">The context of a synchronous call, whose thread waits; null where none does.</param>
    internal async ValueTask<Outcome<T>> RunAsync<TState>(
        IdempotencyId id,
        Fingerprint fingerprint,
        TState state,
        Func<TState, IdempotencyClaim, CancellationToken, ValueTask<Outcome<T>>> execute,
        CancellationToken caller,
        ResilienceContext? synchronous = null)
    {
        // Before anything is done: a result that cannot be kept is found out too late.
        if (_problem is not null) return Outcome.Failure<T>(new NotSupportedException(_problem), Verdict.Ignored);
        IdempotencyResult entry;
        try
        {
            entry = await EnterAsync(id, fingerprint, synchronous, caller).ConfigureAwait(false);
        }
        catch (OperationCanceledException left)
        {
            return Cancelled.PutBack(Outcome.Failure<T>(left, Verdict.Ignored), caller);
        }

        if (entry.Claim is not { } claim) return ResultOf(id, entry);

        // Whatever happens in here, the claim ends: one that stays open is renewed, and no process could ever begin again.
        await using ConfiguredAsyncDisposable held = claim.ConfigureAwait(false);
        Outcome<T> outcome;
        using (CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(
            claim.LeaseLost, _options.IgnoreCallersCancellation ? CancellationToken.None : caller))
        {
            if (claim.TookOver && _reconcile is not null && await ReconcileAsync(claim, stop.Token).ConfigureAwait(false) is { } reconciled) return reconciled;
            outcome = Cancelled.PutBack(await execute(state, claim, stop.Token).ConfigureAwait(false), caller);
        }

        return await (synchronous is null
            ? FinishAsync(claim, outcome)
            : synchronous.BeginSettled((this, claim, outcome), static of => of.Item1.FinishAsync(of.claim, of.outcome)))
            .ConfigureAwait(false);
    }

    /// <summary>The thread of a synchronous call waits for the store here, and goes on itself with the operation.</summary>
    private ValueTask<IdempotencyResult> EnterAsync(IdempotencyId id, Fingerprint fingerprint, ResilienceContext? synchronous, CancellationToken caller) =>
        synchronous is null
            ? _gate.EnterAsync(id, fingerprint, caller)
            : synchronous.BeginSettled(
                (_gate, id, fingerprint, caller), static of => of._gate.EnterAsync(of.id, of.fingerprint, of.caller));

    private async ValueTask<Outcome<T>> FinishAsync(IdempotencyClaim claim, Outcome<T> outcome)
    {
        IdempotencyFinish finish;
        switch (_options.Outcomes.Judge(outcome, claim.IsPastPointOfNoReturn, claim.WasRepeated))
        {
            case IdempotencyDisposition.Keep:
                finish = await KeepAsync(claim, outcome).ConfigureAwait(false);
                break;
            case IdempotencyDisposition.Release:
                bool isCounted = _options.CountsFailures && outcome.Verdict != Verdict.Rejected;
                finish = await (isCounted ? claim.LapseAsync() : claim.ReleaseAsync()).ConfigureAwait(false);
                break;
            case IdempotencyDisposition.Hold when _options.CountsFailures && outcome.Error is not (TimeoutException or OperationCanceledException):
                finish = await claim.LapseAsync().ConfigureAwait(false);
                break;
            case IdempotencyDisposition.KeepAsOutcomeUnknown:
                finish = await claim.CompleteAsUnknownAsync(IdempotencyPayloadKind.Error, ErrorOf(outcome)).ConfigureAwait(false);
                break;
            default:
                claim.Hold();
                finish = claim.IsLost ? IdempotencyFinish.Lost : IdempotencyFinish.Kept;
                break;
        }

        return finish == IdempotencyFinish.Lost ? await ConvergeAsync(claim, outcome).ConfigureAwait(false) : outcome;
    }

    /// <summary>Another caller took over. What it recorded is the outcome, for us as well; if it is still executing, ours is all there is.</summary>
    private async ValueTask<Outcome<T>> ConvergeAsync(IdempotencyClaim claim, Outcome<T> own)
    {
        IdempotencyResult entry = await _gate.ReadOutcomeAsync(claim.Id, claim.Fingerprint).ConfigureAwait(false);
        if (entry.Status is IdempotencyStatus.Replayed or IdempotencyStatus.OutcomeUnknown)
        {
            own.Discard();
            claim.HasConverged = true;
            return ResultOf(claim.Id, entry);
        }

        return own.Error is OperationCanceledException ? Reject(IdempotencyRejectionReason.ClaimLost, claim.Id, entry) : own;
    }

    private async ValueTask<Outcome<T>?> ReconcileAsync(IdempotencyClaim claim, CancellationToken stop)
    {
        try
        {
            Reconciliation<T> found = await _reconcile!(claim, stop).ConfigureAwait(false);
            if (found.IsDone == false) return null;
            if (found.IsDone == true) return await FinishAsync(claim, Outcome.Success(found.Value!)).ConfigureAwait(false);
            await claim.CompleteAsUnknownAsync().ConfigureAwait(false);
            return Reject(IdempotencyRejectionReason.OutcomeUnknown, claim.Id, default);
        }
        catch (Exception error)
        {
            await claim.DisposeAsync().ConfigureAwait(false);
            return Outcome.Failure<T>(error, _environment.Classifier.Classify(error, stop.IsCancellationRequested));
        }
    }

    private ValueTask<IdempotencyFinish> KeepAsync(IdempotencyClaim claim, in Outcome<T> outcome)
    {
        if (!outcome.HasResult) return claim.CompleteAsync(IdempotencyPayloadKind.Error, ErrorOf(outcome));
        if (HasNoResult) return claim.CompleteAsync(IdempotencyPayloadKind.Value, default);
        ArrayBufferWriter<byte> content = new();
        try
        {
            _options.Serializer.Serialize(content, outcome.RawValue!);
        }
        catch (Exception error)
        {
            // The operation is done; that its result cannot be written must not cause a second execution.
            Safely.Report("idempotency serializer", error);
            return claim.CompleteAsync(IdempotencyPayloadKind.DoneWithoutResult, default);
        }

        return claim.CompleteAsync(IdempotencyPayloadKind.Value, content.WrittenMemory);
    }

    private static byte[] ErrorOf(in Outcome<T> outcome)
    {
        Exception? error = outcome.Exception;
        return Encoding.UTF8.GetBytes(error is null ? "result\n" : $"{error.GetType().FullName}\n{Safely.MessageOf(error)}");
    }

    private Outcome<T> ResultOf(IdempotencyId id, in IdempotencyResult entry) => (entry.Status, entry.Kind) switch
    {
        (IdempotencyStatus.Replayed, IdempotencyPayloadKind.Value) => ValueOf(id, entry),
        (IdempotencyStatus.Replayed, IdempotencyPayloadKind.Error) => RecordedError(entry.Content),
        (IdempotencyStatus.Replayed, IdempotencyPayloadKind.DoneWithoutResult) => Reject(IdempotencyRejectionReason.ResultNotKept, id, entry),
        (IdempotencyStatus.Replayed or IdempotencyStatus.Unreadable, _) => Reject(IdempotencyRejectionReason.Unreadable, id, entry),
        (IdempotencyStatus.InFlight, _) => Reject(IdempotencyRejectionReason.InFlight, id, entry),
        (IdempotencyStatus.KeyReused, _) => Reject(IdempotencyRejectionReason.KeyReused, id, entry),
        (IdempotencyStatus.OutcomeUnknown, _) => Reject(IdempotencyRejectionReason.OutcomeUnknown, id, entry),
        (IdempotencyStatus.Stopping, _) => Reject(IdempotencyRejectionReason.Stopping, id, entry),
        _ => Reject(IdempotencyRejectionReason.StoreUnavailable, id, entry),
    };

    private Outcome<T> ValueOf(IdempotencyId id, in IdempotencyResult entry)
    {
        if (HasNoResult) return Outcome.Success<T>(default!);
        try
        {
            return Outcome.Success(_options.Serializer.Deserialize<T>(entry.Content.Span)!);
        }
        catch (Exception error)
        {
            Safely.Report("idempotency serializer", error);
            return Reject(IdempotencyRejectionReason.Unreadable, id, entry);
        }
    }

    private static Outcome<T> RecordedError(ReadOnlyMemory<byte> content)
    {
        string text = Encoding.UTF8.GetString(content.Span);
        int end = text.IndexOf('\n', StringComparison.Ordinal);
        return Outcome.Failure<T>(new RecordedErrorException(end < 0 ? "" : text[..end], end < 0 ? text : text[(end + 1)..]), Verdict.Ignored);
    }

    private Outcome<T> Reject(IdempotencyRejectionReason why, IdempotencyId id, in IdempotencyResult entry)
    {
        IdempotencyRejection rejection = new(
            _environment.PipelineName, _environment.PolicyName, why, _gate.Time, id.ToString(),
            entry.RetryAfter > TimeSpan.Zero ? entry.RetryAfter : null, entry.Error, entry.AreAttemptsUsedUp);
        IdempotencyTelemetry.Rejected(_environment, rejection);
        return Outcome.Rejected<T>(rejection);
    }
}
