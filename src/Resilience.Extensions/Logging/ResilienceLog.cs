using Microsoft.Extensions.Logging;

namespace Resilience;

/// <summary>The lines of the log that no event of a policy stands behind; those are written by <see cref="EventLog"/>. Their ids and names are stable: people
/// filter and alert by them.</summary>
internal static partial class ResilienceLog
{
    internal const string Category = "Resilience";

    [LoggerMessage(20, LogLevel.Information, "{Pipeline}: applied the changed settings of {Path}", EventName = "ReloadApplied")]
    internal static partial void ReloadApplied(ILogger logger, string pipeline, string path);

    [LoggerMessage(
        21, LogLevel.Error, "{Pipeline}: the changed settings of {Path} are invalid, the last valid ones stay in effect: {Problems}",
        EventName = "ReloadRejected")]
    internal static partial void ReloadRejected(ILogger logger, Exception? error, string pipeline, string path, string problems);

    [LoggerMessage(22, LogLevel.Warning, "{Pipeline}: {Code} {Finding}", EventName = "PipelineWarning")]
    internal static partial void PipelineWarning(ILogger logger, string pipeline, string code, string finding);

    [LoggerMessage(
        24, LogLevel.Warning, "{Client}: HttpClient.Timeout ({ClientTimeout}) is not longer than the total timeout ({TotalTimeout}), so it ends calls first, "
        + "as a cancellation that is neither retried nor counted", EventName = "ClientTimeoutTooShort")]
    internal static partial void ClientTimeoutTooShort(ILogger logger, string client, string clientTimeout, string totalTimeout);

    [LoggerMessage(
        25, LogLevel.Warning, "{Client}: the primary handler follows redirects and is already in use, so the idempotency key would be sent to the "
        + "target of a redirect; set AllowAutoRedirect to false", EventName = "RedirectsNotGuarded")]
    internal static partial void RedirectsNotGuarded(ILogger logger, string client);

    [LoggerMessage(
        29, LogLevel.Warning, "{Client}: a request equal to one that had just failed got another idempotency key, so a retry above this client may "
        + "execute it twice; disable that retry, or let it set one key for each call", EventName = "KeysOfOneCallDiffer")]
    internal static partial void KeysOfOneCallDiffer(ILogger logger, string client);

    [LoggerMessage(
        36, LogLevel.Warning, "{Client}: {Library} repeats requests above this client, so two retries stand above each other; turn one of them off, or set "
        + "StackedRetries. With Yield, the default, this client makes one attempt for each such request", EventName = "RetriesAreStacked")]
    internal static partial void RetriesAreStacked(ILogger logger, string client, string library);

    [LoggerMessage(
        37, LogLevel.Information, "{Client}: requests of gRPC go through this pipeline unseen, because their status is in the trailers; AddGrpcResilience of "
        + "the package Resilience.Grpc is for them", EventName = "GrpcPassesThrough")]
    internal static partial void GrpcPassesThrough(ILogger logger, string client);

    [LoggerMessage(33, LogLevel.Warning, "{Gate}: {Finding}", EventName = "IdempotencyStoreFinding")]
    internal static partial void StoreFinding(ILogger logger, string gate, string finding);

    [LoggerMessage(
        34, LogLevel.Error, "{Gate}: the store is not available; the host starts anyway, and requests with keys are rejected until it is",
        EventName = "IdempotencyStoreUnavailableAtStart")]
    internal static partial void StoreUnavailableAtStart(ILogger logger, Exception error, string gate);
}
