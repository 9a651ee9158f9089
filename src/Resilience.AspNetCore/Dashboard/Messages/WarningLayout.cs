namespace Resilience;

internal sealed record WarningLayout(string Code, string Message);
