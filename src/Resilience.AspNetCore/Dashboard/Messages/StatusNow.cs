namespace Resilience;

/// <param name="Condition">ok, warning or tripped.</param>
/// <param name="Text">A line for people.</param>
/// <param name="Share">Of a bar, from 0 to 1; null when there is nothing to show as one.</param>
/// <param name="Readings">The numbers behind the line.</param>
/// <param name="Parts">Those of a key each that are shown.</param>
internal sealed record StatusNow(string Condition, string Text, double? Share, IReadOnlyList<ReadingNow> Readings, IReadOnlyList<PartNow> Parts);
