using System.Globalization;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>How a set of endpoints is, for people. No address is shown.</summary>
internal static class EndpointStatus
{
    internal static PolicyStatus Of(IReadOnlyList<TargetEndpoint> all, int ejected, bool isPanic)
    {
        string text = all.Count == 0 ? "no endpoints are known"
            : isPanic ? string.Create(CultureInfo.InvariantCulture, $"most of {all.Count} endpoints fail, so all are used")
            : ejected == 0 ? string.Create(CultureInfo.InvariantCulture, $"all of {all.Count} endpoints are used")
            : string.Create(CultureInfo.InvariantCulture, $"{ejected} of {all.Count} endpoints left out");
        return new(isPanic || ejected > 0 ? PolicyCondition.Warning : PolicyCondition.Ok, text)
        {
            Readings =
            [
                new("in use", all.Count - ejected, "endpoints") { Max = Math.Max(1, all.Count) },
                new("under way", all.Sum(static e => e.Pending), "calls"),
            ],
        };
    }
}
