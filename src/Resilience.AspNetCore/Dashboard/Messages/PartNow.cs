namespace Resilience;

internal sealed record PartNow(string Key, string Text);
