using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Resilience.Idempotency;

/// <summary>One request with a key, from the header to the response: the same for minimal APIs, controllers and the middleware.</summary>
/// <remarks>Runs after authentication, authorization and rate limiting, right before the endpoint binds its parameters: so the token that the
/// endpoint receives is ours, and a client that leaves does not stop what has begun.</remarks>
internal sealed partial class IdempotencyEndpointFilter(
    IdempotencyGate gate, IdempotencyEndpointOptions options, PayloadCipher? cipher, CallerQuota quota)
{
    /// <summary>Why an anonymous request is not begun, for the log and for the check at the start.</summary>
    internal const string ScopeMissing =
        "anonymous requests would share their keys, and a caller who guesses a key would receive another caller's response: require authentication, "
        + $"set {nameof(IdempotencyEndpointOptions)}.{nameof(IdempotencyEndpointOptions.ScopeFor)}, or say "
        + $"{nameof(IdempotencyEndpointOptions.AllowSharedScope)} = true";

    private readonly ResponseRecords _records = new(options, cipher);

    internal ResponseRecords Records => _records;

    internal async Task InvokeAsync(HttpContext context, Func<HttpContext, Task> next)
    {
        // A request that is protected already needs no second protection.
        if (IdempotencyTarget.IsSafe(context.Request.Method) || context.Features.Get<IIdempotencyFeature>() is not null)
        {
            await next(context).ConfigureAwait(false);
            return;
        }

        string? text = null, problem = null;
        if (options.KeyFor is { } find)
        {
            if (await RequestFingerprint.ReadWholeAsync(context, options.MaxRequestBodyBytes).ConfigureAwait(false) is not { } body)
            {
                await IdempotencyProblems.BodyTooLargeAsync(context, options).ConfigureAwait(false);
                return;
            }

            text = find(context, body);
            if (!string.IsNullOrEmpty(text)) problem = FindProblem(text);
        }

        if (string.IsNullOrEmpty(text))
        {
            StringValues lines = context.Request.Headers[options.HeaderName];
            if (lines.Count == 0)
            {
                await (options.IsRequired ? IdempotencyProblems.KeyMissingAsync(context, options) : next(context)).ConfigureAwait(false);
                return;
            }

            problem = FindProblem(lines, out text);
        }

        if (problem is not null)
        {
            await IdempotencyProblems.KeyInvalidAsync(context, options, problem).ConfigureAwait(false);
            return;
        }

        string? authority = IdempotencyTarget.AuthorityOf(context.Request);
        if (await FindKeyAsync(context, authority, text).ConfigureAwait(false) is not { } caller) return;
        if (await RequestFingerprint.OfAsync(context, options, authority).ConfigureAwait(false) is not { } fingerprint)
        {
            await IdempotencyProblems.BodyTooLargeAsync(context, options).ConfigureAwait(false);
            return;
        }

        if (caller.IsShared)
        {
            await EnterAsync(context, caller.Key, fingerprint, next).ConfigureAwait(false);
            return;
        }

        string scope = caller.Key.Scope;
        if (!quota.TryOpen(scope, options.MaxOpenPerScope))
        {
            await IdempotencyProblems.TooManyOpenAsync(context, options).ConfigureAwait(false);
            return;
        }

        try
        {
            await (KeyedOptions.MaxKeys(options, gate) is { } max
                ? EnterWithinAsync(max, context, caller.Key, fingerprint, next)
                : EnterAsync(context, caller.Key, fingerprint, next)).ConfigureAwait(false);
        }
        finally
        {
            quota.Close(scope);
        }
    }

    private async Task EnterAsync(HttpContext context, IdempotencyKey key, Fingerprint fingerprint, Func<HttpContext, Task> next)
    {
        IdempotencyId id = key.ToId();
        IdempotencyResult entry = await gate.EnterAsync(id, fingerprint, context.RequestAborted).ConfigureAwait(false);
        if (entry.Status == IdempotencyStatus.OutcomeUnknown) entry = await ReconcileAsync(context, key, fingerprint, entry).ConfigureAwait(false);
        if (entry.Claim is { } claim) await ExecuteAsync(context, claim, key, next).ConfigureAwait(false);
        else await AnswerAsync(context, id, entry).ConfigureAwait(false);
    }

    /// <summary>Only as many keys of one caller are kept. Counted before it is asked for, so that many at once are not more; given back when nothing is
    /// kept of it. For a caller who has as many, a key that is known goes its way, and a new one is not begun.</summary>
    private async Task EnterWithinAsync(int max, HttpContext context, IdempotencyKey key, Fingerprint fingerprint, Func<HttpContext, Task> next)
    {
        if (!quota.TryUse(key.Scope, max, gate.Retention, out long generation, out TimeSpan retryAfter, isUndecided: true))
        {
            await (await IsNewAsync(key.ToId()).ConfigureAwait(false)
                ? IdempotencyProblems.TooManyKeysAsync(context, options, max, retryAfter)
                : EnterAsync(context, key, fingerprint, next)).ConfigureAwait(false);
            return;
        }

        try
        {
            await EnterAsync(context, key, fingerprint, next).ConfigureAwait(false);
        }
        finally
        {
            bool isNewRecord = context.Features.Get<IdempotencyFeature>() is { IsGivenBack: false, Claim.TookOver: false };
            quota.Decide(key.Scope, generation, isNewRecord);
        }
    }

    private async Task<bool> IsNewAsync(IdempotencyId id)
    {
        try
        {
            return (await gate.PeekAsync(id).ConfigureAwait(false)).State == IdempotencyState.Absent;
        }
        catch (IdempotencyStoreException)
        {
            return false; // the claim is asked for next; it fails in the same way, and that is answered
        }
    }

    private string? FindProblem(StringValues lines, out string key)
    {
        key = "";
        if (lines.Count > 1) return "is there more than once";
        return IdempotencyKeyHeader.TryParse(lines[0], options.AcceptBareKeys, out key, out string problem) ? FindProblem(key) : problem;
    }

    private string? FindProblem(string key)
    {
        if (key.Length < options.MinKeyLength) return $"is shorter than {options.MinKeyLength} characters";
        if (key.Length > options.MaxKeyLength) return $"is longer than {options.MaxKeyLength} characters";
        if (options.AcceptsKey?.Invoke(key) == false) return "does not have the form that is asked for here";
        return IdempotencyKey.FindProblem(key);
    }

    /// <summary>The key with its scope, and whether other callers have the same one; null when the request was answered because it has none.</summary>
    private async Task<(IdempotencyKey Key, bool IsShared)?> FindKeyAsync(HttpContext context, string? authority, string key)
    {
        string? scope = options.ScopeFor is { } find ? find(context) : IdempotencyScope.Of(context.User, authority);
        if (!string.IsNullOrEmpty(scope))
        {
            try
            {
                return (new(IdempotencyScope.Shortened(scope), key), false);
            }
            catch (ArgumentException)
            {
                // What a scope is made of came from outside (a header, a claim): it can be wrong, and that is the caller's mistake.
                await IdempotencyProblems.ScopeInvalidAsync(context, options).ConfigureAwait(false);
                return null;
            }
        }

        bool isSignedIn = context.User.Identity?.IsAuthenticated == true;
        if (options.AllowSharedScope) return (IdempotencyScope.Shared(authority, isSignedIn ? context.User.Identity!.AuthenticationType : null, key), true);
        await (options.ScopeFor is null && !isSignedIn && SignIn.IsPossible(context.RequestServices)
            ? IdempotencyProblems.CallerUnknownAsync(context, options)
            : IdempotencyProblems.MisconfiguredAsync(context, options, ScopeMissing)).ConfigureAwait(false);
        return null;
    }

    private async Task ExecuteAsync(HttpContext context, IdempotencyClaim claim, IdempotencyKey key, Func<HttpContext, Task> next)
    {
        if (options.TransactionOf is { } on)
        {
            await new TransactionalEndpoint(this, options).ExecuteAsync(context, claim, key, on, next).ConfigureAwait(false);
            return;
        }

        IHttpResponseBodyFeature inner = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        CancellationToken aborted = context.RequestAborted;
        await using ConfiguredAsyncDisposable held = claim.ConfigureAwait(false);
        using CapturedResponse captured = new(context, inner, options.MaxResponseBodyBytes);
        using EndpointStop stop = new(context, claim, options.CancelStreamsOfClientsThatLeft ? captured : null);
        using AbortWatch watch = new(context.Features);
        EndpointRun run = new(context, claim, key, captured, watch, KeptHeaders.Before(context.Response), this);
        context.Features.Set<IHttpResponseBodyFeature>(captured);
        context.Features.Set(run.Feature);
        context.Features.Set<IIdempotencyFeature>(run.Feature);
        context.RequestAborted = stop.Token;
        if (!claim.IsProtected) context.Response.Headers[IdempotencyProblems.StatusHeader] = "bypassed";
        try
        {
            await next(context).ConfigureAwait(false);
            await captured.EndAsync().ConfigureAwait(false);
        }
        catch (Exception error)
        {
            await FailAsync(run, error).ConfigureAwait(false);
            throw;
        }
        finally
        {
            context.RequestAborted = aborted;
            context.Features.Set(inner);
        }

        if (claim.HasEnded && await FinishEndedAsync(run).ConfigureAwait(false)) return;
        bool isOpen = !claim.HasEnded || claim.IsInTransaction;
        if (isOpen && await FinishAsync(run).ConfigureAwait(false) is { } successors) await AnswerAsync(context, claim.Id, successors).ConfigureAwait(false);
        else await captured.SendAsync().ConfigureAwait(false);
    }

    /// <summary>The handler of the exception further out makes the response; what is known here is that the endpoint did not end. If it has
    /// begun to send a response that counts, the client was told that it was done: it is not begun again.</summary>
    private async Task FailAsync(EndpointRun run, Exception error)
    {
        IdempotencyClaim claim = run.Claim;
        if (claim.HasEnded && await HasEndedForGoodAsync(claim).ConfigureAwait(false)) return;
        await EndAfterErrorAsync(run, error).ConfigureAwait(false);
    }

    /// <summary>What becomes of an open claim whose endpoint has thrown.</summary>
    internal async Task EndAfterErrorAsync(EndpointRun run, Exception error)
    {
        IdempotencyClaim claim = run.Claim;
        bool hasToldSo = run.Context.Response.HasStarted && options.DispositionOf(run.Status, claim.IsPastPointOfNoReturn) == IdempotencyDisposition.Keep;
        IdempotencyDisposition disposition = run.WasNotBegun && !claim.IsPastPointOfNoReturn
            ? IdempotencyDisposition.Release
            : options.Outcomes.DispositionOf(error, claim.IsPastPointOfNoReturn);
        if (hasToldSo || disposition is IdempotencyDisposition.Keep or IdempotencyDisposition.KeepAsOutcomeUnknown)
            await claim.CompleteAsUnknownAsync().ConfigureAwait(false);
        else if (disposition == IdempotencyDisposition.Release) await run.GiveBackAsync().ConfigureAwait(false);
        else claim.Hold();
    }

    /// <summary>Records the response before it is sent, so that a caller who has seen it will see it again.</summary>
    /// <param name="run">The request.</param>
    /// <param name="isUndone">True when all that it did was rolled back: then nothing has to be held.</param>
    /// <returns>The response of another caller that took over and was first; null when ours is the one to send.</returns>
    internal async Task<IdempotencyResult?> FinishAsync(EndpointRun run, bool isUndone = false)
    {
        (HttpContext context, IdempotencyClaim claim) = (run.Context, run.Claim);
        IdempotencyFinish finish;
        IdempotencyDisposition disposition = run.DispositionBy(options);
        switch (isUndone && disposition == IdempotencyDisposition.Hold ? IdempotencyDisposition.Release : disposition)
        {
            case IdempotencyDisposition.Keep:
                (IdempotencyPayloadKind kind, byte[] record) = _records.Encode(run);
                finish = await (run.RetentionBy(options, gate.Retention) is { } shorter
                    ? claim.CompleteAsync(kind, record, shorter)
                    : claim.CompleteAsync(kind, record)).ConfigureAwait(false);
                break;
            case IdempotencyDisposition.KeepAsOutcomeUnknown when run.Watch.HasAborted:
                finish = await claim.CompleteAsUnknownAsync().ConfigureAwait(false);
                break;
            case IdempotencyDisposition.KeepAsOutcomeUnknown:
                (IdempotencyPayloadKind unknownKind, byte[] unknownRecord) = _records.Encode(run);
                finish = await claim.CompleteAsUnknownAsync(unknownKind, unknownRecord).ConfigureAwait(false);
                break;
            case IdempotencyDisposition.Release:
                finish = await run.GiveBackAsync().ConfigureAwait(false);
                break;
            default:
                claim.Hold();
                finish = IdempotencyFinish.Kept;
                break;
        }

        if (finish is IdempotencyFinish.Kept or IdempotencyFinish.Unprotected || context.Response.HasStarted) return null;
        if (finish == IdempotencyFinish.Lost && await ReadSuccessorsAsync(context, claim).ConfigureAwait(false) is { } other) return other;

        context.Response.Headers[IdempotencyProblems.StatusHeader] = "unrecorded";
        return null;
    }

    /// <summary>What was recorded by who took the place of the claim, with nothing of our own response left; null when there is nothing yet.</summary>
    internal async Task<IdempotencyResult?> ReadSuccessorsAsync(HttpContext context, IdempotencyClaim claim)
    {
        IdempotencyResult other = await gate.ReadOutcomeAsync(claim.Id, claim.Fingerprint).ConfigureAwait(false);
        if (other.Status is not (IdempotencyStatus.Replayed or IdempotencyStatus.OutcomeUnknown)) return null;
        context.Response.Clear();
        return other;
    }

    internal async Task AnswerAsync(HttpContext context, IdempotencyId id, IdempotencyResult entry)
    {
        // A store that is down says nothing of an earlier request.
        bool tellsOfEarlier = entry.Status is not (IdempotencyStatus.StoreUnavailable or IdempotencyStatus.Stopping or IdempotencyStatus.None);
        if (tellsOfEarlier && options.MayReplay is { } mayReplay && !await mayReplay(context).ConfigureAwait(false))
        {
            if (!context.Response.HasStarted && context.Response.StatusCode == StatusCodes.Status200OK)
                await IdempotencyProblems.ReplayForbiddenAsync(context, options).ConfigureAwait(false);
            return;
        }

        await TellAsync(context, id, entry).ConfigureAwait(false);
    }

    private Task TellAsync(HttpContext context, IdempotencyId id, in IdempotencyResult entry)
    {
        if (entry.Status is not (IdempotencyStatus.Replayed or IdempotencyStatus.OutcomeUnknown))
            return IdempotencyProblems.AnswerAsync(context, options, entry);
        if (entry is { Status: IdempotencyStatus.Replayed, Kind: IdempotencyPayloadKind.DoneWithoutResult })
            return IdempotencyProblems.NotKeptAsync(context, options);
        HttpResponseRecord? record = entry.Kind == IdempotencyPayloadKind.HttpResponse ? _records.Read(id, entry.Content) : null;
        if (record is { IsBodyOmitted: true }) return IdempotencyProblems.NotKeptAsync(context, options);
        if (record is not null && KeptHeaders.ToReplay(record, options) is { } headers) return IdempotencyProblems.ReplayAsync(context, record, headers);
        if (entry.Kind == IdempotencyPayloadKind.HttpResponse) return IdempotencyProblems.UnreadableAsync(context, options);
        if (entry.Status == IdempotencyStatus.OutcomeUnknown) IdempotencyLog.OutcomeUnknown(context, id);
        return entry.Status == IdempotencyStatus.OutcomeUnknown
            ? IdempotencyProblems.AnswerAsync(context, options, entry)
            : IdempotencyProblems.UnreadableAsync(context, options);
    }
}
