using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>How circuits are, in the words of every policy.</summary>
internal static class CircuitStatus
{
    internal static PolicyStatus Of(CircuitSnapshot now) => new(ConditionOf(now.State), TextOf(now))
    {
        CanTrip = true,
        Readings =
        [
            new("calls", now.Calls), new("failures", now.Failures) { Max = now.Calls > 0 ? now.Calls : null }, new("slow calls", now.SlowCalls),
            new("failures in a row", now.ConsecutiveFailures) { Max = now.OpensAtConsecutiveFailures }, new("epoch", now.Epoch),
        ],
    };

    /// <summary>As the worst of them is.</summary>
    internal static PolicyStatus Of(IEnumerable<KeyValuePair<string, CircuitBreaker>> circuits)
    {
        KeyValuePair<string, PolicyStatus>[] parts = [.. circuits.Select(c => KeyValuePair.Create(c.Key, Of(c.Value.TakeSnapshot())))];
        int notClosed = parts.Count(p => p.Value.Condition != PolicyCondition.Ok);
        string text = string.Create(CultureInfo.InvariantCulture, $"{parts.Length} circuits, {(notClosed == 0 ? "all closed" : $"{notClosed} not closed")}");
        return new(parts.Max(p => p.Value.Condition), text) { CanTrip = true, Parts = parts };
    }

    private static PolicyCondition ConditionOf(CircuitState state) => state switch
    {
        CircuitState.Closed => PolicyCondition.Ok,
        CircuitState.HalfOpen => PolicyCondition.Warning,
        _ => PolicyCondition.Tripped,
    };

    private static string TextOf(CircuitSnapshot now)
    {
        string text = $"{CircuitNames.Of(now.State)} for {TimeText.Of(now.InState)}";
        if (now.State == CircuitState.Closed) return text;
        if (now is { State: CircuitState.HalfOpen, Rejection: CircuitRejection { State: CircuitState.Open } over })
            return $"{CircuitNames.Of(over.State)} for {TimeText.Of(now.InState)}, and the next call is a probe; {over.Reason}";
        if (now.Rejection is { } rejection) return $"{text}; {rejection.Reason}"; // which says when the next probe is due
        return now.RetryAfter is { } wait ? $"{text}; the next probe is due in {TimeText.Of(wait)}" : text;
    }
}
