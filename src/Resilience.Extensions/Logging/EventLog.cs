using System.Collections;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;

namespace Resilience;

/// <summary>Writes a line for each event of a pipeline, inside a scope with pipeline, operation, trace id and span id.</summary>
/// <remarks>The levels are such that at Information and above a retried attempt makes one line and a call that succeeds none.</remarks>
internal sealed class EventLog(ILogger users)
{
    private readonly ILogger _logger = SafeLogger.Around(users);

    internal void Write(ResilienceEvent happened)
    {
        if (!_logger.IsEnabled(LevelOf(happened))) return;
        using (_logger.BeginScope(new EventScope(happened.PipelineName, happened.Operation, Activity.Current)))
        {
            WriteLine(happened, happened.PipelineName, happened.PolicyName);
        }
    }

    private static LogLevel LevelOf(ResilienceEvent happened) => happened switch
    {
        RetryScheduled or RetryStopped or FallbackUsed or HedgeSkipped => LogLevel.Warning,
        HedgeStarted => LogLevel.Information,
        ChaosSwitched or ChaosInjected or RuleVerdictIgnored => LogLevel.Warning,
        FallbackFailed => LogLevel.Error,
        CircuitChanged { To: CircuitState.Open or CircuitState.Isolated } => LogLevel.Warning,
        CircuitChanged => LogLevel.Information,
        IdempotencyOutcomeNotKept => LogLevel.Error,
        IdempotencyClaimLost or IdempotencyStoreFailed => LogLevel.Warning,
        IdempotencyChecked { Attempt: > 1 } => LogLevel.Warning,
        IdempotencyChecked { Status: IdempotencyStatus.OutcomeUnknown or IdempotencyStatus.Unreadable } => LogLevel.Warning,
        IdempotencyChecked { Status: IdempotencyStatus.StoreUnavailable or IdempotencyStatus.Unprotected } => LogLevel.Error,
        _ => LogLevel.Debug,
    };

    [SuppressMessage("Performance", "CA1873", Justification = "Write has asked whether the level is enabled.")]
    private void WriteLine(ResilienceEvent happened, string pipeline, string policy)
    {
        switch (happened)
        {
            case RetryScheduled e:
                ResilienceLog.RetryScheduled(_logger, pipeline, policy, e.Attempt, e.Reason, e.Delay);
                break;
            case RetryStopped e:
                ResilienceLog.RetryStopped(_logger, pipeline, policy, e.Attempt, e.Reason, e.Cause, e.Explanation.Length > 0 ? e.Explanation : e.Detail);
                break;
            case CircuitChanged e:
                ResilienceLog.CircuitChanged(_logger, LevelOf(e), pipeline, policy, e.Key, e.From, e.To, e.BreakDuration, e.Cause);
                break;
            case CircuitRejected e:
                ResilienceLog.CircuitRejected(_logger, pipeline, policy, e.Entry, e.Rejection?.Reason);
                break;
            case CallTimedOut e:
                ResilienceLog.CallTimedOut(_logger, pipeline, policy, e.Attempt, e.Timeout, e.IsAbandoned);
                break;
            case FallbackUsed e:
                ResilienceLog.FallbackUsed(_logger, pipeline, policy, e.Replaced, e.Source, e.Age);
                break;
            case FallbackFailed e:
                ResilienceLog.FallbackFailed(_logger, e.Error, pipeline, policy, e.Kept);
                break;
            case LimitReached e:
                ResilienceLog.LimitReached(_logger, pipeline, policy, e.Rejection.Why, e.Rejection.Reason);
                break;
            case RateLimitReached e:
                ResilienceLog.RateLimitReached(_logger, pipeline, policy, e.Rejection.RetryAfter, e.Rejection.Reason);
                break;
            case HedgeStarted e:
                ResilienceLog.HedgeStarted(_logger, pipeline, policy, e.Attempt, e.Running, e.Reason);
                break;
            case HedgeSkipped e:
                ResilienceLog.HedgeSkipped(_logger, pipeline, policy, e.Running, e.Cause, e.Detail ?? "");
                break;
            case HedgeWon e:
                ResilienceLog.HedgeWon(_logger, pipeline, policy, e.Attempt, e.Cancelled);
                break;
            case ChaosSwitched e:
                string timeLeft = e.For?.ToString("c") ?? (e.IsOn ? "unlimited" : "none");
                ResilienceLog.ChaosSwitched(_logger, pipeline, policy, e.IsOn ? "on" : "off", e.EnvironmentName, timeLeft, e.Rates, e.Seed);
                break;
            case ChaosInjected e:
                ResilienceLog.ChaosInjected(_logger, pipeline, policy, e.Kind, e.Number, e.Attempt, e.Latency ?? TimeSpan.Zero);
                break;
            case IdempotencyChecked e:
                ResilienceLog.IdempotencyChecked(_logger, LevelOf(e), e.Error, policy, e.Id, e.Status, e.Attempt);
                break;
            case IdempotencyRejected e:
                ResilienceLog.IdempotencyRejected(_logger, pipeline, policy, e.Rejection.Why, e.Rejection.Reason);
                break;
            case IdempotencyClaimLost e:
                ResilienceLog.IdempotencyClaimLost(_logger, e.Error, policy, e.Id, e.Fence);
                break;
            case IdempotencyStoreFailed e:
                ResilienceLog.IdempotencyStoreFailed(_logger, e.Error, policy, e.Task);
                break;
            case IdempotencyOutcomeNotKept e:
                ResilienceLog.IdempotencyOutcomeNotKept(_logger, e.Error, policy, e.Id, e.Finish);
                break;
            case RuleVerdictIgnored e:
                ResilienceLog.RuleVerdictIgnored(_logger, pipeline, policy, e.Answer, e.IsResult ? "a result" : "an exception");
                break;
            default:
                ResilienceLog.PolicyEvent(_logger, pipeline, policy, happened);
                break;
        }
    }

    /// <summary>What surrounds a line: structured for those who read structure, a sentence for those who do not.</summary>
    private sealed class EventScope : IReadOnlyList<KeyValuePair<string, object?>>
    {
        private readonly KeyValuePair<string, object?>[] _pairs;

        internal EventScope(string pipeline, string? operation, Activity? activity)
        {
            List<KeyValuePair<string, object?>> pairs = [new("Pipeline", pipeline)];
            if (operation is not null) pairs.Add(new("Operation", operation));
            if (activity is { IdFormat: ActivityIdFormat.W3C })
            {
                pairs.Add(new("TraceId", activity.TraceId.ToHexString()));
                pairs.Add(new("SpanId", activity.SpanId.ToHexString()));
            }

            _pairs = [.. pairs];
        }

        public int Count => _pairs.Length;

        public KeyValuePair<string, object?> this[int index] => _pairs[index];

        public IEnumerator<KeyValuePair<string, object?>> GetEnumerator() => _pairs.AsEnumerable().GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        public override string ToString() => string.Join(" ", _pairs.Select(p => $"{p.Key}:{p.Value}"));
    }
}
