using Microsoft.Extensions.Time.Testing;

namespace Resilience.Idempotency.Tests.Gate;

/// <summary>The claims of a process as entries of their table, and what a new key costs there.</summary>
[Collection("meters")] // a count of bytes must not run beside a listener of the process
public sealed class ClaimTableTests
{
    private static readonly Fingerprint Other = Fingerprint.Of("other");

    [Fact]
    public async Task A_follower_learns_that_it_is_owned_and_receives_the_first_outcome()
    {
        using IdempotencyGate gate = new();
        ClaimTable table = new();
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim first = new(gate.Completion, id, default), second = new(gate.Completion, id, default), other = new(gate.Completion, id, Other);
        table.TryEnter(first, out ClaimFollowers? followers, out _).Should().BeTrue();
        followers.Should().BeNull("there is no follower yet, so there is no such object");

        table.TryEnter(second, out followers, out bool isOwned).Should().BeFalse();
        isOwned.Should().BeFalse();
        followers!.Answered.IsCompleted.Should().BeFalse();
        table.Own(first, isRenewed: true, out bool beginsWatch).Should().BeSameAs(followers);
        beginsWatch.Should().BeTrue();
        followers.Own();
        await followers.Answered.WaitAsync(Kit.Patience);
        table.TryEnter(other, out ClaimFollowers? none, out isOwned).Should().BeFalse();
        (none, isOwned).Should().Be((null, true), "who asks for something else does not follow");

        table.Leave(first).Should().BeSameAs(followers);
        table.Leave(first).Should().BeNull("they are told once");
        followers.End(IdempotencyResult.KeyReused);
        followers.End(IdempotencyResult.Abandoned);
        (await followers.Ended.WaitAsync(Kit.Patience)).Status.Should().Be(IdempotencyStatus.KeyReused, "the first end counts");
        table.TryEnter(second, out _, out _).Should().BeTrue("its place is free");
        table.Leading.Should().Be(1);
    }

    [Fact]
    public void A_claim_that_asked_for_something_else_is_renewed_without_followers()
    {
        using IdempotencyGate gate = new();
        ClaimTable table = new();
        IdempotencyId id = Kit.NewId();
        IdempotencyClaim leads = new(gate.Completion, id, default), other = new(gate.Completion, id, Other);
        table.TryEnter(leads, out _, out _);
        table.Own(other, isRenewed: true, out _);
        table.Leave(leads);
        table.Leading.Should().Be(0);

        IdempotencyClaim next = new(gate.Completion, id, Other);
        table.TryEnter(next, out ClaimFollowers? followers, out _).Should().BeTrue();
        followers.Should().BeNull();
        Opened(table).Should().Equal([other]);
        table.Leave(other);
        Opened(table).Should().BeEmpty();
    }

    /// <summary>Random histories beside a dictionary: entering, owning, letting go, leaving, in an order of chance, with thousands in the table at
    /// once.</summary>
    [Fact]
    public void Whatever_is_done_the_table_knows_who_leads_and_whose_lease_is_renewed()
    {
        using IdempotencyGate gate = new();
        ClaimTable table = new();
        Random random = new(4711);
        IdempotencyId[] ids = [.. Enumerable.Range(0, 2000).Select(_ => Kit.NewId())];
        Dictionary<IdempotencyId, IdempotencyClaim> leading = [];
        HashSet<IdempotencyClaim> renewed = [];
        for (int step = 0; step < 60_000; step++)
        {
            IdempotencyId id = ids[random.Next(step % 20_000 < 10_000 ? ids.Length : 20)]; // crowds come and go
            if (!leading.TryGetValue(id, out IdempotencyClaim? leader))
            {
                IdempotencyClaim mine = new(gate.Completion, id, default);
                table.TryEnter(mine, out _, out _).Should().BeTrue();
                leading[id] = mine;
                continue;
            }

            switch (random.Next(4))
            {
                case 0:
                    table.TryEnter(new(gate.Completion, id, default), out ClaimFollowers? followers, out _).Should().BeFalse();
                    followers.Should().BeSameAs(leader.Followers);
                    break;
                case 1:
                    table.Own(leader, isRenewed: true, out _);
                    renewed.Add(leader);
                    break;
                case 2:
                    table.PartOf(leader).LetGo(leader);
                    renewed.Remove(leader);
                    break;
                default:
                    table.Leave(leader);
                    leading.Remove(id);
                    renewed.Remove(leader);
                    break;
            }

            if (step % 5000 != 0) continue;
            table.Leading.Should().Be(leading.Count);
            renewed.SetEquals(Opened(table)).Should().BeTrue();
        }
    }

    /// <summary>A part that is not watched begins to be watched with its next claim, whichever claims of whichever parts come and go between two
    /// ticks.</summary>
    [Fact]
    public async Task Every_lease_is_renewed_whatever_comes_and_goes_between_two_ticks()
    {
        FakeTimeProvider time = new();
        UnrulyStore store = new(new InMemoryIdempotencyStore(timeProvider: time));
        // Without purging, which runs apart: while another thread arms a timer, the fake time leaves its ticks to that thread and returns.
        using IdempotencyGate gate = new(store, new() { PurgeInterval = TimeSpan.Zero }, time, Randomness.Seeded(1));
        Random random = new(7);
        List<IdempotencyClaim> open = [];
        for (int round = 0; round < 60; round++)
        {
            int comes = random.Next(5);
            for (int i = 0; i < comes; i++) open.Add((await gate.EnterAsync(Kit.NewId(), default)).Claim!);
            int goes = round % 10 == 9 ? open.Count : random.Next(open.Count + 1); // now and then there is none, and the timer rests
            for (int i = 0; i < goes; i++)
            {
                await open[^1].CompleteAsync(IdempotencyPayloadKind.Value, default);
                open.RemoveAt(open.Count - 1);
            }

            for (int step = 0; step < 4; step++) time.Advance(Kit.Lease / 8); // an eighth at a time, half a lease a round
            open.Count(claim => claim.IsLost).Should().Be(0);
            foreach (IdempotencyClaim claim in open)
                (await store.PeekAsync(claim.Id)).State.Should().Be(IdempotencyState.InFlight, "its lease has been renewed");
        }
    }

    /// <summary>The claim is the entry: no dictionary node, no list entry, no buffer for the frame. What the store keeps is not counted: it lies in
    /// slabs.</summary>
    [Fact]
    public void A_new_key_above_the_store_in_memory_allocates_no_more_than_250_bytes()
    {
        FakeTimeProvider time = new();
        InMemoryIdempotencyStore store = new(new(), time);
        using IdempotencyGate gate = new(store, new() { Lease = TimeSpan.FromSeconds(1), Retention = TimeSpan.FromSeconds(1) }, time);
        byte[] payload = new byte[100];
        Span<byte> bytes = stackalloc byte[IdempotencyId.Length];
        double min = double.MaxValue;
        for (int look = 0; look < 12; look++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                BitConverter.TryWriteBytes(bytes, (look * 1000) + i);
                ValueTask<IdempotencyResult> entering = gate.EnterAsync(IdempotencyId.FromBytes(bytes), default);
                ValueTask<IdempotencyFinish> finish = entering.Result.Claim!.CompleteAsync(IdempotencyPayloadKind.Value, payload);
                if (finish.Result != IdempotencyFinish.Kept) throw new InvalidOperationException("not kept");
            }

            min = Math.Min(min, (GC.GetAllocatedBytesForCurrentThread() - before) / 1000.0);
            time.Advance(TimeSpan.FromSeconds(2)); // what was kept makes room for the next
        }

        min.Should().BeLessThanOrEqualTo(250);
    }

    private static List<IdempotencyClaim> Opened(ClaimTable table)
    {
        Collect look = new([]);
        foreach (ClaimPart part in table.Parts) part.Watch(ref look);
        return look.Found;
    }

    private readonly struct Collect(List<IdempotencyClaim> found) : ClaimPart.ILook
    {
        internal List<IdempotencyClaim> Found => found;

        public void At(IdempotencyClaim claim) => found.Add(claim);
    }
}
