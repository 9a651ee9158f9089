namespace Resilience.Idempotency.Tests.Gate;

/// <summary>Replays that this process gives by itself, and what may never come of that.</summary>
[Collection("meters")] // a count of bytes must not run beside a listener of the process
public sealed class ReplayCacheTests
{
    private static readonly byte[] Receipt = "receipt"u8.ToArray();
    private static readonly Fingerprint This = Fingerprint.Of("this"), Other = Fingerprint.Of("other");

    private static (Kit Kit, UnrulyStore Store) New(Action<IdempotencyOptions>? configure = null)
    {
        UnrulyStore? store = null;
        Kit kit = new(
            options =>
            {
                options.PurgeInterval = TimeSpan.Zero; // it asks the store at a moment of its own
                configure?.Invoke(options);
            },
            inner => store = new(inner));
        return (kit, store!);
    }

    private static async Task<IdempotencyId> CompletedAsync(IdempotencyGate gate, TimeSpan? retention = null)
    {
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await gate.EnterAsync(id, This)).Claim!;
        await (retention is { } kept
            ? claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt, kept)
            : claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt));
        return id;
    }

    private static async Task ExpectReplayAsync(IdempotencyGate gate, IdempotencyId id)
    {
        IdempotencyResult entry = await gate.EnterAsync(id, This);
        entry.Status.Should().Be(IdempotencyStatus.Replayed);
        entry.Content.ToArray().Should().Equal(Receipt);
    }

    [Fact]
    public async Task A_key_that_was_completed_or_seen_here_is_replayed_without_asking_the_store()
    {
        (Kit kit, UnrulyStore store) = New();
        IdempotencyId own = await CompletedAsync(kit.Gate), seen = await CompletedAsync(kit.NewGate(store: kit.Memory));
        await ExpectReplayAsync(kit.Gate, seen);
        store.Asked.Clear();

        await ExpectReplayAsync(kit.Gate, own);
        await ExpectReplayAsync(kit.Gate, seen);
        store.Asked.Should().BeEmpty();
        store.Before = _ => UnrulyStore.Broken;
        await ExpectReplayAsync(kit.Gate, own); // also while the store is away
    }

    [Fact]
    public async Task A_replay_from_memory_ends_after_its_time_and_never_after_the_record_has_expired()
    {
        foreach ((TimeSpan time, TimeSpan retention) in new[]
        {
            (TimeSpan.FromSeconds(60), TimeSpan.FromHours(1)), (TimeSpan.FromSeconds(5), TimeSpan.FromHours(1)),
                (TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(31)),
        })
        {
            (Kit kit, UnrulyStore store) = New(o => o.ReplayCacheTime = time);
            IdempotencyId id = await CompletedAsync(kit.Gate, retention);
            TimeSpan bound = time < retention ? time : retention;
            kit.Time.Advance(bound - TimeSpan.FromMilliseconds(30));
            store.Asked.Clear();
            await ExpectReplayAsync(kit.Gate, id);
            store.Asked.Should().BeEmpty();

            kit.Time.Advance(TimeSpan.FromMilliseconds(30));
            await kit.Gate.EnterAsync(id, This);
            store.Asked.Should().Equal(["acquire"], "the store decides from here on, for a retention of {0}", retention);
        }
    }

    /// <summary>The time counts from before the store was asked, however long it took to answer.</summary>
    [Fact]
    public async Task What_the_store_returned_is_counted_from_the_moment_before_it_was_asked()
    {
        (Kit kit, UnrulyStore store) = New(o => o.AcquireTimeout = TimeSpan.FromMinutes(1));
        IdempotencyId id = await CompletedAsync(kit.NewGate(store: kit.Memory), TimeSpan.FromSeconds(40));
        TaskCompletionSource mayAnswer = new();
        store.After = operation => operation == "acquire" ? mayAnswer.Task : Task.CompletedTask;
        Task<IdempotencyResult> asking = kit.Gate.EnterAsync(id, This).AsTask();
        kit.Time.Advance(TimeSpan.FromSeconds(39));
        mayAnswer.SetResult();
        (await asking.WaitAsync(Kit.Patience)).Status.Should().Be(IdempotencyStatus.Replayed);

        kit.Time.Advance(TimeSpan.FromSeconds(1));
        (await kit.Gate.EnterAsync(id, This)).Status.Should().Be(IdempotencyStatus.Claimed, "the record has expired");
    }

    [Fact]
    public async Task Another_fingerprint_asks_the_store_and_receives_nothing()
    {
        (Kit kit, UnrulyStore store) = New();
        IdempotencyId id = await CompletedAsync(kit.Gate);
        store.Asked.Clear();
        IdempotencyResult entry = await kit.Gate.EnterAsync(id, Other);
        (entry.Status, entry.Content.Length).Should().Be((IdempotencyStatus.KeyReused, 0));
        store.Asked.Should().Equal("acquire");
    }

    [Fact]
    public async Task What_is_in_doubt_is_read_each_time_so_that_a_decision_on_another_node_is_seen_at_once()
    {
        (Kit kit, UnrulyStore _) = New();
        using IdempotencyGate elsewhere = kit.NewGate(store: kit.Memory);
        IdempotencyId id = Kit.NewId();
        await (await kit.Gate.EnterAsync(id, This)).Claim!.CompleteAsUnknownAsync();
        (await kit.Gate.EnterAsync(id, This)).Status.Should().Be(IdempotencyStatus.OutcomeUnknown);

        await elsewhere.ResolveAsync(id, IdempotencyResolution.DoneWith(IdempotencyPayloadKind.Value, Receipt));
        await ExpectReplayAsync(kit.Gate, id);
    }

    [Fact]
    public async Task What_is_forgotten_here_is_asked_for_also_when_the_store_had_answered_before()
    {
        (Kit kit, UnrulyStore store) = New();
        IdempotencyId id = await CompletedAsync(kit.Gate);
        kit.Gate.ForgetReplay(id);
        store.Asked.Clear();
        await ExpectReplayAsync(kit.Gate, id);
        store.Asked.Should().Equal("acquire");

        // The store answers, the record is erased and forgotten, and only then the answer arrives.
        kit.Gate.ForgetReplay(id);
        kit.Time.Advance(TimeSpan.FromMilliseconds(1));
        TaskCompletionSource hasAnswered = new(), mayArrive = new();
        store.After = async _ =>
        {
            hasAnswered.SetResult();
            await mayArrive.Task;
        };
        Task<IdempotencyResult> asking = kit.Gate.EnterAsync(id, This).AsTask();
        await hasAnswered.Task.WaitAsync(Kit.Patience);
        kit.Gate.ForgetReplay(id);
        mayArrive.SetResult();
        await asking.WaitAsync(Kit.Patience);
        store.After = null;
        store.Asked.Clear();
        await kit.Gate.EnterAsync(id, This);
        store.Asked.Should().Equal(["acquire"], "what was asked for before is not kept");
    }

    [Fact]
    public async Task Gates_under_other_terms_share_what_they_have_seen_and_forget_it_together()
    {
        (Kit kit, UnrulyStore store) = New();
        IdempotencyGate under = kit.Gate.For(new() { Retention = TimeSpan.FromDays(2) });
        IdempotencyId id = await CompletedAsync(under);
        store.Asked.Clear();
        await ExpectReplayAsync(kit.Gate, id);
        store.Asked.Should().BeEmpty();
        kit.Gate.ForgetReplay(id);
        await ExpectReplayAsync(under, id);
        store.Asked.Should().Equal("acquire");
    }

    [Fact]
    public async Task Switched_off_every_duplicate_asks_the_store_and_so_it_is_where_the_store_does_not_say_how_long_it_keeps()
    {
        (Kit kit, UnrulyStore store) = New(o => o.ReplayCacheTime = TimeSpan.Zero);
        IdempotencyId id = await CompletedAsync(kit.Gate);
        store.Asked.Clear();
        await ExpectReplayAsync(kit.Gate, id);
        await ExpectReplayAsync(kit.Gate, id);
        store.Asked.Should().Equal("acquire", "acquire");

        ReplayCache cache = new(new());
        cache.Keep(id, This, IdempotencyResult.KeptNow(IdempotencyCompletion.Completed, IdempotencyPayloadKind.Value, Receipt), 0, TimeSpan.Zero);
        cache.TryFind(id, This, 0, out _).Should().BeFalse();
    }

    [Fact]
    public void The_cache_is_bounded_in_entries_and_in_bytes_and_the_oldest_go_first()
    {
        static IdempotencyResult Of(int bytes) => IdempotencyResult.KeptNow(IdempotencyCompletion.Completed, IdempotencyPayloadKind.Value, new byte[bytes]);
        TimeSpan hour = TimeSpan.FromHours(1);
        ReplayCache few = new(new() { ReplayCacheEntries = 100 });
        IdempotencyId[] ids = [.. Enumerable.Range(0, 1000).Select(_ => Kit.NewId())];
        foreach (IdempotencyId id in ids) few.Keep(id, This, Of(10), 0, hour);
        few.Count.Should().Be(100);
        few.TryFind(ids[^100], This, 0, out _).Should().BeTrue();
        few.TryFind(ids[^101], This, 0, out _).Should().BeFalse();

        ReplayCache small = new(new() { ReplayCacheBytes = 64 << 10 });
        foreach (IdempotencyId id in ids) small.Keep(id, This, Of(1000), 0, hour);
        small.Bytes.Should().BeInRange(60_000, 64 << 10);
        small.Keep(ids[0], This, Of(5000), 0, hour);
        small.TryFind(ids[0], This, 0, out _).Should().BeFalse("one of them must not push out all others");

        // Replaced and forgotten ones leave nothing behind.
        for (int i = 0; i < 10_000; i++)
        {
            few.Keep(ids[i % 7], This, Of(10), 0, hour);
            few.Forget(ids[i % 3], -1);
        }

        few.Sweep(long.MaxValue);
        (few.Count, few.Bytes).Should().Be((0, 0));
    }

    [Fact]
    public async Task What_is_over_is_swept_in_the_background_of_a_call()
    {
        (Kit kit, UnrulyStore store) = New(o => o.PurgeInterval = TimeSpan.FromMinutes(2));
        await CompletedAsync(kit.Gate);
        kit.Gate.CachedReplays.Should().Be(1);
        kit.Time.Advance(TimeSpan.FromMinutes(3));
        await kit.Gate.EnterAsync(Kit.NewId(), This);
        await Kit.UntilAsync(() => kit.Gate.CachedReplays == 0);
    }

    /// <summary>Concurrent reads, completions and removals: no caller ever receives what was read before the removal.</summary>
    [Fact]
    public async Task Threads_never_find_what_was_forgotten_after_it_was_asked_for()
    {
        ReplayCache cache = new(new());
        IdempotencyId id = Kit.NewId();
        long now = 0;
        using CancellationTokenSource over = new();
        Task[] keepers = [.. Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            while (!over.IsCancellationRequested)
            {
                long asked = Volatile.Read(ref now);
                byte[] content = BitConverter.GetBytes(asked);
                cache.Keep(id, This, IdempotencyResult.KeptNow(IdempotencyCompletion.Completed, IdempotencyPayloadKind.Value, content), asked,
                    TimeSpan.FromHours(1));
            }
        }))];
        for (int i = 0; i < 20_000; i++)
        {
            long at = Interlocked.Increment(ref now);
            cache.Forget(id, at);
            Interlocked.Increment(ref now);
            if (cache.TryFind(id, This, at, out IdempotencyResult found))
                BitConverter.ToInt64(found.Content.Span).Should().BeGreaterThan(at, "what was asked for before is forgotten");
        }

        await over.CancelAsync();
        await Task.WhenAll(keepers).WaitAsync(Kit.Patience);
    }

    [Fact]
    public async Task A_replay_from_memory_allocates_nothing()
    {
        using IdempotencyGate gate = new(new UnrulyStore(new InMemoryIdempotencyStore()));
        IdempotencyId id = await CompletedAsync(gate);
        await Kit.UntilAsync(() => gate.EnterAsync(id, This).IsCompletedSuccessfully);
        long min = long.MaxValue;
        for (int look = 0; look < 20 && min > 0; look++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++) Answer(gate, id);
            min = Math.Min(min, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        min.Should().BeLessThan(1000, "not even a byte for each");
        static void Answer(IdempotencyGate gate, IdempotencyId id)
        {
            ValueTask<IdempotencyResult> entering = gate.EnterAsync(id, This);
            if (entering.Result.Status != IdempotencyStatus.Replayed) throw new InvalidOperationException("not replayed");
        }
    }
}
