using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Resilience;

/// <summary>One request with a key, from the header to the response: the same for minimal APIs, controllers and the middleware.</summary>
/// <remarks>Runs after authentication, authorization and rate limiting, right before the endpoint binds its parameters: so the token that the
/// endpoint receives is ours, and a client that leaves does not stop what has begun.</remarks>
internal sealed class IdempotencyEndpoint(IdempotencyGate gate, IdempotencyEndpointOptions options)
{
    /// <summary>What belongs to one connection, one message or one recipient.</summary>
    private static readonly HashSet<string> NeverKept = new(StringComparer.OrdinalIgnoreCase)
    {
        "Set-Cookie", "Date", "Server", "Age", "Via", "Alt-Svc", "Connection", "Keep-Alive", "Proxy-Authenticate", "WWW-Authenticate",
        "Authentication-Info", "Proxy-Authentication-Info", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length",
        "Strict-Transport-Security", "traceparent", "tracestate", "Request-Id", "Retry-After", "Access-Control-Allow-Origin",
        "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Vary", "Idempotent-Replayed", "Idempotency-Status",
    };

    internal static bool IsSafe(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method);

    internal async Task InvokeAsync(HttpContext context, Func<HttpContext, Task> next)
    {
        // Safe methods do nothing that could be done twice; and whoever is under our protection already needs no second one.
        if (IsSafe(context.Request.Method) || context.Features.Get<IdempotencyFeature>() is not null)
        {
            await next(context).ConfigureAwait(false);
            return;
        }

        StringValues lines = context.Request.Headers[options.HeaderName];
        if (lines.Count == 0)
        {
            await (options.IsRequired ? IdempotencyProblems.KeyMissingAsync(context, options) : next(context)).ConfigureAwait(false);
            return;
        }

        if (FindProblem(lines, out string key) is { } problem)
        {
            await IdempotencyProblems.KeyInvalidAsync(context, options, problem).ConfigureAwait(false);
            return;
        }

        IdempotencyId id = KeyOf(context, key).ToId();
        byte[]? body = await RequestFingerprint.ReadBodyAsync(context.Request, options.MaxRequestBodyBytes, context.RequestAborted).ConfigureAwait(false);
        if (body is null)
        {
            await IdempotencyProblems.BodyTooLargeAsync(context, options).ConfigureAwait(false);
            return;
        }

        Fingerprint fingerprint = options.FingerprintFor?.Invoke(context, body) ?? RequestFingerprint.Of(context.Request, body, options.FingerprintHeaders);
        IdempotencyEntry entry = await gate.EnterAsync(id, fingerprint, context.RequestAborted).ConfigureAwait(false);
        if (entry.Claim is { } claim) await ExecuteAsync(context, claim, next).ConfigureAwait(false);
        else await AnswerAsync(context, entry).ConfigureAwait(false);
    }

    private string? FindProblem(StringValues lines, out string key)
    {
        key = "";
        if (lines.Count > 1) return "is there more than once";
        if (!IdempotencyKeyHeader.TryParse(lines[0], options.AcceptBareKeys, out key, out string problem)) return problem;
        if (key.Length < options.MinKeyLength) return $"is shorter than {options.MinKeyLength} characters";
        if (key.Length > options.MaxKeyLength) return $"is longer than {options.MaxKeyLength} characters";
        return options.AcceptsKey?.Invoke(key) == false ? "does not have the form that is asked for here" : null;
    }

    private IdempotencyKey KeyOf(HttpContext context, string key)
    {
        string? scope = options.ScopeFor is { } find ? find(context) : RequestFingerprint.ScopeOf(context.User);
        if (scope?.Length > IdempotencyKey.MaxScopeLength) scope = Convert.ToHexStringLower(Fingerprint.Of(scope).ToArray());
        if (!string.IsNullOrEmpty(scope)) return new(scope, key);
        return options.AllowSharedScope
            ? IdempotencyKey.Shared(key)
            : throw new InvalidOperationException(
                $"The request to {context.Request.Path} is in nobody's name, so its idempotency key would be shared by all callers, and whoever guesses a key "
                + $"would receive another caller's response. Require authentication, set {nameof(IdempotencyEndpointOptions)}.{nameof(options.ScopeFor)}, "
                + $"or say {nameof(options.AllowSharedScope)} = true.");
    }

    private async Task ExecuteAsync(HttpContext context, IdempotencyClaim claim, Func<HttpContext, Task> next)
    {
        IHttpResponseBodyFeature inner = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        CancellationToken aborted = context.RequestAborted;
        await using ConfiguredAsyncDisposable held = claim.ConfigureAwait(false);
        using CapturedResponse captured = new(context, inner, options.MaxResponseBodyBytes);
        context.Features.Set<IHttpResponseBodyFeature>(captured);
        context.Features.Set(new IdempotencyFeature(claim));
        context.RequestAborted = claim.LeaseLost;
        if (!claim.IsProtected) context.Response.Headers[IdempotencyProblems.StatusHeader] = "bypassed";
        try
        {
            await next(context).ConfigureAwait(false);
            await captured.EndAsync().ConfigureAwait(false);
        }
        catch (Exception error)
        {
            await FailAsync(context, claim, error).ConfigureAwait(false);
            throw;
        }
        finally
        {
            context.RequestAborted = aborted;
            context.Features.Set(inner);
        }

        if (await FinishAsync(context, claim, captured).ConfigureAwait(false) is { } successors) await AnswerAsync(context, successors).ConfigureAwait(false);
        else await captured.SendAsync().ConfigureAwait(false);
    }

    /// <summary>Whoever handles the exception further out makes the response; what is known here is that the endpoint did not end. If it has
    /// begun to send a response that counts, the client was told that it was done: it is not begun again.</summary>
    private async Task FailAsync(HttpContext context, IdempotencyClaim claim, Exception error)
    {
        bool hasToldSo = context.Response.HasStarted && DispositionOf(context, claim) == IdempotencyDisposition.Keep;
        if (claim.IsPastPointOfNoReturn || hasToldSo) await claim.CompleteAsUnknownAsync().ConfigureAwait(false);
        else if (error is OperationCanceledException or TimeoutException) claim.Hold();
        else await claim.ReleaseAsync().ConfigureAwait(false);
    }

    /// <summary>Records the response before it is sent, so that whoever has seen it will see it again.</summary>
    /// <returns>The response of somebody who took over and was first; null when ours is the one to send.</returns>
    private async Task<IdempotencyEntry?> FinishAsync(HttpContext context, IdempotencyClaim claim, CapturedResponse captured)
    {
        IdempotencyFinish finish;
        switch (DispositionOf(context, claim))
        {
            case IdempotencyDisposition.Keep:
                finish = await claim.CompleteAsync(IdempotencyPayloadKind.HttpResponse, RecordOf(context, captured)).ConfigureAwait(false);
                break;
            case IdempotencyDisposition.KeepAsUnknown:
                finish = await claim.CompleteAsUnknownAsync(IdempotencyPayloadKind.HttpResponse, RecordOf(context, captured)).ConfigureAwait(false);
                break;
            case IdempotencyDisposition.Release:
                finish = await claim.ReleaseAsync().ConfigureAwait(false);
                break;
            default:
                claim.Hold();
                finish = IdempotencyFinish.Kept;
                break;
        }

        if (finish is IdempotencyFinish.Kept or IdempotencyFinish.Unprotected || context.Response.HasStarted) return null;
        if (finish == IdempotencyFinish.Lost)
        {
            IdempotencyEntry other = await gate.ReadOutcomeAsync(claim.Id, claim.Fingerprint).ConfigureAwait(false);
            if (other.Answer is IdempotencyAnswer.Replayed or IdempotencyAnswer.OutcomeUnknown)
            {
                context.Response.Clear();
                return other;
            }
        }

        context.Response.Headers[IdempotencyProblems.StatusHeader] = "unrecorded";
        return null;
    }

    /// <summary>By the table; but that a form was refused as a forgery says nothing about the request of the page that is loaded next.</summary>
    private IdempotencyDisposition DispositionOf(HttpContext context, IdempotencyClaim claim)
    {
        int status = context.Response.StatusCode;
        bool isForgery = status == StatusCodes.Status400BadRequest && context.Features.Get<IAntiforgeryValidationFeature>() is { IsValid: false };
        return isForgery && !claim.IsPastPointOfNoReturn && !options.Statuses.ContainsKey(status)
            ? IdempotencyDisposition.Release
            : options.DispositionOf(status, claim.IsPastPointOfNoReturn);
    }

    private byte[] RecordOf(HttpContext context, CapturedResponse captured)
    {
        List<KeyValuePair<string, string>> headers = [];
        foreach ((string name, StringValues values) in context.Response.Headers)
        {
            if (!IsKept(name)) continue;
            foreach (string? value in values) headers.Add(new(name, value ?? ""));
        }

        // Trailers say how a body is to be read (in gRPC, whether the call went well): without them it is not the same response.
        bool isOmitted = captured.IsPassing || context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers is { Count: > 0 };
        return new HttpResponseRecord
        {
            Status = context.Response.StatusCode,
            Headers = headers,
            IsBodyOmitted = isOmitted,
            Body = isOmitted ? default : captured.Body,
        }.Encode();
    }

    /// <summary>If there is a content encoding at this moment, the endpoint itself has encoded the bytes that are kept (what stands further out
    /// encodes what we send): they cannot be read without it.</summary>
    private bool IsKept(string header) =>
        (options.KeptHeaders.Contains(header) && !NeverKept.Contains(header)) || header.Equals("Content-Encoding", StringComparison.OrdinalIgnoreCase);

    private Task AnswerAsync(HttpContext context, in IdempotencyEntry entry)
    {
        if (entry.Answer is not (IdempotencyAnswer.Replayed or IdempotencyAnswer.OutcomeUnknown))
            return IdempotencyProblems.AnswerAsync(context, options, entry);
        if (entry is { Answer: IdempotencyAnswer.Replayed, Kind: IdempotencyPayloadKind.DoneWithoutResult })
            return IdempotencyProblems.NotKeptAsync(context, options);
        HttpResponseRecord? record = entry.Kind == IdempotencyPayloadKind.HttpResponse ? HttpResponseRecord.Decode(entry.Content) : null;
        if (record is { IsBodyOmitted: true }) return IdempotencyProblems.NotKeptAsync(context, options);
        if (record is not null) return IdempotencyProblems.ReplayAsync(context, record);
        return entry.Answer == IdempotencyAnswer.OutcomeUnknown
            ? IdempotencyProblems.AnswerAsync(context, options, entry)
            : IdempotencyProblems.UnreadableAsync(context, options);
    }
}
