namespace Resilience;

internal sealed record ReadingNow(string Name, double? Value, double? Max, string? Unit);
