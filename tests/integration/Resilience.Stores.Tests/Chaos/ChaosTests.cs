using System.Diagnostics;
using Npgsql;
using Resilience.StoreChaos;
using Resilience.StoreTests.Servers;
using Resilience.Tests.Support;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace Resilience.Idempotency.Tests.Chaos;

/// <summary>Worker processes that kill and freeze themselves, a server that is killed and comes back, a network that loses replies; and a checker who
/// reads the histories afterwards.</summary>
public sealed class ChaosTests(ITestOutputHelper output)
{
    private static readonly bool IsDeep = Environment.GetEnvironmentVariable("RESILIENCE_DEEP") is not null;

    /// <summary>At least so long a run lasts; it goes on until enough has happened, however slow the machine is.</summary>
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(IsDeep ? 60 : 8);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task Workers_on_one_sqlite_file_that_die_and_freeze_keep_one_outcome_per_key()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("resilience-chaos");
        string connection = $"Data Source={Path.Combine(folder.FullName, "keys.db")}";
        await using SqliteIdempotencyStore store = new(connection);
        Judge(await RunAsync("sqlite", connection, store, "none", Length)).Violations.Should().BeEmpty();
        await store.DisposeAsync();
        folder.Delete(recursive: true);
    }

    [Fact]
    [Requires(Tool.PostgreSql)]
    public async Task Workers_on_postgresql_that_is_killed_and_whose_replies_are_lost_keep_one_outcome_per_key()
    {
        PostgresServer server = new(durable: true);
        await server.InitializeAsync();
        await using FaultProxy proxy = new(server.Port);
        await using NpgsqlDataSource source = server.Connect();
        PostgresIdempotencyStore store = new(source);
        await store.EnsureCreatedAsync();

        ChaosVerdict verdict = await RunAsync(
            "postgresql", server.ConnectionStringAt(proxy.Port) + ";Maximum Pool Size=8", store, "none", Length, proxy, async () =>
            {
                server.KillHard();
                NpgsqlConnection.ClearAllPools();
                await server.StartAgainAsync();
            });

        await server.DisposeAsync();
        Judge(verdict).Violations.Should().BeEmpty();
    }

    [Fact]
    [Requires(Tool.Redis)]
    public async Task Workers_on_redis_that_is_killed_and_whose_replies_are_lost_keep_one_outcome_per_key()
    {
        RedisServer server = RedisServer.Durable();
        await server.InitializeAsync();
        await using FaultProxy proxy = new(server.Port);
        await using ConnectionMultiplexer connection = await server.ConnectAsync("abortConnect=false");

        ChaosVerdict verdict = await RunAsync(
            "redis", $"127.0.0.1:{proxy.Port},connectTimeout=500,asyncTimeout=500,syncTimeout=500", new RedisIdempotencyStore(connection), "none", Length, proxy, async () =>
            {
                server.KillHard();
                await server.StartAgainAsync();
            });

        await connection.DisposeAsync();
        await server.DisposeAsync();
        Judge(verdict).Violations.Should().BeEmpty();
    }

    [Theory]
    [InlineData("no-fence", "though a later claim was granted")]
    [InlineData("double-grant", "attempt 1 followed attempt 1")]
    public async Task A_planted_bug_is_found(string bug, string complaint)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("resilience-chaos");
        string connection = $"Data Source={Path.Combine(folder.FullName, "keys.db")}";
        await using SqliteIdempotencyStore store = new(connection);
        ChaosVerdict verdict = await RunAsync("sqlite", connection, store, bug, TimeSpan.Zero, isEnough: v => v.Violations.Any(x => x.Contains(complaint)));
        output.WriteLine(verdict.ToString());
        await store.DisposeAsync();
        folder.Delete(recursive: true);

        verdict.Violations.Should().Contain(v => v.Contains(complaint), "no teeth, no trust");
    }

    private static bool HasHappened(ChaosVerdict verdict) => verdict is { Executions: > 5, Kept: > 3 };

    private ChaosVerdict Judge(ChaosVerdict verdict)
    {
        output.WriteLine(verdict.ToString());
        return verdict;
    }

    private async Task<ChaosVerdict> RunAsync(
        string name, string connection, IIdempotencyStore store, string bug, TimeSpan atLeast, FaultProxy? proxy = null, Func<Task>? killServer = null, Func<ChaosVerdict, bool>? isEnough = null)
    {
        DirectoryInfo histories = Directory.CreateTempSubdirectory("resilience-histories");
        Random random = new(7);
        List<Process> workers = [];
        int spawned = 0, killed = 0, thawed = 0;
        void Spawn() => workers.Add(Start(name, connection, Path.Combine(histories.FullName, $"{spawned}"), ++spawned, bug));
        try
        {
            for (int i = 0; i < 3; i++) Spawn();
            bool serverWasKilled = killServer is null;
            isEnough ??= HasHappened;
            long start = Machine.NowMs, end = start + (long)atLeast.TotalMilliseconds;
            while (Machine.NowMs < end || !serverWasKilled || !isEnough(HistoryChecker.Check(Read(histories), new Dictionary<string, string?>(), Machine.LeaseMs)))
            {
                if (Machine.NowMs > end + Patience.TotalMilliseconds)
                    throw new TimeoutException($"Too little happened within {Patience}: {HistoryChecker.Check(Read(histories), new Dictionary<string, string?>(), Machine.LeaseMs)}");
                await Task.Delay(random.Next(Machine.LeaseMs, 2 * Machine.LeaseMs));
                foreach (Process worker in workers.ToArray())
                {
                    if (worker.HasExited)
                    {
                        workers.Remove(worker);
                        worker.Dispose();
                        killed++;
                        Spawn();
                    }
                    else if (Machine.Signal(worker.Id, 18))
                    {
                        thawed++;
                    }
                }

                if (proxy is not null) proxy.Fault = random.Next(4) == 0 ? Fault.LoseReply : Fault.None;
                if (!serverWasKilled && Machine.NowMs > start + ((end - start) / 2))
                {
                    serverWasKilled = true;
                    await killServer!();
                }
            }
        }
        finally
        {
            foreach (Process worker in workers)
            {
                worker.Kill();
                await worker.WaitForExitAsync();
                worker.Dispose();
            }
        }

        List<Entry> entries = Read(histories);
        Dictionary<string, string?> stored = await ReadOutcomesAsync(store, entries.Select(e => e.Key).Distinct());
        histories.Delete(recursive: true);
        output.WriteLine($"{name}, bug: {bug}; {killed} workers died, {thawed} signals to go on");
        return HistoryChecker.Check(entries, stored, Machine.LeaseMs);
    }

    /// <summary>What the store holds; and no key is held longer than a lease by those who are gone.</summary>
    private static async Task<Dictionary<string, string?>> ReadOutcomesAsync(IIdempotencyStore store, IEnumerable<string> keys)
    {
        Dictionary<string, string?> stored = [];
        foreach (string key in keys)
        {
            long since = Machine.NowMs;
            while (true)
            {
                AcquireResult answer = await AskAsync(store, key);
                if (answer.Status == AcquireStatus.InFlight)
                {
                    (Machine.NowMs - since).Should().BeLessThan(Machine.LeaseMs + 2000, $"{key} must not be stuck");
                    await Task.Delay(answer.RetryAfter + TimeSpan.FromMilliseconds(5));
                    continue;
                }

                stored[key] = answer.Status == AcquireStatus.Completed ? TextOf(answer.Payload) + "." : null;
                break;
            }
        }

        return stored;
    }

    /// <summary>The first connections after a kill of the server may be dead ones of the pool.</summary>
    private static async Task<AcquireResult> AskAsync(IIdempotencyStore store, string key)
    {
        for (int tries = 1; ; tries++)
        {
            try
            {
                return await store.TryAcquireAsync(new()
                {
                    Id = IdempotencyKey.Shared(key).ToId(),
                    Fingerprint = Fingerprint.Of("chaos"),
                    Nonce = Guid.NewGuid(),
                    Lease = TimeSpan.FromMinutes(1),
                    Retention = TimeSpan.FromHours(1),
                    MaxAttempts = int.MaxValue,
                });
            }
            catch (IdempotencyStoreException failed) when (failed.IsTransient && tries < 50)
            {
                await Task.Delay(100);
            }
        }
    }

    private static string TextOf(ReadOnlyMemory<byte> payload)
    {
        IdempotencyPayload.Decode(payload, out _, out ReadOnlyMemory<byte> content).Should().Be(IdempotencyPayloadCheck.Whole);
        return System.Text.Encoding.UTF8.GetString(content.Span);
    }

    private static List<Entry> Read(DirectoryInfo histories)
    {
        List<Entry> entries = [];
        foreach (FileInfo file in histories.GetFiles())
        {
            using StreamReader reader = new(new FileStream(file.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            while (reader.ReadLine() is { } line)
            {
                if (Entry.Parse(line) is { } entry) entries.Add(entry);
            }
        }

        return entries;
    }

    private static Process Start(string store, string connection, string history, int seed, string bug)
    {
        // With the frameworks and packages of these tests, of which some are not beside the worker.
        string tests = typeof(ChaosTests).Assembly.Location;
        string[] host = ["exec", "--runtimeconfig", Path.ChangeExtension(tests, ".runtimeconfig.json"), "--depsfile", Path.ChangeExtension(tests, ".deps.json")];
        ProcessStartInfo start = new("dotnet", [.. host, typeof(Entry).Assembly.Location, store, connection, history, $"{seed}", bug]) { RedirectStandardError = true };
        start.Environment["DOTNET_TieredPGO"] = "0";
        Process process = Process.Start(start)!;
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginErrorReadLine();
        return process;
    }
}
