namespace Resilience.Idempotency;

/// <summary>What a look found.</summary>
/// <param name="IsThere">False: no row.</param>
/// <param name="Record">The row.</param>
/// <param name="Payload">Its payload, where it was asked for.</param>
/// <param name="Now">The server's time, in microseconds since 1970.</param>
/// <param name="IsNew">True when the row was inserted right before the look, by who looks.</param>
internal readonly record struct SeenRecord(bool IsThere, IdempotencyRecord Record, byte[] Payload, long Now, bool IsNew)
{
    internal static SeenRecord Nothing { get; } = new(false, default, [], 0, false);
}
