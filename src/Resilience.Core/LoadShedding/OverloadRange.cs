using System.Globalization;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>From which value a signal of overload begins to reject work, and at which it rejects all but the most important.</summary>
/// <param name="Start">Up to this value nothing is rejected.</param>
/// <param name="Full">From this value on everything is rejected; more than <paramref name="Start"/>.</param>
/// <remarks>Between the two the share of rejected work rises with the third power of the way: little at first, and steeply at the end.</remarks>
public readonly record struct OverloadRange(double Start, double Full)
{
    /// <summary>How far a value is on its way: 0 at <see cref="Start"/> and before, 1 at <see cref="Full"/> and beyond. What is no number is 0: a signal
    /// that cannot be read rejects nothing.</summary>
    internal double LevelOf(double value) => value > Start ? Math.Min(1, (value - Start) / (Full - Start)) : 0;

    internal void Check(string option, OptionsCheck check) => check.Require(
        double.IsFinite(Start) && double.IsFinite(Full) && Start >= 0 && Full > Start, option, this, "a start of 0 or more, and an end that is greater");

    /// <summary>Both ends: <c>0.8 → 0.95</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Start} → {Full}");
}
