using CsCheck;
using Resilience.Idempotency.Tests.Contract;
using Resilience.Tests;

namespace Resilience.Idempotency.Tests.Stores;

/// <summary>Bounds and memory of the store in memory, and its agreement with a second implementation of the contract.</summary>
public sealed class InMemoryStoreTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly ManualTime _time = new();

    private static IdempotencyId Id(int i) => IdempotencyKey.Shared($"key {i}").ToId();

    private static AcquireRequest Request(IdempotencyId id, TimeSpan? lease = null) =>
        new() { Id = id, Nonce = Guid.NewGuid(), Lease = lease ?? Hour, Retention = Hour, MaxAttempts = 3 };

    private static async Task DoAsync(InMemoryIdempotencyStore store, int i, int bytes = 0)
    {
        AcquireResult claim = await store.TryAcquireAsync(Request(Id(i)));
        (await store.CompleteAsync(Id(i), claim.Fence, IdempotencyCompletion.Completed, new byte[bytes], Hour)).Should().BeTrue();
    }

    private InMemoryIdempotencyStore NewStore(Action<InMemoryIdempotencyOptions>? configure = null)
    {
        InMemoryIdempotencyOptions options = new();
        configure?.Invoke(options);
        return new(options, _time);
    }

    [Fact]
    public async Task A_full_store_rejects_new_keys_and_forgets_nothing()
    {
        InMemoryIdempotencyStore store = NewStore(o => o.MaxRecords = 100);
        for (int i = 0; i < 100; i++) await DoAsync(store, i);

        (await FluentActions.Awaiting(() => store.TryAcquireAsync(Request(Id(100))).AsTask()).Should().ThrowAsync<IdempotencyStoreException>())
            .Which.Fault.Should().Be(IdempotencyStoreFault.Full);
        for (int i = 0; i < 100; i++) (await store.TryAcquireAsync(Request(Id(i)))).Status.Should().Be(AcquireStatus.Completed);
        _time.Advance(Hour);
        (await store.TryAcquireAsync(Request(Id(100)))).Status.Should().Be(AcquireStatus.Acquired, "what has expired makes room");
    }

    [Fact]
    public async Task Where_it_is_allowed_the_oldest_result_is_forgotten_and_never_a_claim()
    {
        InMemoryIdempotencyStore store = NewStore(o =>
        {
            o.MaxRecords = 10;
            o.WhenFull = WhenStoreIsFull.EvictOldestCompleted;
        });
        for (int i = 0; i < 5; i++) await store.TryAcquireAsync(Request(Id(i))); // open claims
        for (int i = 5; i < 30; i++) await DoAsync(store, i);

        store.Count.Should().BeLessThanOrEqualTo(10);
        store.Evicted.Should().Be(20);
        for (int i = 0; i < 5; i++) (await store.PeekAsync(Id(i))).State.Should().Be(IdempotencyState.InFlight);
        for (int i = 25; i < 30; i++) (await store.PeekAsync(Id(i))).State.Should().Be(IdempotencyState.Completed);
    }

    [Fact]
    public async Task Bytes_are_bounded_and_counted_back()
    {
        InMemoryIdempotencyStore store = NewStore(o => o.MaxBytes = 1 << 20);
        int done = 0;
        await FluentActions.Awaiting(async () =>
        {
            for (; ; done++) await DoAsync(store, done, 10_000);
        }).Should().ThrowAsync<IdempotencyStoreException>();

        done.Should().BeInRange(80, 110);
        store.Bytes.Should().BeLessThan((1 << 20) + 20_000);
        _time.Advance(Hour);
        (await store.PurgeAsync(1000)).Should().Be(done);
        (store.Count, store.Bytes).Should().Be((0, 0));
    }

    [Fact]
    public async Task Memory_stays_bounded_while_keys_come_and_expire_and_claims_crash()
    {
        InMemoryIdempotencyStore store = NewStore(o => o.MaxRecords = 20_000);
        for (int i = 0; i < 200_000; i++)
        {
            IdempotencyId id = Id(i);
            AcquireResult claim = await store.TryAcquireAsync(Request(id) with { Retention = TimeSpan.FromMinutes(10), Lease = TimeSpan.FromSeconds(30) });
            switch (i % 10)
            {
                case 0: break; // crashed
                case 1: await store.ReleaseAsync(id, claim.Fence); break;
                default: await store.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, default, TimeSpan.FromMinutes(10)); break;
            }

            _time.Advance(TimeSpan.FromMilliseconds(100)); // 6,000 keys live
        }

        store.Count.Should().BeInRange(5_000, 8_000);
    }

    [Fact]
    public async Task It_is_not_full_of_what_has_expired_also_when_some_is_kept_longer()
    {
        InMemoryIdempotencyStore store = NewStore(o => o.MaxRecords = 1000);
        for (int i = 0; i < 1000; i++)
        {
            TimeSpan kept = i % 10 == 0 ? Hour : TimeSpan.FromMinutes(1);
            AcquireResult claim = await store.TryAcquireAsync(Request(Id(i), kept) with { Retention = kept });
            await store.CompleteAsync(Id(i), claim.Fence, IdempotencyCompletion.Completed, default, kept);
        }

        _time.Advance(TimeSpan.FromMinutes(1));
        for (int i = 1000; i < 1900; i++) (await store.TryAcquireAsync(Request(Id(i)))).Status.Should().Be(AcquireStatus.Acquired);

        await FluentActions.Awaiting(() => store.TryAcquireAsync(Request(Id(1900))).AsTask()).Should().ThrowAsync<IdempotencyStoreException>();
        for (int i = 0; i < 1000; i += 10) (await store.TryAcquireAsync(Request(Id(i)))).Status.Should().Be(AcquireStatus.Completed);
    }

    [Fact]
    public async Task A_claim_that_is_renewed_for_long_holds_up_nothing_behind_it()
    {
        InMemoryIdempotencyStore store = NewStore();
        TimeSpan kept = TimeSpan.FromSeconds(10);
        long[] fences = new long[200]; // some in every part of the table
        for (int i = 0; i < fences.Length; i++) fences[i] = (await store.TryAcquireAsync(Request(Id(-1 - i), kept) with { Retention = kept })).Fence;
        for (int i = 0; i < 6000; i++)
        {
            AcquireResult claim = await store.TryAcquireAsync(Request(Id(i), kept) with { Retention = kept });
            await store.CompleteAsync(Id(i), claim.Fence, IdempotencyCompletion.Completed, default, kept);
            _time.Advance(TimeSpan.FromMilliseconds(100)); // 100 keys live
            if (i % 50 != 0) continue;
            for (int k = 0; k < fences.Length; k++) (await store.RenewAsync(Id(-1 - k), fences[k], kept)).Should().BeTrue();
        }

        store.Count.Should().BeInRange(300, 600);
    }

    [Fact]
    public async Task Fences_rise_after_a_record_was_removed_even_if_claims_were_made_faster_than_the_clock_ticks()
    {
        InMemoryIdempotencyStore store = NewStore();
        TimeSpan moment = TimeSpan.FromMicroseconds(1);
        long fence = 0;
        for (int i = 0; i < 1000; i++)
        {
            AcquireResult claim = await store.TryAcquireAsync(Request(Id(1), moment) with { Retention = moment });
            claim.Fence.Should().BeGreaterThan(fence);
            fence = claim.Fence;
            if (i < 999) await store.ReleaseAsync(Id(1), fence);
        }

        _time.Advance(TimeSpan.FromMicroseconds(10));
        (await store.PurgeAsync(10)).Should().Be(1);
        store.Count.Should().Be(0);

        (await store.TryAcquireAsync(Request(Id(1)))).Fence.Should().BeGreaterThan(fence);
    }

    [Fact]
    public async Task A_wall_clock_that_is_set_ends_no_lease()
    {
        InMemoryIdempotencyStore store = NewStore();
        AcquireResult claim = await store.TryAcquireAsync(Request(Id(1), TimeSpan.FromMinutes(1)));

        _time.StepWallClock(TimeSpan.FromDays(2));
        (await store.TryAcquireAsync(Request(Id(1)))).Status.Should().Be(AcquireStatus.InFlight);
        _time.StepWallClock(TimeSpan.FromDays(-4));
        (await store.TryAcquireAsync(Request(Id(1)))).Status.Should().Be(AcquireStatus.InFlight);
        await store.ReleaseAsync(Id(1), claim.Fence);
        (await store.TryAcquireAsync(Request(Id(1)))).Fence.Should().BeGreaterThan(claim.Fence);
    }

    [Fact]
    public async Task Claim_and_completion_allocate_what_they_keep_and_a_replay_nothing()
    {
        InMemoryIdempotencyStore store = new();
        await DoAsync(store, 0);
        AcquireRequest request = Request(Id(0));
        for (int i = 0; i < 100; i++) await store.TryAcquireAsync(request);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++) _ = store.TryAcquireAsync(request).Result;

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    /// <summary>Random histories of both, step by step: the same answers, and fences in the same order.</summary>
    [Fact]
    public void Two_implementations_agree_on_every_history()
    {
        int times = Environment.GetEnvironmentVariable("RESILIENCE_DEEP") is null ? 20_000 : 500_000;
        Gen.Select(Gen.Int[0, 7], Gen.Int[0, 1], Gen.Int[0, 5], Gen.Int[0, 1]).Array[1, 30].Sample(
            history =>
            {
                ManualTime time = new();
                IIdempotencyStore[] stores = [new InMemoryIdempotencyStore(timeProvider: time), new FlawedStore(Flaw.None, time)];
                List<long>[][] fences = [[[0], [0]], [[0], [0]]]; // of each store, for each id
                List<Guid> nonces = [Guid.NewGuid()];
                foreach ((int what, int id, int which, int variant) in history)
                {
                    if (what == 7)
                    {
                        time.Advance(TimeSpan.FromSeconds(which * 7));
                        continue;
                    }

                    bool isNew = which > 2;
                    if (isNew) nonces.Add(Guid.NewGuid());
                    string[] answers = [.. stores.Select((s, i) => Step(s, fences[i][id], what, id, which, variant,
                        isNew ? nonces[^1] : nonces[which % nonces.Count]))];
                    if (answers[0] != answers[1]) return false;
                }

                return true;
            },
            iter: times,
            print: history => string.Join(" ", history.Select(h => h.ToString())));
    }

    private static string Step(IIdempotencyStore store, List<long> fences, int what, int idNumber, int which, int variant, Guid nonce)
    {
        IdempotencyId id = Id(idNumber);
        long fence = fences[^Math.Min(fences.Count, which + 1)];
        TimeSpan span = TimeSpan.FromSeconds(10 + (10 * variant));
        switch (what)
        {
            case <= 2:
                AcquireResult answer = store.TryAcquireAsync(new()
                {
                    Id = id,
                    Fingerprint = Fingerprint.Of($"{variant}"),
                    Nonce = nonce,
                    Lease = span,
                    Retention = span * 2,
                    MaxAttempts = 3,
                }).AsTask().Result;
                string shown = $"{answer.Status} {answer.Attempt} {answer.RetryAfter} {answer.Completion} {Convert.ToHexString(answer.Payload.Span)}";
                if (answer.Status != AcquireStatus.Acquired) return shown;
                bool isLargest = answer.Fence > fences.Max();
                fences.Add(answer.Fence);
                return $"{shown} {isLargest || fences.Contains(answer.Fence)}";
            case 3:
                return $"{store.RenewAsync(id, fence, span).AsTask().Result}";
            case 4:
                return $"{store.CompleteAsync(id, fence, (IdempotencyCompletion)(1 + variant), new byte[] { (byte)which }, span).AsTask().Result}";
            case 5:
                return $"{store.ReleaseAsync(id, fence).AsTask().Result}";
            default:
                PeekResult seen = store.PeekAsync(id).AsTask().Result;
                return $"{seen.State} {seen.RetryAfter}";
        }
    }
}
