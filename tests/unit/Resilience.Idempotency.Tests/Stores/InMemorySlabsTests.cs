using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using CsCheck;
using Resilience.Tests;

namespace Resilience.Idempotency.Tests.Stores;

/// <summary>Records and payloads in slabs: nothing for the collector to move, nothing mixed up where room is used again, nothing kept for ever.</summary>
public sealed class InMemorySlabsTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly ManualTime _time = new();

    private static IdempotencyId Id(int i)
    {
        Span<byte> bytes = stackalloc byte[IdempotencyId.Length];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, i);
        return IdempotencyId.FromBytes(bytes);
    }

    private static AcquireRequest Request(int i) => new() { Id = Id(i), Nonce = Guid.AllBitsSet, Lease = Minute, Retention = Minute, MaxAttempts = 3 };

    private static void Keep(InMemoryIdempotencyStore store, int i, ReadOnlyMemory<byte> payload)
    {
        AcquireResult claim = store.TryAcquireAsync(Request(i)).Result;
        claim.Status.Should().Be(AcquireStatus.Acquired);
        store.CompleteAsync(Id(i), claim.Fence, IdempotencyCompletion.Completed, payload, Minute).Result.Should().BeTrue();
    }

    private static byte[] PayloadOf(int i, int length)
    {
        byte[] payload = new byte[length];
        new Random(i).NextBytes(payload);
        return payload;
    }

    [Fact]
    public void A_record_has_nothing_for_the_collector_to_follow() =>
        RuntimeHelpers.IsReferenceOrContainsReferences<InMemorySlot>().Should().BeFalse();

    [Fact]
    public void Keys_that_come_while_as_many_expire_allocate_nothing()
    {
        InMemoryIdempotencyStore store = new(new(), _time);
        byte[] payload = new byte[100];
        long allocated = 0;
        int key = 0;
        for (int round = 0; round < 40; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                AcquireRequest request = Request(key++);
                AcquireResult claim = store.TryAcquireAsync(request).Result;
                _ = store.CompleteAsync(request.Id, claim.Fence, IdempotencyCompletion.Completed, payload, Minute).Result;
            }

            if (round >= 20) allocated += GC.GetAllocatedBytesForCurrentThread() - before; // until then it grows
            _time.Advance(Minute / 5);
        }

        (allocated / 20_000.0).Should().BeLessThan(20, "a key used to take more than 300 bytes of the collector's heap");
    }

    [Fact]
    public void A_key_takes_about_as_many_bytes_as_are_counted_for_it()
    {
        InMemoryIdempotencyStore store = new(new(), _time);
        byte[] payload = new byte[100];
        for (int i = 0; i < 100_000; i++) Keep(store, i, payload);
        ((double)store.Reserved / store.Bytes).Should().BeInRange(0.8, 1.2);
        (store.Bytes / 100_000).Should().Be(InMemoryIdempotencyStore.RecordBytes + 128);
    }

    [Fact]
    public async Task What_has_expired_gives_its_memory_back()
    {
        InMemoryIdempotencyStore store = new(new(), _time);
        byte[] small = new byte[700], large = new byte[5000];
        for (int i = 0; i < 60_000; i++) Keep(store, i, i % 100 == 0 ? large : small);
        store.Reserved.Should().BeGreaterThan(50L << 20);

        _time.Advance(Minute);
        (await store.PurgeAsync(int.MaxValue)).Should().Be(60_000);

        (store.Count, store.Bytes).Should().Be((0, 0));
        store.Reserved.Should().BeLessThan(12L << 20, "of each part one array of either kind is kept, and its index");
    }

    /// <summary>Lengths around the borders of cells and of what lies in arrays of its own.</summary>
    [Fact]
    public void Payloads_of_every_length_come_back_byte_for_byte_and_stay_when_their_room_is_used_again()
    {
        InMemoryIdempotencyStore store = new(new(), _time);
        int[] lengths = [.. Enumerable.Range(0, 200), .. Enumerable.Range(InMemoryPayloads.MaxInCells - 130, 260), 100_000];
        List<(int Key, ReadOnlyMemory<byte> Content)> replayed = [];
        for (int round = 0; round < 3; round++)
        {
            for (int i = 0; i < lengths.Length; i++) Keep(store, (round * 1000) + i, PayloadOf((round * 1000) + i, lengths[i]));
            for (int i = 0; i < lengths.Length; i++)
            {
                AcquireResult answer = store.TryAcquireAsync(Request((round * 1000) + i)).Result;
                answer.Status.Should().Be(AcquireStatus.Completed);
                replayed.Add(((round * 1000) + i, answer.Payload));
            }

            _time.Advance(Minute);
            _ = store.PurgeAsync(int.MaxValue).Result;
        }

        foreach ((int key, ReadOnlyMemory<byte> content) in replayed)
            content.Span.SequenceEqual(PayloadOf(key, lengths[key % 1000])).Should().BeTrue($"payload {key} is its own");
    }

    [Fact]
    public async Task Threads_that_claim_complete_replay_and_expire_never_see_the_payload_of_another_key()
    {
        InMemoryIdempotencyStore store = new(new(), _time);
        int wrong = 0, replays = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Factory.StartNew(
            () =>
            {
                Random random = new(thread);
                for (int i = 0; i < 5000; i++)
                {
                    int key = random.Next(300), length = key * 7 % 1500;
                    AcquireResult answer = store.TryAcquireAsync(Request(key) with { Nonce = new(thread + 1, 0, 0, new byte[8]) }).Result;
                    if (answer.Status == AcquireStatus.Acquired)
                        _ = store.CompleteAsync(Id(key), answer.Fence, IdempotencyCompletion.Completed, PayloadOf(key, length), Minute * (1 + (key % 4)))
                            .Result;
                    if (answer.Status == AcquireStatus.Completed)
                    {
                        Interlocked.Increment(ref replays);
                        if (!answer.Payload.Span.SequenceEqual(PayloadOf(key, length))) Interlocked.Increment(ref wrong);
                    }

                    if (i % 100 == 0) _time.Advance(Minute);
                    if (i % 300 == 0) _ = store.PurgeAsync(1000).Result;
                }
            }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

        wrong.Should().Be(0);
        replays.Should().BePositive();
        _time.Advance(Minute * 5);
        await store.PurgeAsync(int.MaxValue);
        (store.Count, store.Bytes).Should().Be((0, 0), "what was kept is what was given back");
    }

    /// <summary>Histories in which nearly everything meets in the same few places of the index, over its end as well.</summary>
    [Fact]
    public void Whatever_is_removed_all_others_are_still_found()
    {
        uint[] hashes = [0, 1, 2, 6, 7, 14, 15, 30, 31, uint.MaxValue];
        Gen.Select(Gen.Int[0, 40], Gen.Bool).Array[1, 120].Sample(
            history =>
            {
                InMemoryShard shard = new();
                HashSet<int> present = [];
                foreach ((int key, bool adds) in history)
                {
                    uint hash = hashes[key % hashes.Length];
                    if (adds && present.Add(key)) shard.Add(Id(key), hash, new() { Fence = key + 1 }, Minute);
                    else if (!adds && present.Remove(key)) shard.Remove(shard.Find(Id(key), hash));
                    for (int other = 0; other <= 40; other++)
                    {
                        int number = shard.Find(Id(other), hashes[other % hashes.Length]);
                        if (present.Contains(other) ? number == 0 || shard[number].Record.Fence != other + 1 : number != 0) return false;
                    }
                }

                return true;
            },
            iter: 2000);
    }

    /// <summary>Slabs of four cells: they grow, are emptied, are given back and made anew all the time.</summary>
    [Fact]
    public void Cells_are_taken_once_keep_what_is_written_and_are_given_back()
    {
        Gen.Select(Gen.Int[0, 99], Gen.Int[0, 5]).Array[1, 200].Sample(
            history =>
            {
                Slabs<Cell> slabs = new(2);
                Dictionary<int, int> taken = [];
                int value = 0, max = 0;
                foreach ((int which, int what) in history)
                {
                    if (what == 5)
                    {
                        slabs.Reserve(which % 5);
                        max = Math.Max(max, taken.Count + (which % 5));
                    }
                    else if (what > 1 || taken.Count == 0)
                    {
                        int number = slabs.Take();
                        slabs[number].Value = ++value;
                        if (number == 0 || !taken.TryAdd(number, value)) return false;
                        max = Math.Max(max, taken.Count);
                    }
                    else
                    {
                        int number = taken.Keys.ElementAt(which % taken.Count);
                        taken.Remove(number);
                        slabs.Free(number);
                    }

                    if (taken.Any(one => slabs[one.Key].Value != one.Value)) return false;
                    if (slabs.Capacity < taken.Count || slabs.Capacity > max + 8) return false;
                }

                foreach (int number in taken.Keys) slabs.Free(number);
                return taken.Count == 0 || slabs.Capacity <= 12;
            },
            iter: 5000);
    }

    private struct Cell : ISlabCell
    {
        internal int Value;

        public int Next { get; set; }
    }
}
