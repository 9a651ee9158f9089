namespace Resilience;

/// <summary>Where a race stands.</summary>
/// <param name="Started">Attempts begun so far.</param>
/// <param name="Running">Attempts under way.</param>
/// <param name="IsClosed">Nothing starts any more.</param>
internal readonly record struct HedgingState(int Started, int Running, bool IsClosed);
