using Npgsql;
using StackExchange.Redis;

namespace Resilience.Idempotency.Benchmarks;

internal static class Postgres
{
    internal static async Task RunAsync(TextWriter report, string connectionString)
    {
        Console.WriteLine("PostgreSQL");
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(connectionString);
        await ExecuteAsync(source, "DROP TABLE IF EXISTS resilience_idempotency; DROP TABLE IF EXISTS bare; CREATE TABLE bare (id bytea PRIMARY KEY, a bytea, b uuid, c timestamptz, payload bytea)");
        PostgresIdempotencyStore store = new(source);
        await store.EnsureCreatedAsync();
        await Against.RunAsync(
            report, "PostgreSQL", "Npgsql, `Max Auto Prepare=20`", store,
            ("INSERT of one row of the same size, committed", async id =>
            {
                await using NpgsqlCommand command = source.CreateCommand("INSERT INTO bare VALUES ($1, $2, $3, clock_timestamp(), NULL)");
                command.Parameters.Add(new() { Value = id.ToArray() });
                command.Parameters.Add(new() { Value = new byte[32] });
                command.Parameters.Add(new() { Value = Guid.NewGuid() });
                await command.ExecuteNonQueryAsync();
            }
        ),
            ("UPDATE of that row, committed", async id =>
            {
                await using NpgsqlCommand command = source.CreateCommand("UPDATE bare SET payload = $2 WHERE id = $1");
                command.Parameters.Add(new() { Value = id.ToArray() });
                command.Parameters.Add(new() { Value = new byte[100] });
                await command.ExecuteNonQueryAsync();
            }
        ),
            ("SELECT of that row", async id =>
            {
                await using NpgsqlCommand command = source.CreateCommand("SELECT payload FROM bare WHERE id = $1");
                command.Parameters.Add(new() { Value = id.ToArray() });
                await command.ExecuteScalarAsync();
            }
        ));
        await ExecuteAsync(source, "TRUNCATE resilience_idempotency");
        double rate = await Sqlite.KeysAsync(store, 32, 1000, 100);
        await using NpgsqlCommand size = source.CreateCommand("SELECT pg_total_relation_size('resilience_idempotency')");
        report.WriteLine();
        report.WriteLine($"{rate:#,0} keys a second with 32 callers; {(long)(await size.ExecuteScalarAsync())! / 32_000.0:0} bytes of table and indexes for each key, before any vacuum.");
    }

    /// <summary>Processor time of the server's process and of ours, on one connection: on a busy machine the only time that says something.</summary>
    internal static async Task ProcessorTimeAsync(TextWriter report, string connectionString)
    {
        Console.WriteLine("PostgreSQL, processor time");
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(connectionString + ";Maximum Pool Size=1");
        await ExecuteAsync(source, "DROP TABLE IF EXISTS resilience_idempotency; DROP TABLE IF EXISTS bare; CREATE TABLE bare (id bytea PRIMARY KEY, a bytea, b uuid, c timestamptz, payload bytea)");
        PostgresIdempotencyStore store = new(source);
        await store.EnsureCreatedAsync();
        await using NpgsqlCommand which = source.CreateCommand("SELECT pg_backend_pid()");
        string spent = $"/proc/{await which.ExecuteScalarAsync()}/schedstat";
        const int Rounds = 300, Times = 25; // short turns: a machine that is busy for a second is so for all
        IdempotencyId[] ids = new IdempotencyId[Times];
        long[] fences = new long[Times];
        byte[] payload = new byte[112];
        async Task BareAsync(string sql, params object[] values)
        {
            await using NpgsqlCommand command = source.CreateCommand(sql);
            foreach (object value in values) command.Parameters.Add(new() { Value = value });
            await command.ExecuteNonQueryAsync();
        }

        (string Name, Func<int, Task> Run, List<double> Server, List<double> Client)[] all =
        [
            ("bare: INSERT", i => BareAsync("INSERT INTO bare VALUES ($1, $2, $3, clock_timestamp(), NULL)", ids[i].ToArray(), new byte[32], Guid.NewGuid()),
                [], []),
            ("claim of a new key", async i => fences[i] = (await store.TryAcquireAsync(Sqlite.Request(ids[i]))).Fence, [], []),
            ("bare: UPDATE", i => BareAsync("UPDATE bare SET payload = $2 WHERE id = $1", ids[i].ToArray(), payload), [], []),
            ("completion", i => store.CompleteAsync(ids[i], fences[i], IdempotencyCompletion.Completed, payload, TimeSpan.FromHours(1)).AsTask(), [], []),
            ("bare: SELECT", i => BareAsync("SELECT payload FROM bare WHERE id = $1", ids[i].ToArray()), [], []),
            ("replay", i => store.TryAcquireAsync(Sqlite.Request(ids[i])).AsTask(), [], []),
        ];
        for (int round = -20; round < Rounds; round++)
        {
            for (int i = 0; i < Times; i++) ids[i] = Sqlite.NewId();
            foreach ((_, Func<int, Task> run, List<double> server, List<double> client) in all)
            {
                double before = Spent(spent), mine = Environment.CpuUsage.TotalTime.TotalMicroseconds;
                for (int i = 0; i < Times; i++) await run(i);
                if (round < 0) continue;
                server.Add((Spent(spent) - before) / Times);
                client.Add((Environment.CpuUsage.TotalTime.TotalMicroseconds - mine) / Times);
            }
        }

        string[] aims = ["at most 1.2", "no index entry moves", "one round trip; at most 300 ns from the local cache"];
        report.WriteLine();
        report.WriteLine("## PostgreSQL, processor time");
        report.WriteLine();
        report.WriteLine($"One connection, {Times:#,0} calls a round in turns, medians of {Rounds} rounds; of the server's process and of the client's. Aim: a claim at most 1.2 of the bare INSERT.");
        report.WriteLine();
        report.WriteLine("| what | server | client | both, of the bare statement |");
        report.WriteLine("|---|---|---|---|");
        for (int i = 0; i < all.Length; i++)
        {
            (string Name, Func<int, Task> Run, List<double> Server, List<double> Client) against = all[i / 2 * 2];
            double bare = Median(against.Server) + Median(against.Client);
            if (i % 2 == 1)
            {
                Aims.Add(
                    $"PostgreSQL: {all[i].Name}, processor time of server and client",
                    $"{Median(all[i].Server):0} + {Median(all[i].Client):0} µs",
                    $"{(Median(all[i].Server) + Median(all[i].Client)) / bare:0.00} of {against.Name["bare: ".Length..]} (the server alone {Median(all[i].Server) / Median(against.Server):0.00})",
                    aims[i / 2]);
            }

            report.WriteLine($"| {all[i].Name} | {Median(all[i].Server):0} µs | {Median(all[i].Client):0} µs | {(Median(all[i].Server) + Median(all[i].Client)) / bare:0.00} |");
        }

        await HotAsync(report, source);

        static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
        static double Spent(string file) => long.Parse(File.ReadAllText(file).Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture) / 1000.0;
    }

    /// <summary>How many of the completions before this moved no entry of an index, and what of churn stays in the table.</summary>
    private static async Task HotAsync(TextWriter report, NpgsqlDataSource source)
    {
        const string Counted = "SELECT 100.0 * n_tup_hot_upd / greatest(n_tup_upd, 1) FROM pg_stat_user_tables WHERE relname = 'resilience_idempotency'";
        await ExecuteAsync(source, "SELECT pg_stat_force_next_flush()");
        await using NpgsqlCommand hot = source.CreateCommand(Counted);
        string share = $"{Convert.ToDouble(await hot.ExecuteScalarAsync(), System.Globalization.CultureInfo.InvariantCulture):0.0} % of the updates were HOT";
        PostgresIdempotencyStore store = new(source);
        List<long> sizes = [];
        for (int round = 0; round < 6; round++)
        {
            await Sqlite.KeysAsync(store, 1, 2000, 100);
            await ExecuteAsync(source, "UPDATE resilience_idempotency SET expires_at = now() - interval '1 second'");
            await store.PurgeAsync(int.MaxValue);
            await ExecuteAsync(source, "VACUUM resilience_idempotency");
            await using NpgsqlCommand size = source.CreateCommand("SELECT pg_total_relation_size('resilience_idempotency')");
            sizes.Add((long)(await size.ExecuteScalarAsync())!);
        }

        string churn = $"table and indexes after each round of churn: {string.Join(", ", sizes.Select(s => $"{s / 1024.0:0} KiB"))}";
        Aims.Add("PostgreSQL: completions", share, churn, "HOT possible; churn stays flat");
        report.WriteLine();
        report.WriteLine($"Completions: {share}. A round of churn is 2,000 keys that are claimed, completed, expired, purged and vacuumed; {churn}.");
    }

    private static async Task ExecuteAsync(NpgsqlDataSource source, string sql)
    {
        await using NpgsqlCommand command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}

internal static class Redis
{
    internal static async Task RunAsync(TextWriter report, string configuration)
    {
        Console.WriteLine("Redis");
        await using ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync(configuration);
        IDatabase database = connection.GetDatabase();
        RedisIdempotencyStore store = new(connection);
        const string Nothing = "return redis.call('HSET', KEYS[1], 'a', ARGV[1])";
        await Against.RunAsync(
            report, "Redis", "StackExchange.Redis", store,
            ("a script with one HSET", id => database.ScriptEvaluateAsync(Nothing, [(RedisKey)$"b:{id.ToHex()}"], [new byte[32]])),
            ("a script with one HSET of the payload", id => database.ScriptEvaluateAsync(Nothing, [(RedisKey)$"b:{id.ToHex()}"], [new byte[100]])),
            ("HGET", id => database.HashGetAsync($"b:{id.ToHex()}", "a")));
        await database.ExecuteAsync("FLUSHALL");
        long before = await MemoryAsync(database);
        double rate = await Sqlite.KeysAsync(store, 32, 1000, 100);
        report.WriteLine();
        report.WriteLine($"{rate:#,0} keys a second with 32 callers; {(await MemoryAsync(database) - before) / 32_000.0:0} bytes of memory for each key.");
    }

    /// <summary>What the server itself takes for a script, by its own count: neither the client nor the network is in it.</summary>
    internal static async Task ServerTimeAsync(TextWriter report, string configuration)
    {
        Console.WriteLine("Redis, server time");
        await using ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync(configuration);
        IDatabase database = connection.GetDatabase();
        await database.ExecuteAsync("FLUSHALL");
        RedisIdempotencyStore store = new(connection);
        const int Rounds = 9, Times = 3000;
        const string Bare = "return redis.call('HSET', KEYS[1], 'a', ARGV[1])";
        IdempotencyId[] ids = new IdempotencyId[Times];
        long[] fences = new long[Times];
        byte[] payload = new byte[112];
        (string Name, Func<int, Task> Run, List<double> Took)[] all =
        [
            ("bare: a script with one HSET", i => database.ScriptEvaluateAsync(Bare, [(RedisKey)$"b:{ids[i].ToHex()}"], [new byte[32]]), []),
            ("claim of a new key", async i => fences[i] = (await store.TryAcquireAsync(Sqlite.Request(ids[i]))).Fence, []),
            ("completion", i => store.CompleteAsync(ids[i], fences[i], IdempotencyCompletion.Completed, payload, TimeSpan.FromHours(1)).AsTask(), []),
            ("replay", i => store.TryAcquireAsync(Sqlite.Request(ids[i])).AsTask(), []),
        ];
        for (int round = -1; round < Rounds; round++)
        {
            for (int i = 0; i < Times; i++) ids[i] = Sqlite.NewId();
            foreach ((_, Func<int, Task> run, List<double> took) in all)
            {
                await database.ExecuteAsync("CONFIG", "RESETSTAT");
                for (int i = 0; i < Times; i += 10) await Task.WhenAll(Enumerable.Range(i, 10).Select(run));
                string stats = (string)(await database.ExecuteAsync("INFO", "commandstats"))!;
                double[] counted = [.. new[] { "cmdstat_eval:", "cmdstat_evalsha:" }.Select(name => Total(stats, name))];
                if (round >= 0) took.Add(counted.Sum() / Times);
            }
        }

        report.WriteLine();
        report.WriteLine("## Redis, time of the server");
        report.WriteLine();
        report.WriteLine(
            $"By the server's own count (`INFO commandstats`), {Times:#,0} calls a round in turns, medians of {Rounds} rounds. Aim: a claim at most 16 µs.");
        report.WriteLine();
        report.WriteLine("| what | server time | of the bare script |");
        report.WriteLine("|---|---|---|");
        double bare = Median(all[0].Took);
        foreach ((string name, _, List<double> took) in all) report.WriteLine($"| {name} | {Median(took):0.0} µs | {Median(took) / bare:0.00} |");
        Aims.Add("Redis: server time of a claim", $"{Median(all[1].Took):0.0} µs",
            $"{Median(all[1].Took) / bare:0.00} of a script with one HSET ({bare:0.0} µs)", "at most 16 µs where the bare script takes 6.3");
        await database.ExecuteAsync("FLUSHALL");
        long before = await MemoryAsync(database);
        for (int i = 0; i < 20_000; i++)
        {
            IdempotencyId id = Sqlite.NewId();
            await store.CompleteAsync(id, (await store.TryAcquireAsync(Sqlite.Request(id))).Fence, IdempotencyCompletion.Completed, payload,
                TimeSpan.FromHours(1));
        }

        double each = (await MemoryAsync(database) - before) / 20_000.0;
        Aims.Add("Redis: memory for a completed key with a payload of 100 bytes", $"{each:0} bytes", "", "at most 500 bytes");
        report.WriteLine();
        report.WriteLine($"{each:0} bytes of memory for each of 20,000 completed keys with payloads of 100 bytes in their frame. Aim: at most 500.");

        static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
        static double Total(string stats, string name)
        {
            int at = stats.IndexOf(name, StringComparison.Ordinal);
            if (at < 0) return 0;
            string line = stats[at..stats.IndexOf('\r', at)];
            return double.Parse(line.Split("usec=")[1].Split(',')[0], System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    internal static async Task<long> MemoryAsync(IDatabase database)
    {
        string info = (string)(await database.ScriptEvaluateAsync("return redis.call('INFO', 'memory')"))!;
        return long.Parse(info.Split("used_memory:")[1].Split('\r')[0], System.Globalization.CultureInfo.InvariantCulture);
    }
}

/// <summary>One operation at a time, ours and the client's own in turns.</summary>
internal static class Against
{
    internal static async Task RunAsync(
        TextWriter report,
        string name,
        string client,
        IIdempotencyStore store,
        (string Name, Func<IdempotencyId, Task> Run) insert,
        (string Name, Func<IdempotencyId, Task> Run) update,
        (string Name, Func<IdempotencyId, Task> Run) read)
    {
        const int Times = 300, Rounds = 15;
        TimeSpan hour = TimeSpan.FromHours(1);
        IdempotencyId[] ids = new IdempotencyId[Times];
        long[] fences = new long[Times];
        Measure ourClaim = new("claim", async times =>
        {
            for (int i = 0; i < times; i++)
            {
                ids[i] = Sqlite.NewId();
                fences[i] = (await store.TryAcquireAsync(Sqlite.Request(ids[i]))).Fence;
            }
        });
        Measure ourEnd = new("complete", async times =>
        {
            for (int i = 0; i < times; i++) await store.CompleteAsync(ids[i], fences[i], IdempotencyCompletion.Completed, new byte[100], hour);
        });
        Measure ourReplay = new("replay", async times =>
        {
            for (int i = 0; i < times; i++) await store.TryAcquireAsync(Sqlite.Request(ids[i]));
        });
        Measure Bare((string Name, Func<IdempotencyId, Task> Run) one) => new(one.Name, async times =>
        {
            for (int i = 0; i < times; i++) await one.Run(ids[i]);
        });
        Measure bareInsert = Bare(insert), bareUpdate = Bare(update), bareRead = Bare(read);
        await Measure.TakeTurnsAsync(Rounds, Times, ourClaim, bareInsert, ourEnd, bareUpdate, ourReplay, bareRead);

        report.WriteLine();
        report.WriteLine($"## {name}");
        report.WriteLine();
        report.WriteLine($"One caller, one operation at a time, over loopback, beside the same client's ({client}) own bare call. Aim: at most 1.2 of it.");
        report.WriteLine();
        report.WriteLine("| ours | time | the bare call | time | ratio |");
        report.WriteLine("|---|---|---|---|---|");
        foreach ((Measure ours, Measure bare) in new[] { (ourClaim, bareInsert), (ourEnd, bareUpdate), (ourReplay, bareRead) })
            report.WriteLine($"| {ours.Name} | {ours.Nanoseconds / 1000:0} µs | {bare.Name} | {bare.Nanoseconds / 1000:0} µs | {ours.Nanoseconds / bare.Nanoseconds:0.00} |");
    }
}
