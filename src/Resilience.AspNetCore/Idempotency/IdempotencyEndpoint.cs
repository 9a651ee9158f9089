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

    /// <summary>Why a request in nobody's name is not begun, for the log and for the check at the start.</summary>
    internal const string ScopeMissing =
        "requests in nobody's name would share their keys, and whoever guesses a key would receive another caller's response: require authentication, "
        + $"set {nameof(IdempotencyEndpointOptions)}.{nameof(IdempotencyEndpointOptions.ScopeFor)}, or say "
        + $"{nameof(IdempotencyEndpointOptions.AllowSharedScope)} = true";

    /// <summary>Safe methods do nothing that could be done twice; CONNECT asks for a tunnel, which has no response to keep.</summary>
    internal static bool IsSafe(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method)
        || HttpMethods.IsConnect(method);

    internal async Task InvokeAsync(HttpContext context, Func<HttpContext, Task> next)
    {
        // Whoever is under our protection already needs no second one.
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

        if (FindProblem(lines, out string text) is { } problem)
        {
            await IdempotencyProblems.KeyInvalidAsync(context, options, problem).ConfigureAwait(false);
            return;
        }

        string? authority = IdempotencyTarget.AuthorityOf(context.Request);
        if (await FindKeyAsync(context, authority, text).ConfigureAwait(false) is not { } key) return;
        if (await RequestFingerprint.OfAsync(context, options, authority).ConfigureAwait(false) is not { } fingerprint)
        {
            await IdempotencyProblems.BodyTooLargeAsync(context, options).ConfigureAwait(false);
            return;
        }

        IdempotencyEntry entry = await gate.EnterAsync(key.ToId(), fingerprint, context.RequestAborted).ConfigureAwait(false);
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

    /// <summary>The key with its scope; null when the request was answered because it has none.</summary>
    private async Task<IdempotencyKey?> FindKeyAsync(HttpContext context, string? authority, string key)
    {
        string? scope = options.ScopeFor is { } find ? find(context) : IdempotencyScope.Of(context.User, authority);
        if (!string.IsNullOrEmpty(scope))
        {
            try
            {
                return new(IdempotencyScope.Shortened(scope), key);
            }
            catch (ArgumentException)
            {
                // What a scope is made of came from outside (a header, a claim): it can be wrong, and that is the caller's mistake.
                await IdempotencyProblems.ScopeInvalidAsync(context, options).ConfigureAwait(false);
                return null;
            }
        }

        bool isSignedIn = context.User.Identity?.IsAuthenticated == true;
        if (options.AllowSharedScope) return IdempotencyScope.Shared(authority, isSignedIn ? context.User.Identity!.AuthenticationType : null, key);
        await (options.ScopeFor is null && !isSignedIn && IdempotencyStartup.HasAuthentication(context.RequestServices)
            ? IdempotencyProblems.CallerUnknownAsync(context, options)
            : IdempotencyProblems.MisconfiguredAsync(context, options, ScopeMissing)).ConfigureAwait(false);
        return null;
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

    private async Task AnswerAsync(HttpContext context, IdempotencyEntry entry)
    {
        // A store that is down says nothing of an earlier request.
        bool tellsOfEarlier = entry.Answer is not (IdempotencyAnswer.StoreUnavailable or IdempotencyAnswer.None);
        if (tellsOfEarlier && options.MayReplay is { } mayReplay && !await mayReplay(context).ConfigureAwait(false))
        {
            if (!context.Response.HasStarted && context.Response.StatusCode == StatusCodes.Status200OK)
                await IdempotencyProblems.ReplayForbiddenAsync(context, options).ConfigureAwait(false);
            return;
        }

        await TellAsync(context, entry).ConfigureAwait(false);
    }

    private Task TellAsync(HttpContext context, in IdempotencyEntry entry)
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
