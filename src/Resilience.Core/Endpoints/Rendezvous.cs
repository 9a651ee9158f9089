namespace Resilience.Overload;

/// <summary>Which part of a long list a process uses: the endpoints whose hash together with its own name is the highest (rendezvous hashing), so that a
/// change of the list changes little, and processes spread over all. Pure.</summary>
internal static class Rendezvous
{
    internal static List<Uri> Subset(IReadOnlyList<Uri> all, int? size, string identity)
    {
        if (size is not { } count || all.Count <= count) return [.. all];
        HashSet<Uri> chosen = [.. all.OrderByDescending(address => Hash($"{identity}|{address}")).Take(count)];
        return [.. all.Where(chosen.Contains)]; // in the order of the list
    }

    /// <summary>FNV-1a, and the mixing of SplitMix64, because names that differ in the last letter must not be neighbours.</summary>
    internal static ulong Hash(string text)
    {
        ulong hash = 14695981039346656037;
        foreach (char c in text) hash = (hash ^ c) * 1099511628211;
        hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9UL;
        hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBUL;
        return hash ^ (hash >> 31);
    }
}
