namespace Resilience.Idempotency.Tests.Gate;

/// <summary>Duplicates while the first is under way: in this process, and in others.</summary>
public sealed class DuplicatesTests
{
    private static readonly byte[] Receipt = "receipt"u8.ToArray();

    private static void Waiting(IdempotencyOptions options) => options.WhenInFlight = WhenInFlight.Wait;

    [Fact]
    public async Task Those_who_wait_here_receive_the_same_outcome_and_the_store_is_asked_once()
    {
        UnrulyStore? store = null;
        using Kit kit = new(Waiting, inner => store = new(inner));
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        Task<IdempotencyResult>[] waiting = [.. Enumerable.Range(0, 20).Select(_ => kit.Gate.EnterAsync(id, default).AsTask())];
        await Kit.UntilAsync(() => kit.Gate.Waiting == 20);

        await claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);
        IdempotencyResult[] entries = await Task.WhenAll(waiting).WaitAsync(Kit.Patience);

        entries.Should().OnlyContain(e => e.Status == IdempotencyStatus.Replayed);
        entries.Should().OnlyContain(e => e.Content.ToArray().SequenceEqual(Receipt));
        store!.Asked.Should().Equal("acquire", "complete");
        kit.Gate.Waiting.Should().Be(0);
    }

    [Fact]
    public async Task When_the_first_gives_up_one_of_those_who_wait_takes_its_place_at_once()
    {
        using Kit kit = new(Waiting);
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        Task<IdempotencyResult>[] waiting = [.. Enumerable.Range(0, 5).Select(_ => kit.Gate.EnterAsync(id, default).AsTask())];
        await Kit.UntilAsync(() => kit.Gate.Waiting == 5);

        await claim.ReleaseAsync();
        Task<IdempotencyResult> winner = await Task.WhenAny(waiting).WaitAsync(Kit.Patience);
        (await winner).Status.Should().Be(IdempotencyStatus.Claimed);
        await (await winner).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);
        IdempotencyResult[] entries = await Task.WhenAll(waiting).WaitAsync(Kit.Patience);

        entries.Count(e => e.Status == IdempotencyStatus.Claimed).Should().Be(1);
        entries.Count(e => e.Status == IdempotencyStatus.Replayed).Should().Be(4);
    }

    [Fact]
    public async Task Waiting_for_another_process_ends_with_its_outcome()
    {
        using Kit kit = new(Waiting);
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim elsewhere = (await kit.NewGate().EnterAsync(id, default)).Claim!;
        Task<IdempotencyResult>[] waiting = [.. Enumerable.Range(0, 3).Select(_ => kit.Gate.EnterAsync(id, default).AsTask())];
        await kit.PassAsync(TimeSpan.FromSeconds(1));
        waiting.Should().OnlyContain(t => !t.IsCompleted);

        await elsewhere.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);

        foreach (Task<IdempotencyResult> one in waiting)
            (await kit.PassUntilAsync(one, TimeSpan.FromMilliseconds(100))).Content.ToArray().Should().Equal(Receipt);
    }

    [Fact]
    public async Task Waiting_for_another_process_that_died_ends_with_a_takeover()
    {
        using Kit kit = new(o =>
        {
            o.WhenInFlight = WhenInFlight.Wait;
            o.MaxWait = TimeSpan.FromMinutes(2);
        });
        IdempotencyId id = Kit.NewId();
        (await kit.NewGate().EnterAsync(id, default)).Claim!.Hold(); // it is not renewed any more

        IdempotencyResult entry = await kit.PassUntilAsync(kit.Gate.EnterAsync(id, default).AsTask(), TimeSpan.FromSeconds(1));

        entry.Claim!.TookOver.Should().BeTrue();
    }

    [Fact]
    public async Task A_store_that_is_away_for_a_moment_neither_ends_the_waiting_nor_begins_a_second_execution()
    {
        UnrulyStore? store = null;
        using Kit kit = new(
            o =>
            {
                o.WhenInFlight = WhenInFlight.Wait;
                o.WhenStoreFails = WhenStoreFails.RunUnprotected;
            },
            inner => store = new(inner));
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim elsewhere = (await kit.NewGate(store: kit.Memory).EnterAsync(id, default)).Claim!;
        Task<IdempotencyResult> waiting = kit.Gate.EnterAsync(id, default).AsTask();
        store!.Before = operation => operation == "peek" ? UnrulyStore.Broken : Task.CompletedTask;
        await kit.PassAsync(TimeSpan.FromSeconds(3), 60);
        waiting.IsCompleted.Should().BeFalse();
        store.Before = null;
        await elsewhere.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);

        (await kit.PassUntilAsync(waiting, TimeSpan.FromMilliseconds(100))).Content.ToArray().Should().Equal(Receipt);
    }

    [Fact]
    public async Task Waiting_ends_when_its_time_is_over()
    {
        using Kit kit = new(Waiting);
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim elsewhere = (await kit.NewGate().EnterAsync(id, default)).Claim!;
        Task<IdempotencyResult> leader = kit.Gate.EnterAsync(id, default).AsTask(), follower = kit.Gate.EnterAsync(id, default).AsTask();

        (await kit.PassUntilAsync(leader, TimeSpan.FromMilliseconds(500))).Status.Should().Be(IdempotencyStatus.InFlight);
        (await kit.PassUntilAsync(follower, TimeSpan.FromMilliseconds(500))).Status.Should().Be(IdempotencyStatus.InFlight);
        elsewhere.Hold();
    }

    [Fact]
    public async Task A_caller_that_leaves_while_waiting_leaves_nothing_behind()
    {
        using Kit kit = new(Waiting);
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim claim = (await kit.Gate.EnterAsync(id, default)).Claim!;
        using CancellationTokenSource leaving = new();
        Task<IdempotencyResult> waiting = kit.Gate.EnterAsync(id, default, leaving.Token).AsTask();
        await Kit.UntilAsync(() => kit.Gate.Waiting == 1);

        await leaving.CancelAsync();

        await FluentActions.Awaiting(() => waiting).Should().ThrowAsync<OperationCanceledException>();
        kit.Gate.Waiting.Should().Be(0);
        (await claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt)).Should().Be(IdempotencyFinish.Kept, "the first is not concerned");
    }

    [Fact]
    public async Task A_caller_that_leaves_while_the_store_is_being_asked_gives_back_what_arrives_too_late()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        IdempotencyId id = Kit.NewId();
        TaskCompletionSource answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        store!.After = operation => operation == "acquire" ? answer.Task : Task.CompletedTask;
        using CancellationTokenSource leaving = new();
        Task<IdempotencyResult> asking = kit.Gate.EnterAsync(id, default, leaving.Token).AsTask();

        await leaving.CancelAsync();
        await FluentActions.Awaiting(() => asking).Should().ThrowAsync<OperationCanceledException>();
        answer.SetResult();
        await Kit.UntilAsync(() => store.Asked.Contains("release"));
        await Kit.UntilAsync(() => kit.Memory.PeekAsync(id).AsTask().Result.State == IdempotencyState.Absent);

        store.After = null;
        (await kit.Gate.EnterAsync(id, default)).Status.Should().Be(IdempotencyStatus.Claimed);
    }

    [Fact]
    public async Task No_more_wait_than_are_allowed_for_one_key_and_in_all()
    {
        using Kit kit = new(o =>
        {
            o.WhenInFlight = WhenInFlight.Wait;
            o.MaxWaitersPerKey = 3;
            o.MaxWaiters = 5;
        });
        IdempotencyId one = Kit.NewId(), two = Kit.NewId();
        IdempotencyClaim first = (await kit.Gate.EnterAsync(one, default)).Claim!, second = (await kit.Gate.EnterAsync(two, default)).Claim!;
        Task<IdempotencyResult>[] waiting = [.. Enumerable.Range(0, 3).Select(_ => kit.Gate.EnterAsync(one, default).AsTask())];
        (await kit.Gate.EnterAsync(one, default)).Status.Should().Be(IdempotencyStatus.InFlight, "the fourth of one key");
        waiting = [.. waiting, kit.Gate.EnterAsync(two, default).AsTask(), kit.Gate.EnterAsync(two, default).AsTask()];
        (await kit.Gate.EnterAsync(two, default)).Status.Should().Be(IdempotencyStatus.InFlight, "the sixth in all");
        kit.Gate.Waiting.Should().Be(5);

        await first.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);
        await second.CompleteAsync(IdempotencyPayloadKind.Value, Receipt);

        (await Task.WhenAll(waiting).WaitAsync(Kit.Patience)).Should().OnlyContain(e => e.Status == IdempotencyStatus.Replayed);
        kit.Gate.Waiting.Should().Be(0, "rejections are not counted as waiting");
    }

    [Fact]
    public async Task A_duplicate_that_arrives_while_the_store_is_being_asked_is_not_told_busy_about_an_operation_that_is_done()
    {
        UnrulyStore? store = null;
        using Kit kit = new(wrap: inner => store = new(inner));
        IdempotencyId id = Kit.NewId();
        await (await kit.NewGate(store: kit.Memory).EnterAsync(id, default)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, Receipt); // not seen here yet
        TaskCompletionSource answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        store!.After = _ => answer.Task;
        Task<IdempotencyResult> leader = kit.Gate.EnterAsync(id, default).AsTask(), follower = kit.Gate.EnterAsync(id, default).AsTask();
        await Kit.UntilAsync(() => kit.Gate.Waiting == 1);

        answer.SetResult();

        (await leader.WaitAsync(Kit.Patience)).Status.Should().Be(IdempotencyStatus.Replayed);
        (await follower.WaitAsync(Kit.Patience)).Status.Should().Be(IdempotencyStatus.Replayed);
    }

    [Fact]
    public async Task Of_many_at_once_in_many_processes_one_executes_and_all_receive_its_outcome()
    {
        InMemoryIdempotencyStore store = new();
        IdempotencyGate[] gates = [.. Enumerable.Range(0, 4).Select(_ => new IdempotencyGate(store, new() { WhenInFlight = WhenInFlight.Wait }))];
        for (int round = 0; round < 20; round++)
        {
            IdempotencyKey key = IdempotencyKey.Shared($"round {round}");
            int executions = 0;
            string[] results = await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(async () =>
                await gates[i % gates.Length].GetOrAddAsync(key, async (_, _) =>
                {
                    await Task.Yield();
                    return $"execution {Interlocked.Increment(ref executions)}";
                })))).WaitAsync(Kit.Patience);

            executions.Should().Be(1);
            results.Should().OnlyContain(r => r == "execution 1");
        }
    }
}
