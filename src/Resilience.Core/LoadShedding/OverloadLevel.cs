using Resilience.Overload;

namespace Resilience;

/// <summary>How overloaded the process is, and by what.</summary>
/// <param name="Level">0 to 1: of the signal for which it is greatest.</param>
/// <param name="Reason">Which kind of signal that is.</param>
/// <param name="Signal">Its name.</param>
/// <param name="Value">Its value.</param>
internal sealed record OverloadLevel(double Level, ShedReason Reason, string Signal, double Value)
{
    internal static OverloadLevel None { get; } = new(0, ShedReason.Signal, "", 0);
}
