using Microsoft.Extensions.Logging;

namespace Resilience;

/// <summary>The lines of the log. Their ids and names are stable: people filter and alert by them.</summary>
internal static partial class ResilienceLog
{
    internal const string Category = "Resilience";

    [LoggerMessage(1, LogLevel.Warning, "{Pipeline}/{Policy}: attempt {Attempt} failed ({Reason}), next attempt in {Delay}", EventName = "RetryScheduled")]
    internal static partial void RetryScheduled(ILogger logger, string pipeline, string policy, int attempt, string reason, TimeSpan delay);

    [LoggerMessage(
        2, LogLevel.Warning, "{Pipeline}/{Policy}: attempt {Attempt} failed ({Reason}) and is not retried ({Cause}) {Detail}", EventName = "RetryStopped")]
    internal static partial void RetryStopped(
        ILogger logger, string pipeline, string policy, int attempt, string reason, RetryStopReason cause, string? detail);

    [LoggerMessage(
        EventId = 3,
        Message = "{Pipeline}/{Policy}: circuit {Key} went from {From} to {To}, break {BreakDuration}, cause {Cause}",
        EventName = "CircuitChanged")]
    internal static partial void CircuitChanged(
        ILogger logger, LogLevel level, string pipeline, string policy, string? key,
        CircuitState from, CircuitState to, TimeSpan? breakDuration, TripCause cause);

    [LoggerMessage(4, LogLevel.Debug, "{Pipeline}/{Policy}: call rejected ({Entry}): {Reason}", EventName = "CircuitRejected")]
    internal static partial void CircuitRejected(ILogger logger, string pipeline, string policy, CircuitAdmission entry, string? reason);

    [LoggerMessage(
        5, LogLevel.Debug, "{Pipeline}/{Policy}: attempt {Attempt} exceeded {Timeout}, abandoned: {IsAbandoned}", EventName = "CallTimedOut")]
    internal static partial void CallTimedOut(ILogger logger, string pipeline, string policy, int attempt, TimeSpan timeout, bool isAbandoned);

    [LoggerMessage(
        6, LogLevel.Warning, "{Pipeline}/{Policy}: an outcome that was {Replaced} was replaced from {Source}, age {Age}", EventName = "FallbackUsed")]
    internal static partial void FallbackUsed(ILogger logger, string pipeline, string policy, Verdict replaced, FallbackSource source, TimeSpan? age);

    [LoggerMessage(7, LogLevel.Error, "{Pipeline}/{Policy}: the fallback failed, the outcome that was {Kept} stays", EventName = "FallbackFailed")]
    internal static partial void FallbackFailed(ILogger logger, Exception error, string pipeline, string policy, Verdict kept);

    [LoggerMessage(8, LogLevel.Debug, "{Pipeline}/{Policy}: call rejected ({Why}): {Reason}", EventName = "LimitReached")]
    internal static partial void LimitReached(ILogger logger, string pipeline, string policy, LimitReason why, string reason);

    [LoggerMessage(9, LogLevel.Debug, "{Pipeline}/{Policy}: call rejected, come back in {RetryAfter}: {Reason}", EventName = "RateLimitReached")]
    internal static partial void RateLimitReached(ILogger logger, string pipeline, string policy, TimeSpan? retryAfter, string reason);

    [LoggerMessage(
        10, LogLevel.Information, "{Pipeline}/{Policy}: attempt {Attempt} starts beside {Running} under way ({Reason})", EventName = "HedgeStarted")]
    internal static partial void HedgeStarted(ILogger logger, string pipeline, string policy, int attempt, int running, string reason);

    [LoggerMessage(
        11, LogLevel.Warning, "{Pipeline}/{Policy}: no attempt starts beside {Running} under way ({Cause}) {Detail}", EventName = "HedgeSkipped")]
    internal static partial void HedgeSkipped(ILogger logger, string pipeline, string policy, int running, HedgeSkipReason cause, string? detail);

    [LoggerMessage(
        12, LogLevel.Debug, "{Pipeline}/{Policy}: hedged attempt {Attempt} answered first, {Cancelled} cancelled", EventName = "HedgeWon")]
    internal static partial void HedgeWon(ILogger logger, string pipeline, string policy, int attempt, int cancelled);

    [LoggerMessage(
        13, LogLevel.Warning, "{Pipeline}/{Policy}: chaos is {State} in {Environment}, time left {TimeLeft}: {Rates}, seed {Seed}",
        EventName = "ChaosSwitched")]
    internal static partial void ChaosSwitched(
        ILogger logger, string pipeline, string policy, string state, string environment, string timeLeft, ChaosRates rates, long seed);

    [LoggerMessage(
        14, LogLevel.Warning, "{Pipeline}/{Policy}: chaos injected {Kind} into call {Number}, attempt {Attempt}, latency {Latency}",
        EventName = "ChaosInjected")]
    internal static partial void ChaosInjected(
        ILogger logger, string pipeline, string policy, ChaosKind kind, long number, int attempt, TimeSpan latency);

    [LoggerMessage(
        16, LogLevel.Warning, "{Pipeline}/{Policy}: a rule answered {Answer} for {Outcome}, which cannot have that verdict; the rule is ignored (logged once)",
        EventName = "RuleVerdictIgnored")]
    internal static partial void RuleVerdictIgnored(ILogger logger, string pipeline, string policy, Verdict answer, string outcome);

    [LoggerMessage(20, LogLevel.Information, "{Pipeline}: applied the changed settings of {Path}", EventName = "ReloadApplied")]
    internal static partial void ReloadApplied(ILogger logger, string pipeline, string path);

    [LoggerMessage(
        21, LogLevel.Error, "{Pipeline}: the changed settings of {Path} are invalid, the last valid ones stay in effect: {Problems}", EventName = "ReloadRejected")]
    internal static partial void ReloadRejected(ILogger logger, Exception? error, string pipeline, string path, string problems);

    [LoggerMessage(22, LogLevel.Warning, "{Pipeline}: {Code} {Finding}", EventName = "PipelineWarning")]
    internal static partial void PipelineWarning(ILogger logger, string pipeline, string code, string finding);

    [LoggerMessage(23, LogLevel.Debug, "{Pipeline}/{Policy}: {Event}", EventName = "PolicyEvent")]
    internal static partial void PolicyEvent(ILogger logger, string pipeline, string policy, ResilienceEvent @event);

    [LoggerMessage(
        24, LogLevel.Warning, "{Client}: HttpClient.Timeout ({ClientTimeout}) is not longer than the total timeout ({TotalTimeout}), so it ends calls first, "
        + "as a cancellation that is neither retried nor counted", EventName = "ClientTimeoutTooShort")]
    internal static partial void ClientTimeoutTooShort(ILogger logger, string client, TimeSpan clientTimeout, TimeSpan totalTimeout);

    [LoggerMessage(
        25, LogLevel.Warning, "{Client}: the primary handler follows redirects and is already in use, so the idempotency key would be sent to the target of a redirect; "
        + "set AllowAutoRedirect to false", EventName = "RedirectsNotGuarded")]
    internal static partial void RedirectsNotGuarded(ILogger logger, string client);

    [LoggerMessage(
        29, LogLevel.Warning, "{Client}: a request equal to one that had just failed got another idempotency key, so a retry above this client may "
        + "execute it twice; disable that retry, or let it set one key for each call", EventName = "KeysOfOneCallDiffer")]
    internal static partial void KeysOfOneCallDiffer(ILogger logger, string client);

    [LoggerMessage(EventId = 30, Message = "{Gate}: record {Id} was answered with {Answer}, attempt {Attempt}", EventName = "IdempotencyChecked")]
    internal static partial void IdempotencyChecked(
        ILogger logger, LogLevel level, Exception? error, string gate, string id, IdempotencyStatus answer, int attempt);

    [LoggerMessage(
        31, LogLevel.Warning, "{Gate}: the claim of record {Id} (fence {Fence}) was lost while its call was running; another caller may execute it as well",
        EventName = "IdempotencyClaimLost")]
    internal static partial void IdempotencyClaimLost(ILogger logger, Exception? error, string gate, string id, long fence);

    [LoggerMessage(35, LogLevel.Warning, "{Gate}: the store could not be asked to {Task}", EventName = "IdempotencyStoreFailed")]
    internal static partial void IdempotencyStoreFailed(ILogger logger, Exception error, string gate, string task);

    [LoggerMessage(32, LogLevel.Error, "{Gate}: the outcome of record {Id} was not recorded ({Finish})", EventName = "IdempotencyOutcomeNotKept")]
    internal static partial void IdempotencyOutcomeNotKept(ILogger logger, Exception? error, string gate, string id, IdempotencyFinish finish);

    [LoggerMessage(33, LogLevel.Warning, "{Gate}: {Finding}", EventName = "IdempotencyStoreFinding")]
    internal static partial void StoreFinding(ILogger logger, string gate, string finding);

    [LoggerMessage(
        34, LogLevel.Error, "{Gate}: the store is not available; the host starts anyway, and requests with keys are rejected until it is",
        EventName = "IdempotencyStoreUnavailableAtStart")]
    internal static partial void StoreUnavailableAtStart(ILogger logger, Exception error, string gate);

    [LoggerMessage(15, LogLevel.Debug, "{Pipeline}/{Policy}: call rejected ({Why}): {Reason}", EventName = "IdempotencyRejected")]
    internal static partial void IdempotencyRejected(ILogger logger, string pipeline, string policy, IdempotencyRejectionReason why, string reason);
}
