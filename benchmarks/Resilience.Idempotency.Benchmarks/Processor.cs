using System.Collections.Concurrent;
using Resilience.Tests;

namespace Resilience.Idempotency.Benchmarks;

/// <summary>What a new key that is kept takes of the processor, the collector's work included, beside the least that anything must do that keeps
/// bytes under a key in objects.</summary>
internal static class Processor
{
    private const int Times = 300_000, Rounds = 5;

    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly byte[] Payload = new byte[100];

    internal static async Task RunAsync(TextWriter report)
    {
        InMemoryIdempotencyStore store = NewStore();
        IdempotencyGate gate = new(NewStore());
        ConcurrentDictionary<IdempotencyId, byte[]> dictionary = new();
        IdempotencyId[] ids = new IdempotencyId[Times];
        void NewIds()
        {
            byte[] bytes = new byte[32];
            for (int i = 0; i < ids.Length; i++)
            {
                Random.Shared.NextBytes(bytes);
                ids[i] = IdempotencyId.FromBytes(bytes);
            }
        }

        IdempotencyId done = default;
        Measure bare = new("bare: `ConcurrentDictionary`, add an id, replace its value by a copy of the payload", times =>
        {
            for (int i = 0; i < times; i++)
            {
                dictionary.TryAdd(ids[i], []);
                dictionary[ids[i]] = Payload.AsSpan().ToArray();
            }

            return Task.CompletedTask;
        });
        Measure stores = new("store: claim + complete, a new key", async times =>
        {
            for (int i = 0; i < times; i++)
            {
                AcquireResult answer = await store.TryAcquireAsync(Request(ids[i]));
                await store.CompleteAsync(ids[i], answer.Fence, IdempotencyCompletion.Completed, Payload, Hour);
            }
        });
        Measure gates = new("gate: claim + complete, a new key", async times =>
        {
            for (int i = 0; i < times; i++) await (await gate.EnterAsync(ids[i], default)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Payload);
        });
        Measure replays = new("store: replay", async times =>
        {
            for (int i = 0; i < times; i++) await store.TryAcquireAsync(Request(done));
        });
        Measure gateReplays = new("gate: replay", async times =>
        {
            for (int i = 0; i < times; i++) await gate.EnterAsync(done, default);
        });
        DistantStore distant = new(NewStore());
        using IdempotencyGate far = new(distant);
        IdempotencyId seen = IdempotencyKey.Shared("seen").ToId();
        await (await far.EnterAsync(seen, default)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Payload);
        long before = distant.Asked;
        Measure cached = new("gate: replay from the local cache, any store", async times =>
        {
            for (int i = 0; i < times; i++) await far.EnterAsync(seen, default);
        });
        Measure bareRead = new("bare: `ConcurrentDictionary`, read of that key", times =>
        {
            for (int i = 0; i < times; i++) dictionary.TryGetValue(ids[0], out _);
            return Task.CompletedTask;
        });
        Measure[] all = [bare, stores, gates, bareRead, replays, gateReplays, cached];
        for (int round = -2; round < Rounds; round++)
        {
            // Each round begins empty, so that the collector's work is that of a store that fills.
            NewIds();
            done = ids[0];
            (store, gate, dictionary) = (NewStore(), new(NewStore()), new());
            foreach (Measure one in all) await Measure.OnceAsync(Times, round >= 0, one);
            gate.Dispose();
        }

        Aims.Add("memory: claim + complete, a new key that is kept, collector included", Told(stores), Beside(stores, bare), "at most 400 ns");
        Aims.Add(
            "gate above it, a new key", Told(gates), $"{Beside(gates, bare)}; {gates.Bytes - stores.Bytes:0} bytes above the store's",
            "at most 900 ns and 250 bytes");
        Aims.Add("replay of a completed key, any store, from the local cache", Told(cached),
            $"read of a `ConcurrentDictionary` {bareRead.ProcessorNanoseconds:0} ns", "at most 300 ns");
        report.WriteLine();
        report.WriteLine("## In memory, processor time");
        report.WriteLine();
        report.WriteLine($"Of the process, the collector's threads included; {Times:#,0} keys a round with payloads of 100 bytes, all kept, each round in an empty store, medians of {Rounds} rounds.");
        report.WriteLine();
        report.WriteLine("| what | processor time | of the bare call | bytes allocated |");
        report.WriteLine("|---|---|---|---|");
        foreach (Measure one in all)
        {
            double ratio = one.ProcessorNanoseconds / bare.ProcessorNanoseconds;
            report.WriteLine($"| {one.Name} | {one.ProcessorNanoseconds:0} ns | {ratio:0.00} | {one.Bytes:0} |");
        }

        report.WriteLine();
        report.WriteLine($"The distant store was asked {distant.Asked - before} times by the replays from the cache: once a minute, when the time of what was seen is over.");
        report.WriteLine(
            $"{GC.CollectionCount(0)} collections, {GC.CollectionCount(1)} of them of generation 1 and {GC.CollectionCount(2)} of all (one a measure is ours).");
    }

    private static string Told(Measure one) => $"{one.ProcessorNanoseconds:0} ns, {one.Bytes:0} bytes";

    private static string Beside(Measure one, Measure bare) =>
        $"{one.ProcessorNanoseconds / bare.ProcessorNanoseconds:0.00} of a `ConcurrentDictionary` ({bare.ProcessorNanoseconds:0} ns, {bare.Bytes:0} bytes)";

    /// <summary>A store that does not answer at once, as far as the gate knows.</summary>
    private sealed class DistantStore(IIdempotencyStore inner) : ForwardingStore(inner)
    {
        internal long Asked { get; private set; }

        public override IdempotencyStoreTraits Traits { get; } = inner.Traits with { Name = "distant", IsImmediate = false };

        public override ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default)
        {
            Asked++;
            return base.TryAcquireAsync(request, cancellationToken);
        }
    }

    private static InMemoryIdempotencyStore NewStore() => new(new() { MaxRecords = 100_000_000, MaxBytes = 32L << 30 });

    private static AcquireRequest Request(IdempotencyId id) =>
        new() { Id = id, Nonce = Guid.AllBitsSet, Lease = Hour, Retention = Hour, MaxAttempts = 5 };
}
