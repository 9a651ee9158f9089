namespace Resilience;

/// <summary>Where the records are in Redis, and whether replicas are waited for. Read once, when the store is created.</summary>
public sealed class RedisIdempotencyOptions
{
    internal const int LargestPayload = 64 << 20;
    private const int LongestPrefix = 200;

    /// <summary>What keys begin with; the id follows in braces. At most 200 characters without braces, which would choose the slot in a cluster.
    /// Default <c>resilience:idem:</c>.</summary>
    public string KeyPrefix { get; set; } = "resilience:idem:";

    /// <summary>The number of the database; -1, the default, is the one that the connection names.</summary>
    public int Database { get; set; } = -1;

    /// <summary>The largest payload, in bytes. 1 to 64 MiB, default 1 MiB.</summary>
    public int MaxPayloadBytes { get; set; } = 1 << 20;

    /// <summary>How many replicas must have a change before it counts as done. 0 to 100, default 0: the primary alone. If it dies before its
    /// replicas know, a promoted one has forgotten the claim; to wait makes that rare, not impossible. It costs two round trips more, and
    /// holds up everything else on the same connection for as long.</summary>
    public int WaitReplicas { get; set; }

    /// <summary>How long they are waited for; then the operation ends as unavailable. A millisecond to 30 seconds, default 1 second. Keep
    /// it below the timeout of the connection.</summary>
    public TimeSpan WaitReplicasTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Throws when something is out of its range.</summary>
    internal void Check()
    {
        if (KeyPrefix is null || KeyPrefix.Length > LongestPrefix || KeyPrefix.AsSpan().IndexOfAny('{', '}') >= 0)
            throw new ArgumentException($"{nameof(KeyPrefix)} must have at most {LongestPrefix} characters, none of them a brace.", nameof(KeyPrefix));
        ThrowUnless(Database >= -1, nameof(Database), Database, "Must be a number of a database, or -1.");
        ThrowUnless(MaxPayloadBytes is >= 1 and <= LargestPayload, nameof(MaxPayloadBytes), MaxPayloadBytes, $"Must be from 1 to {LargestPayload}.");
        ThrowUnless(WaitReplicas is >= 0 and <= 100, nameof(WaitReplicas), WaitReplicas, "Must be from 0 to 100.");
        ThrowUnless(
            WaitReplicasTimeout >= TimeSpan.FromMilliseconds(1) && WaitReplicasTimeout <= TimeSpan.FromSeconds(30),
            nameof(WaitReplicasTimeout), WaitReplicasTimeout, "Must be from a millisecond to 30 seconds.");
    }

    private static void ThrowUnless(bool isFine, string option, object value, string message)
    {
        if (!isFine) throw new ArgumentOutOfRangeException(option, value, message);
    }
}
