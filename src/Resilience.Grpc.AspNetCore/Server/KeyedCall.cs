using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>One call of a method that requires a key, from the metadata to the answer. What rejects it is thrown.</summary>
internal sealed partial class KeyedCall<TRequest, TResponse>(
    MethodProtection protection,
    Method<TRequest, TResponse> method,
    TRequest request,
    ServerCallContext context,
    HttpContext http,
    UnaryServerMethod<TRequest, TResponse> continuation)
    where TRequest : class
    where TResponse : class
{
    private readonly GrpcIdempotencyOptions _options = protection.Options;
    private readonly IdempotencyGate _gate = protection.Gate;
    private readonly AnswerRecords<TResponse> _records = new(protection, method, method.ResponseMarshaller);
    private KeyedRun? _run;

    internal async Task<TResponse> RunAsync()
    {
        if (FindKey() is not { } text) return await continuation(request, context).ConfigureAwait(false);
        string? authority = IdempotencyTarget.AuthorityOf(http.Request);
        (IdempotencyKey key, bool isShared) = Callers.KeyOf(context, http, _options, text, authority);
        Fingerprint fingerprint = FingerprintOf(authority);
        if (isShared) return await EnterAsync(key, fingerprint).ConfigureAwait(false);
        if (!protection.Quota.TryOpen(key.Scope, _options.MaxOpenPerScope)) throw GrpcProblems.TooManyOpen(_options.MaxOpenPerScope);
        try
        {
            return await (protection.MaxKeys is { } max ? EnterWithinAsync(max, key, fingerprint) : EnterAsync(key, fingerprint)).ConfigureAwait(false);
        }
        finally
        {
            protection.Quota.Close(key.Scope);
        }
    }

    /// <summary>The key in the metadata; null: there is none, and none is asked for. Read where each value stands for itself: the call's own metadata has
    /// several as one.</summary>
    private string? FindKey()
    {
        StringValues lines = http.Request.Headers[_options.IdempotencyHeader];
        if (lines.Count == 0) return _options.IsRequired ? throw GrpcProblems.KeyMissing(_options.IdempotencyHeader) : null;
        if (lines.Count > 1) throw GrpcProblems.KeyInvalid("is there more than once");
        if (!IdempotencyKeyHeader.TryParse(lines[0], acceptBare: true, out string key, out string problem)) throw GrpcProblems.KeyInvalid(problem);
        if (key.Length < _options.MinKeyLength) throw GrpcProblems.KeyInvalid($"is shorter than {_options.MinKeyLength} characters");
        if (key.Length > _options.MaxKeyLength) throw GrpcProblems.KeyInvalid($"is longer than {_options.MaxKeyLength} characters");
        if (_options.AcceptsKey?.Invoke(key) == false) throw GrpcProblems.KeyInvalid("does not have the form that is asked for here");
        return IdempotencyKey.FindProblem(key) is { } wrong ? throw GrpcProblems.KeyInvalid(wrong) : key;
    }

    private Fingerprint FingerprintOf(string? authority)
    {
        if (_options.FingerprintFor is { } chosen) return chosen(context, request);
        using FingerprintBuilder builder = new();
        return builder.Add("grpc1").Add(method.FullName).Add(authority).Add(MessageBytes.Write(method.RequestMarshaller, request).Span).Build();
    }

    /// <summary>Only as many keys of one caller are kept: see the endpoints of HTTP, which count in the same way.</summary>
    private async Task<TResponse> EnterWithinAsync(int max, IdempotencyKey key, Fingerprint fingerprint)
    {
        if (!protection.Quota.TryUse(key.Scope, max, _gate.Retention, out long generation, out TimeSpan retryAfter, isUndecided: true))
        {
            if (await IsNewAsync(key.ToId()).ConfigureAwait(false)) throw GrpcProblems.TooManyKeys(max, retryAfter);
            return await EnterAsync(key, fingerprint).ConfigureAwait(false);
        }

        try
        {
            return await EnterAsync(key, fingerprint).ConfigureAwait(false);
        }
        finally
        {
            protection.Quota.Decide(key.Scope, generation, isKept: _run is { IsGivenBack: false, Claim.TookOver: false });
        }
    }

    private async Task<bool> IsNewAsync(IdempotencyId id)
    {
        try
        {
            return (await _gate.PeekAsync(id).ConfigureAwait(false)).State == IdempotencyState.Absent;
        }
        catch (IdempotencyStoreException)
        {
            return false; // the claim is asked for next; it fails in the same way, and that is answered
        }
    }

    private async Task<TResponse> EnterAsync(IdempotencyKey key, Fingerprint fingerprint)
    {
        IdempotencyId id = key.ToId();
        IdempotencyResult entry = await _gate.EnterAsync(id, fingerprint, context.CancellationToken).ConfigureAwait(false);
        if (entry.Status == IdempotencyStatus.OutcomeUnknown) entry = await ReconcileAsync(key, fingerprint, entry).ConfigureAwait(false);
        return await (entry.Claim is { } claim ? ExecuteAsync(claim, key) : AnswerAsync(id, entry)).ConfigureAwait(false);
    }

    private async Task<TResponse> ExecuteAsync(IdempotencyClaim claim, IdempotencyKey key)
    {
        CancellationToken aborted = http.RequestAborted;
        await using ConfiguredAsyncDisposable held = claim.ConfigureAwait(false);
        using CallStop stop = new(http, claim);
        KeyedCallContext inner = new(context, http, stop.Token);
        _run = new(claim, key, (response, trailers) => _records.WriteDown(claim.Id, response, trailers));
        http.Features.Set<IIdempotencyFeature>(_run);
        http.RequestAborted = stop.Token;
        if (!claim.IsProtected) context.ResponseTrailers.Add(GrpcProblems.StatusTrailer, "bypassed");
        MethodOutcome outcome;
        try
        {
            outcome = new(await continuation(request, inner).ConfigureAwait(false), null);
        }
        catch (Exception error)
        {
            outcome = new(null, error);
        }
        finally
        {
            http.RequestAborted = aborted;
        }

        if (await FinishAsync(claim, inner, outcome).ConfigureAwait(false) is { } successors)
            return await AnswerAsync(claim.Id, successors).ConfigureAwait(false);
        inner.Deliver();
        if (outcome.Error is { } thrown) ExceptionDispatchInfo.Throw(thrown);
        return outcome.Response!;
    }

    /// <summary>What is known about an earlier call, in place of a call of the method.</summary>
    private async Task<TResponse> AnswerAsync(IdempotencyId id, IdempotencyResult entry)
    {
        // A store that is down says nothing of an earlier call.
        bool tellsOfEarlier = entry.Status is not (IdempotencyStatus.StoreUnavailable or IdempotencyStatus.Stopping or IdempotencyStatus.None);
        if (tellsOfEarlier && _options.MayReplay is { } mayReplay && !await mayReplay(context).ConfigureAwait(false)) throw GrpcProblems.ReplayForbidden();
        if (entry.Status is not (IdempotencyStatus.Replayed or IdempotencyStatus.OutcomeUnknown)) throw GrpcProblems.Of(http, entry);
        if (entry is { Status: IdempotencyStatus.Replayed, Kind: IdempotencyPayloadKind.DoneWithoutResult }) throw GrpcProblems.NotKept();
        GrpcAnswer? answer = entry.Kind == IdempotencyPayloadKind.GrpcAnswer ? _records.Read(id, entry.Content) : null;
        if (answer is { IsOmitted: true }) throw GrpcProblems.NotKept();
        if (answer is not null && _records.TryReadMessage(answer, out TResponse? message)) return Replay(answer, message);
        if (entry.Kind == IdempotencyPayloadKind.GrpcAnswer || entry.Status == IdempotencyStatus.Replayed) throw GrpcProblems.Unreadable();
        GrpcIdempotencyLog.OutcomeUnknown(http, id);
        throw GrpcProblems.Of(http, entry);
    }

    /// <summary>The first answer again, marked. One that failed will not be another the next time: no client needs to ask for it once more.</summary>
    private TResponse Replay(GrpcAnswer answer, TResponse? message)
    {
        Metadata trailers = context.ResponseTrailers;
        foreach (Metadata.Entry entry in answer.Trailers) trailers.Add(entry);
        trailers.Add(GrpcProblems.ReplayedTrailer, "true");
        if (answer.Status.StatusCode != StatusCode.OK) trailers.Add(GrpcProblems.PushbackTrailer, GrpcProblems.Never);
        if (message is null) throw new RpcException(answer.Status);
        context.Status = answer.Status;
        return message;
    }

    /// <summary>How the method has ended.</summary>
    /// <param name="Response">What it returned.</param>
    /// <param name="Error">What it threw; null: it returned.</param>
    private readonly record struct MethodOutcome(TResponse? Response, Exception? Error);
}
