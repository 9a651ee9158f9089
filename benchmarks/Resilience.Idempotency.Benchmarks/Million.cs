using Npgsql;
using StackExchange.Redis;

namespace Resilience.Idempotency.Benchmarks;

/// <summary>A million completed keys with payloads of 100 bytes in each of the other stores: what they take.</summary>
internal static class Million
{
    private const int Callers = 64, Each = 1_000_000 / Callers;

    internal static async Task RunAsync(TextWriter report, string? postgresql, string? redis)
    {
        Console.WriteLine("a million keys");
        report.WriteLine();
        report.WriteLine("## A million keys");
        report.WriteLine();
        report.WriteLine(
            "Completed, with payloads of 100 bytes; written by 64 callers with the disk not waited for, because the bytes are what is asked here.");
        report.WriteLine();
        report.WriteLine("| store | bytes for each key | keys a second |");
        report.WriteLine("|---|---|---|");
        DirectoryInfo folder = Directory.CreateDirectory(Path.Combine(Environment.CurrentDirectory, "artifacts", "idempotency-benchmark"));
        string file = Path.Combine(folder.FullName, "million.db");
        double rate;
        await using (
            SqliteIdempotencyStore sqlite = new(new SqliteIdempotencyOptions { ConnectionString = $"Data Source={file}", SurvivesPowerFailure = false }))
            rate = await Sqlite.KeysAsync(sqlite, Callers, Each, 100);
        Write(report, "SQLite, the file", new FileInfo(file).Length, rate);
        folder.Delete(recursive: true);

        if (postgresql is not null)
        {
            await using NpgsqlDataSource source = NpgsqlDataSource.Create(postgresql + ";Options=-c synchronous_commit=off;Maximum Pool Size=64");
            await using (NpgsqlCommand drop = source.CreateCommand("DROP TABLE IF EXISTS resilience_idempotency")) await drop.ExecuteNonQueryAsync();
            PostgresIdempotencyStore store = new(source);
            await store.EnsureCreatedAsync();
            rate = await Sqlite.KeysAsync(store, Callers, Each, 100);
            await using (NpgsqlCommand vacuum = source.CreateCommand("VACUUM resilience_idempotency")) await vacuum.ExecuteNonQueryAsync();
            await using NpgsqlCommand size = source.CreateCommand("SELECT pg_total_relation_size('resilience_idempotency')");
            Write(report, "PostgreSQL, table and indexes after a vacuum", (long)(await size.ExecuteScalarAsync())!, rate);
        }

        if (redis is not null)
        {
            await using ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync(redis);
            await connection.GetDatabase().ExecuteAsync("FLUSHALL");
            long before = await Redis.MemoryAsync(connection.GetDatabase());
            rate = await Sqlite.KeysAsync(new RedisIdempotencyStore(connection), Callers, Each, 100);
            Write(report, "Redis, memory", await Redis.MemoryAsync(connection.GetDatabase()) - before, rate);
        }
    }

    private static void Write(TextWriter report, string name, long bytes, double rate) =>
        report.WriteLine($"| {name} | {bytes / (double)(Callers * Each):0} | {rate:#,0} |");
}
