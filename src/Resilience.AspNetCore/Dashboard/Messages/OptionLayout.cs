namespace Resilience;

internal sealed record OptionLayout(string Name, string Value);
