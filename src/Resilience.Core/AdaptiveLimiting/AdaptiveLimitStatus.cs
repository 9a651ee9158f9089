using System.Globalization;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>How a limit is, for people.</summary>
internal static class AdaptiveLimitStatus
{
    internal static PolicyStatus Of(AdaptiveLimitSnapshot now)
    {
        string doing = now.IsProbing ? string.Create(CultureInfo.InvariantCulture, $" · measures without load, returns to {now.SettledLimit}") : "";
        string text = string.Create(CultureInfo.InvariantCulture, $"{now.Running} of {now.Limit} running")
            + (now.Waiting > 0 ? string.Create(CultureInfo.InvariantCulture, $" · {now.Waiting} waiting") : "")
            + AdaptiveLimitText.Latency(now.Latency, now.Baseline) + doing
            + (now.IsRejecting ? " · rejects calls" : "");
        return new(now.IsRejecting ? PolicyCondition.Warning : PolicyCondition.Ok, text)
        {
            Readings =
            [
                new("running", now.Running, "calls") { Max = now.Limit }, new("waiting", now.Waiting, "calls"),
                new("latency", now.Latency?.TotalMilliseconds ?? 0, "ms"), new("baseline", now.Baseline?.TotalMilliseconds ?? 0, "ms"),
            ],
        };
    }
}
