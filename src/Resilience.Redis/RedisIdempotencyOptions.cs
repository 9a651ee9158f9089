using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Where the records are in Redis, and whether replicas are waited for. Read once, when the store is created.</summary>
public sealed class RedisIdempotencyOptions : PolicyOptions
{
    internal const int MaxPayload = 64 << 20;
    private const int MaxPrefixLength = 200;

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

    /// <summary>Lets the check at the start pass a Garnet server. Default false: a script there is one step only if the server was started with
    /// <c>--lua-transaction-mode</c>, which cannot be seen from outside; without it two callers may both be granted a claim.</summary>
    public bool AllowGarnet { get; set; }

    /// <inheritdoc/>
    protected override string Kind => "redis-idempotency-store";

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Require(IsPrefix(KeyPrefix), nameof(KeyPrefix), KeyPrefix, $"at most {MaxPrefixLength} characters, none of them a brace");
        check.Number(nameof(Database), Database, -1);
        check.Number(nameof(MaxPayloadBytes), MaxPayloadBytes, 1, MaxPayload);
        check.Number(nameof(WaitReplicas), WaitReplicas, 0, 100);
        check.Span(nameof(WaitReplicasTimeout), WaitReplicasTimeout, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(30));
    }

    private static bool IsPrefix(string? prefix) => prefix is { Length: <= MaxPrefixLength } && prefix.AsSpan().IndexOfAny('{', '}') < 0;
}
