namespace Resilience.Events;

/// <summary>Which events the live page shows as one entry that counts: those of one policy with the same group.</summary>
/// <param name="Name">What they have in common ("no budget").</param>
/// <param name="IsRejection">Whether a call was rejected.</param>
/// <param name="Part">Tells apart what goes on anew: the rejections of one break of a circuit from those of the next. Zero where that does not matter.</param>
public readonly record struct EventGroup(string Name, bool IsRejection = false, long Part = 0);
