using System.Diagnostics;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Idempotency.Benchmarks;

internal static class InMemory
{
    private const int Times = 50_000, Rounds = 15;

    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly byte[] Payload = new byte[100];

    internal static async Task RunAsync(TextWriter report)
    {
        Console.WriteLine("in memory");
        using ServiceProvider services = new ServiceCollection().AddHybridCache().Services.BuildServiceProvider();
        HybridCache cache = services.GetRequiredService<HybridCache>();
        InMemoryIdempotencyStore store = new(new() { MaxRecords = 100_000_000, MaxBytes = 32L << 30 });
        using IdempotencyGate gate = new(store);
        IdempotencyId[] ids = new IdempotencyId[Times];
        int series = 0;
        void NewIds()
        {
            byte[] bytes = new byte[32];
            for (int i = 0; i < ids.Length; i++)
            {
                Random.Shared.NextBytes(bytes);
                ids[i] = IdempotencyId.FromBytes(bytes);
            }
        }

        NewIds();
        IdempotencyId done = ids[0];
        AcquireResult claim = await store.TryAcquireAsync(Request(done));
        await store.CompleteAsync(done, claim.Fence, IdempotencyCompletion.Completed, IdempotencyPayload.Encode(IdempotencyPayloadKind.Value, "\"receipt\""u8),
            Hour);
        await gate.GetOrAddAsync(IdempotencyKey.Shared("known"), static (_, _) => new ValueTask<string>("receipt"));
        await cache.GetOrCreateAsync("known", static _ => new ValueTask<string>("receipt"));

        Measure claims = new("store: claim + complete, a new key", async times =>
        {
            for (int i = 0; i < times; i++)
            {
                AcquireResult answer = await store.TryAcquireAsync(Request(ids[i]));
                await store.CompleteAsync(ids[i], answer.Fence, IdempotencyCompletion.Completed, Payload, Hour);
            }
        });
        InMemoryIdempotencyStore small = new(new() { MaxRecords = 100_000_000, MaxBytes = 32L << 30 });
        TimeSpan moment = TimeSpan.FromMilliseconds(5);
        Measure steady = new("store: claim + complete, a new key, while as many expire", async times =>
        {
            for (int i = 0; i < times; i++)
            {
                AcquireResult answer = await small.TryAcquireAsync(Request(ids[i]) with { Lease = moment, Retention = moment });
                await small.CompleteAsync(ids[i], answer.Fence, IdempotencyCompletion.Completed, Payload, moment);
            }
        });
        Measure replays = new("store: replay", async times =>
        {
            for (int i = 0; i < times; i++) await store.TryAcquireAsync(Request(done));
        });
        Measure gates = new("gate: claim + complete, a new key", async times =>
        {
            for (int i = 0; i < times; i++) await (await gate.EnterAsync(ids[i], default)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Payload);
        });
        Measure gateReplays = new("gate: replay", async times =>
        {
            for (int i = 0; i < times; i++) await gate.EnterAsync(done, default);
        });
        Measure hash = new("the id of a key (SHA-256)", times =>
        {
            for (int i = 0; i < times; i++) _ = new IdempotencyKey("tenant-7", "8e03978e-40d5-43dd-bc93-6894a57f9324").ToId();
            return Task.CompletedTask;
        });
        Measure adds = new("`GetOrAddAsync<string>`, created", async times =>
        {
            series++;
            for (int i = 0; i < times; i++) await gate.GetOrAddAsync(IdempotencyKey.Shared($"{series}/{i}"), static (_, _) => new ValueTask<string>("receipt"));
        });
        Measure gets = new("`GetOrAddAsync<string>`, found", async times =>
        {
            for (int i = 0; i < times; i++) await gate.GetOrAddAsync(IdempotencyKey.Shared("known"), static (_, _) => new ValueTask<string>("receipt"));
        });
        Measure cacheAdds = new("HybridCache 10.11.0 `GetOrCreateAsync<string>`, created", async times =>
        {
            series++;
            for (int i = 0; i < times; i++) await cache.GetOrCreateAsync($"{series}/{i}", static _ => new ValueTask<string>("receipt"));
        });
        Measure cacheGets = new("HybridCache 10.11.0 `GetOrCreateAsync<string>`, found", async times =>
        {
            for (int i = 0; i < times; i++) await cache.GetOrCreateAsync("known", static _ => new ValueTask<string>("receipt"));
        });
        for (int round = -3; round < Rounds; round++)
        {
            NewIds(); // a key is new only once
            await Measure.OnceAsync(Times, round >= 0, claims);
            NewIds();
            await Measure.OnceAsync(Times, round >= 0, gates);
            NewIds();
            await Measure.OnceAsync(Times, round >= 0, steady);
        }

        await Measure.TakeTurnsAsync(Rounds, Times, replays, gateReplays, hash, adds, cacheAdds, gets, cacheGets);

        report.WriteLine();
        report.WriteLine("## In memory");
        report.WriteLine();
        report.WriteLine("Aims: claim + complete below 300 ns, replay below 150 ns, of the store, with the id at hand.");
        report.WriteLine();
        report.WriteLine("| what | time | bytes allocated |");
        report.WriteLine("|---|---|---|");
        foreach (Measure one in new[] { claims, steady, replays, gates, gateReplays, hash })
            report.WriteLine($"| {one.Name} | {one.Nanoseconds:0} ns | {one.Bytes:0} |");
        report.WriteLine();
        report.WriteLine(
            "Beside a cache, where both do comparable work: keep what was created under a key, once for many callers at a time. A cache promises less (it may forget, and has no "
            + "claim, lease or fence) and does less (it keeps the object, we keep bytes). IdempotentAPI, the best-known library of endpoints with keys, is not compared: "
            + "its package could not be had where this was measured.");
        report.WriteLine();
        report.WriteLine("| what | time | bytes allocated |");
        report.WriteLine("|---|---|---|");
        foreach (Measure one in new[] { adds, cacheAdds, gets, cacheGets }) report.WriteLine($"| {one.Name} | {one.Nanoseconds:0} ns | {one.Bytes:0} |");
        report.WriteLine();
        await ThreadsAsync(report);
        await MillionAsync(report);
    }

    private static AcquireRequest Request(IdempotencyId id) =>
        new() { Id = id, Nonce = Guid.AllBitsSet, Lease = Hour, Retention = Hour, MaxAttempts = 5 };

    private static async Task ThreadsAsync(TextWriter report)
    {
        report.WriteLine("| threads | claim + complete, different keys | replay, one key | claim of one held key |");
        report.WriteLine("|---|---|---|---|");
        foreach (int threads in new[] { 1, 2, 4, 8 })
        {
            InMemoryIdempotencyStore store = new(new() { MaxRecords = 100_000_000, MaxBytes = 32L << 30 });
            IdempotencyId done = IdempotencyKey.Shared("done").ToId(), held = IdempotencyKey.Shared("held").ToId();
            AcquireResult claim = await store.TryAcquireAsync(Request(done));
            await store.CompleteAsync(done, claim.Fence, IdempotencyCompletion.Completed, Payload, Hour);
            await store.TryAcquireAsync(Request(held));
            AcquireRequest rival = Request(held) with { Nonce = Guid.NewGuid() };
            double different = await RateAsync(threads, (thread, i) =>
            {
                Span<byte> bytes = stackalloc byte[32];
                BitConverter.TryWriteBytes(bytes, ((long)thread << 40) + i * 0x9E3779B97F4AL);
                BitConverter.TryWriteBytes(bytes[8..], i);
                IdempotencyId id = IdempotencyId.FromBytes(bytes);
                AcquireResult answer = store.TryAcquireAsync(Request(id)).Result;
                _ = store.CompleteAsync(id, answer.Fence, IdempotencyCompletion.Completed, Payload, Hour).Result;
            });
            double same = await RateAsync(threads, (_, _) => _ = store.TryAcquireAsync(Request(done)).Result);
            double contended = await RateAsync(threads, (_, _) => _ = store.TryAcquireAsync(rival).Result);
            report.WriteLine($"| {threads} | {different / 1e6:0.0} million/s | {same / 1e6:0.0} million/s | {contended / 1e6:0.0} million/s |");
        }

        report.WriteLine();
    }

    private static async Task<double> RateAsync(int threads, Action<int, long> act)
    {
        const int Each = 300_000;
        for (int i = 0; i < 10_000; i++) act(threads + 1, i);
        long start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, threads).Select(t => Task.Factory.StartNew(
            () =>
            {
                for (long i = 0; i < Each; i++) act(t, i);
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        return threads * (double)Each / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static async Task MillionAsync(TextWriter report)
    {
        const int Keys = 1_000_000;
        InMemoryIdempotencyStore store = new(new() { MaxRecords = 2 * Keys, MaxBytes = 4L << 30 });
        byte[] bytes = new byte[32];
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int i = 0; i < Keys; i++)
        {
            Random.Shared.NextBytes(bytes);
            IdempotencyId id = IdempotencyId.FromBytes(bytes);
            AcquireResult answer = await store.TryAcquireAsync(Request(id));
            await store.CompleteAsync(id, answer.Fence, IdempotencyCompletion.Completed, Payload, Hour);
        }

        double perKey = (GC.GetTotalMemory(forceFullCollection: true) - before) / (double)Keys;
        GC.KeepAlive(store);
        report.WriteLine(
            $"A million completed keys with payloads of 100 bytes: **{perKey:0} bytes for each**, the payload and its array (124 bytes) included.");
    }
}
