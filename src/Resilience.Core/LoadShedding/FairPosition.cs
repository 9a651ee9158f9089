using System.Runtime.InteropServices;

namespace Resilience;

/// <summary>The place of a request among its like, from its user or tenant: the same for all requests of one user within an hour, in all processes, so
/// that some users are served completely instead of all of them in part (Zhou et al., "Overload control for scaling WeChat microservices", SoCC 2018, § 4.2).
/// Pure.</summary>
/// <remarks>The hour changes who stands last, and no user stands there for long. The hash is no secret: a caller that chooses many keys can find one that
/// stands well for an hour, so the key must be one that is not free to choose.</remarks>
internal static class FairPosition
{
    private const ulong Offset = 14695981039346656037, Prime = 1099511628211; // FNV-1a, 64 bits

    internal static double Of(string key, DateTimeOffset now) => Of(key, now.ToUnixTimeSeconds() / 3600);

    internal static double Of(string key, long hour)
    {
        ulong hash = Add(Offset, MemoryMarshal.AsBytes(key.AsSpan()));
        hash = Add(hash, MemoryMarshal.AsBytes(new ReadOnlySpan<long>(in hour)));

        // FNV mixes its last bytes badly into the upper bits; this is the last step of MurmurHash3 (Appleby, public domain).
        hash ^= hash >> 33;
        hash *= 0xFF51AFD7ED558CCD;
        hash ^= hash >> 33;
        hash *= 0xC4CEB9FE1A85EC53;
        hash ^= hash >> 33;
        return (hash >> 11) * (1.0 / (1UL << 53));
    }

    private static ulong Add(ulong hash, ReadOnlySpan<byte> bytes)
    {
        foreach (byte one in bytes) hash = (hash ^ one) * Prime;
        return hash;
    }
}
