using System.Globalization;
using System.Net;

namespace Resilience.Idempotency;

/// <summary>What can make records vanish, read from what a server says of itself.</summary>
internal static class RedisSetup
{
    /// <exception cref="IdempotencyStoreException">The server throws records away when its memory is short, or may not run a script as one step.</exception>
    internal static void Warn(EndPoint server, string info, RedisIdempotencyOptions options, List<string> warnings)
    {
        Dictionary<string, string> said = new(StringComparer.Ordinal);
        foreach (string line in info.Split("\r\n"))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0) said[line[..colon]] = line[(colon + 1)..];
        }

        if (said.ContainsKey("garnet_version") && !options.AllowGarnet)
        {
            throw new IdempotencyStoreException(
                IdempotencyStoreFault.Misconfigured,
                $"{server} is Garnet, which runs a script as one step only with --lua-transaction-mode and does not tell whether it has that: "
                + $"two callers could both be granted a claim. Start it so and set {nameof(RedisIdempotencyOptions.AllowGarnet)}, or use Redis.");
        }

        const string Evicted = "records vanish when memory is short, and what they stood for is executed again. Set it to noeviction.";
        if (!said.TryGetValue("maxmemory_policy", out string? policy)) warnings.Add($"{server} does not tell its maxmemory-policy; it must be noeviction.");
        else if (policy != "noeviction" && said.TryGetValue("maxmemory", out string? max) && max != "0")
            throw new IdempotencyStoreException(IdempotencyStoreFault.Misconfigured, $"{server} has maxmemory-policy {policy}: {Evicted}");
        else if (policy != "noeviction") warnings.Add($"{server} has maxmemory-policy {policy}, if without a bound: {Evicted}");

        if (!said.TryGetValue("aof_enabled", out string? log)) warnings.Add($"{server} does not tell whether it has an append-only file; it must have one.");
        else if (log != "1") warnings.Add($"{server} has no append-only file: records are lost when it stops. Set appendonly to yes.");

        if (options.WaitReplicas > 0 && said.TryGetValue("connected_slaves", out string? connected)
            && int.TryParse(connected, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count < options.WaitReplicas)
        {
            warnings.Add($"{server} has {count} replicas, but {options.WaitReplicas} are waited for: every change will end as unavailable.");
        }
    }
}
