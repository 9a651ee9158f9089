using System.Globalization;
using System.Net;

namespace Resilience;

/// <summary>What can make records vanish, read from what a server says of itself.</summary>
internal static class RedisSetup
{
    internal static void Warn(EndPoint server, string info, int replicas, List<string> warnings)
    {
        Dictionary<string, string> said = new(StringComparer.Ordinal);
        foreach (string line in info.Split("\r\n"))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0) said[line[..colon]] = line[(colon + 1)..];
        }

        if (!said.TryGetValue("maxmemory_policy", out string? policy)) warnings.Add($"{server} does not tell its maxmemory-policy; it must be noeviction.");
        else if (policy != "noeviction") warnings.Add($"{server} has maxmemory-policy {policy}: records vanish when memory is short. Set it to noeviction.");

        if (!said.TryGetValue("aof_enabled", out string? log)) warnings.Add($"{server} does not tell whether it has an append-only file; it must have one.");
        else if (log != "1") warnings.Add($"{server} has no append-only file: records are lost when it stops. Set appendonly to yes.");

        if (replicas > 0 && said.TryGetValue("connected_slaves", out string? connected)
            && int.TryParse(connected, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count < replicas)
        {
            warnings.Add($"{server} has {count} replicas, but {replicas} are waited for: every change will end as unavailable.");
        }
    }
}
