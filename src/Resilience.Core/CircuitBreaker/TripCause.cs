using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Why a circuit opened, with the counts that did it.</summary>
/// <param name="Rule">The rule.</param>
/// <param name="Calls">The calls that the rule looked at.</param>
/// <param name="Bad">The failed (or slow) ones among them.</param>
public readonly record struct TripCause(TripRule Rule, int Calls, int Bad)
{
    /// <summary>A half sentence: "12 of 20 calls failed".</summary>
    public override string ToString() => Rule switch
    {
        TripRule.FailureRatio or TripRule.SlowCalls when Calls == 1 => $"the only call {(Rule == TripRule.SlowCalls ? "was slow" : "failed")}",
        TripRule.FailureRatio => string.Create(CultureInfo.InvariantCulture, $"{Bad} of {Calls} calls failed"),
        TripRule.ConsecutiveFailures when Bad == 1 => "a call failed",
        TripRule.ConsecutiveFailures => string.Create(CultureInfo.InvariantCulture, $"{Bad} calls in a row failed"),
        TripRule.SlowCalls => string.Create(CultureInfo.InvariantCulture, $"{Bad} of {Calls} calls were slow"),
        TripRule.ProbeFailed => "a probe failed or was slow",
        TripRule.ByHand => "it was set by hand",
        _ => "of a cause that is not known",
    };
}
