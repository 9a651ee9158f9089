namespace Resilience.Testing;

/// <summary>What happened and when: kept as text, or as a hash alone.</summary>
internal sealed class Notes(bool keepTrace)
{
    private readonly Lock _gate = new();
    private readonly List<string> _trace = [];

    internal ulong Fingerprint { get; private set; } = 14695981039346656037;

    internal IReadOnlyList<string> Trace => _trace;

    internal void Add(ReadOnlySpan<char> text, TimeSpan now)
    {
        lock (_gate)
        {
            foreach (char c in text) Mix(c);
            Mix((ulong)now.Ticks);
            if (keepTrace) _trace.Add($"{now:c} {text}");
        }
    }

    private void Mix(ulong value) => Fingerprint = (Fingerprint ^ value) * 1099511628211;
}
