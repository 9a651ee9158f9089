using System.Reflection;
using System.Runtime.InteropServices;
using Npgsql;
using StackExchange.Redis;

namespace Resilience.Idempotency.Benchmarks;

/// <summary>What was measured on, and with which versions.</summary>
internal static class Machine
{
    internal static async Task<string> DescribeAsync(string? postgresql, string? redis)
    {
        List<string> with = [$"SQLite by Microsoft.Data.Sqlite {VersionOf(typeof(Microsoft.Data.Sqlite.SqliteConnection))}"];
        if (postgresql is not null) with.Add($"PostgreSQL {await PostgresVersionAsync(postgresql)} by Npgsql {VersionOf(typeof(NpgsqlConnection))}");
        if (redis is not null) with.Add($"Redis {await RedisVersionAsync(redis)} by StackExchange.Redis {VersionOf(typeof(ConnectionMultiplexer))}");
        return $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSArchitecture}, {Environment.ProcessorCount} processors ({Model()}), "
            + $"{RuntimeInformation.OSDescription}; {string.Join(", ", with)}. "
            + $"Load of the machine in the last 15 minutes: {File.ReadAllText("/proc/loadavg").Split(' ')[2]}. "
            + "A virtual machine that others share, and not a quiet one: read the ratios, not the nanoseconds.";
    }

    private static string Model() =>
        File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown";

    private static string VersionOf(Type type) =>
        type.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    private static async Task<string> PostgresVersionAsync(string connectionString)
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(connectionString);
        await using NpgsqlCommand command = source.CreateCommand("SHOW server_version");
        return ((string)(await command.ExecuteScalarAsync())!).Split(' ')[0];
    }

    private static async Task<string> RedisVersionAsync(string configuration)
    {
        await using ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync(configuration);
        return connection.GetServers()[0].Version.ToString();
    }
}
