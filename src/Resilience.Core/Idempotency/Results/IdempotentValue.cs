namespace Resilience.Idempotency;

/// <summary>A value, and where it comes from.</summary>
/// <param name="Value">The value.</param>
/// <param name="IsReplay">True when it was created by another call: an earlier one, or one that ran beside this one and whose value is the one that
/// counts. False when this call has created it.</param>
public readonly record struct IdempotentValue<T>(T Value, bool IsReplay);
