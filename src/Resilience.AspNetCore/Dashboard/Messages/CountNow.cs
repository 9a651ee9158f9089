namespace Resilience;

/// <summary>What was counted since the beginning of the measurement.</summary>
/// <param name="What">The instrument, without the name of the library.</param>
/// <param name="Label">By what it was counted: a reason, an answer.</param>
/// <param name="Count">How many.</param>
internal sealed record CountNow(string What, string Label, long Count);
