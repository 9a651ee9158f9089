using System.Collections.Concurrent;
using Npgsql;
using Resilience.StoreTests.Servers;
using Resilience.Tests.Support;

namespace Resilience.StoreTests.PostgreSql;

/// <summary>A primary that dies in mid-traffic, and a standby that takes its place: what of the acknowledged is lost, and what is executed again.</summary>
[Requires(Tool.PostgreSql)]
public sealed class PostgresStandbyTests
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(90);
    private static readonly IdempotencyId AtWork = IdempotencyKey.Shared("at work").ToId();

    /// <summary>The standby receives nothing any more while the primary goes on; then the primary dies and the standby is promoted. Without a synchronous
    /// standby all that was acknowledged in between is lost, to the last key, and executed again, with a larger fence. With one nothing is acknowledged
    /// and nothing executed that the standby does not have.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task When_a_standby_is_promoted_what_it_had_not_received_is_lost_unless_it_is_synchronous(bool isSynchronous)
    {
        const int Before = 25, After = 15;
        PostgresServer primary = new("synchronous_commit=on", "wal_sender_timeout=0");
        await primary.InitializeAsync();
        await using FaultProxy link = new(primary.Port);
        PostgresServer standby = PostgresServer.StandbyOf(link.Port, "spare");
        try
        {
            await standby.InitializeAsync();
            Traffic traffic = new();
            long atWork;
            string[] early = Traffic.Keys("early", Before), late = Traffic.Keys("late", After);
            await using (NpgsqlDataSource source = primary.Connect())
            {
                PostgresIdempotencyStore store = new(source);
                await store.EnsureCreatedAsync();
                if (isSynchronous)
                {
                    await primary.ExecuteAsync("ALTER SYSTEM SET synchronous_standby_names = 'spare'");
                    await primary.ExecuteAsync("SELECT pg_reload_conf()");
                    await UntilAsync(primary, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')");
                }

                using IdempotencyGate gate = new(store, NewOptions(patient: true));
                await Task.WhenAll(early.Select(k => traffic.DoAsync(gate, k)));
                traffic.Acknowledged.Should().HaveCount(Before);
                atWork = (await gate.EnterAsync(AtWork, default)).Claim!.Fence;
                await UntilReplayedAsync(primary);
                link.Fault = Fault.BlackHole;
                if (isSynchronous) await CheckWhatIsShownAsync(primary, store, atWork);
                using IdempotencyGate hasty = new(store, NewOptions(patient: !isSynchronous));
                await Task.WhenAll(late.Select(k => traffic.DoAsync(hasty, k)));
                primary.KillHard(); // in mid-traffic
            }

            link.DropAll(); // what is held is not delivered
            link.Fault = Fault.Reject;
            traffic.Acknowledged.Should().HaveCount(isSynchronous ? Before : Before + After);
            traffic.Executions.Should().HaveCount(isSynchronous ? Before : Before + After, "what was not granted was not executed");

            (await standby.AskAsync("SELECT pg_promote(true, 60)")).Should().Be(true);
            await using NpgsqlDataSource promoted = standby.Connect();
            PostgresIdempotencyStore survivor = new(promoted);
            if (isSynchronous) await survivor.CheckAsync();
            using IdempotencyGate next = new(survivor, NewOptions(patient: true));
            Dictionary<string, long> first = traffic.Acknowledged.ToDictionary(a => a.Key, a => a.Value);
            Dictionary<string, long> fences = traffic.Fences.ToDictionary(f => f.Key, f => f.Value);
            await Task.WhenAll(early.Concat(late).Select(k => traffic.DoAsync(next, k)));

            string[] again = [.. first.Keys.Where(k => traffic.Executions[k] > 1)];
            again.Should().BeEquivalentTo(isSynchronous ? [] : late);
            foreach ((string key, long number) in first)
            {
                if (again.Contains(key)) traffic.Fences[key].Should().BeGreaterThan(fences[key], "a resource can tell the later from the earlier");
                else traffic.Acknowledged[key].Should().Be(number, "the first answer is the answer");
            }

            early.Concat(late).Should().OnlyContain(k => traffic.Acknowledged.ContainsKey(k), "all goes on with the one that was promoted");
            await CheckAtWorkAsync(survivor, atWork);
        }
        finally
        {
            await standby.DisposeAsync();
            await primary.DisposeAsync();
        }
    }

    /// <summary>An outcome that waits for the standby is neither acknowledged nor shown. If the wait is cut, PostgreSQL shows it, although the standby may never
    /// receive it: that much is lost also with a synchronous standby, and documented.</summary>
    private static async Task CheckWhatIsShownAsync(PostgresServer primary, PostgresIdempotencyStore store, long fence)
    {
        using CancellationTokenSource cut = new();
        Task<bool> completing = store.CompleteAsync(AtWork, fence, IdempotencyCompletion.Completed, new byte[] { 1 }, TimeSpan.FromDays(1), cut.Token).AsTask();
        await UntilAsync(primary, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')");
        completing.IsCompleted.Should().BeFalse();
        (await store.PeekAsync(AtWork)).State.Should().Be(IdempotencyState.InFlight);
        await cut.CancelAsync();
        await FluentActions.Awaiting(() => completing.WaitAsync(Bound)).Should().ThrowAsync<OperationCanceledException>("it is not acknowledged");
        long start = TimeProvider.System.GetTimestamp();
        while ((await store.PeekAsync(AtWork)).State != IdempotencyState.Completed)
        {
            TimeProvider.System.GetElapsedTime(start).Should().BeLessThan(Bound);
            await Task.Delay(10);
        }
    }

    /// <summary>An operation that was at work when the standby stopped hearing: its claim is there, its outcome is not. It is in flight until its lease ends, and
    /// then it was begun before: it is never taken for a new one.</summary>
    private static async Task CheckAtWorkAsync(PostgresIdempotencyStore survivor, long fence)
    {
        (await survivor.PeekAsync(AtWork)).Should().Match<PeekResult>(p => p.State == IdempotencyState.InFlight && p.Fence == fence);
        using IdempotencyGate once = new(survivor, NewOptions(patient: true, maxAttempts: 1)), again = new(survivor, NewOptions(patient: true));
        (await once.EnterAsync(AtWork, default)).Status.Should().Be(IdempotencyStatus.InFlight);
        (await survivor.RenewAsync(AtWork, fence, TimeSpan.FromMicroseconds(1))).Should().BeTrue("the lease ends");
        (await once.EnterAsync(AtWork, default)).Status.Should().Be(IdempotencyStatus.OutcomeUnknown);
        IdempotencyResult taken = await again.EnterAsync(AtWork, default);
        taken.Claim!.Attempt.Should().Be(2);
        await taken.Claim.ReleaseAsync();
    }

    private static Task UntilReplayedAsync(PostgresServer primary) =>
        UntilAsync(primary, "SELECT count(*) = 1 AND bool_and(replay_lsn >= pg_current_wal_insert_lsn()) FROM pg_stat_replication");

    private static IdempotencyOptions NewOptions(bool patient, int maxAttempts = 3) => new()
    {
        Lease = TimeSpan.FromMinutes(5),
        MaxAttempts = maxAttempts,
        WhenInFlight = WhenInFlight.Reject,
        AcquireTimeout = patient ? TimeSpan.FromSeconds(30) : TimeSpan.FromSeconds(1),
        FinishTimeout = TimeSpan.FromSeconds(30),
        ReplayCacheTime = TimeSpan.Zero,
    };

    private static async Task UntilAsync(PostgresServer server, string question)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (await server.AskAsync(question) is not true)
        {
            TimeProvider.System.GetElapsedTime(start).Should().BeLessThan(Bound, question);
            await Task.Delay(10);
        }
    }

    /// <summary>Callers that have an operation executed under their key and keep what they were answered.</summary>
    private sealed class Traffic
    {
        private int _numbers;

        internal ConcurrentDictionary<string, int> Executions { get; } = new();

        internal ConcurrentDictionary<string, long> Fences { get; } = new();

        internal ConcurrentDictionary<string, long> Acknowledged { get; } = new();

        internal static string[] Keys(string name, int count) => [.. Enumerable.Range(0, count).Select(i => $"{name}-{i}")];

        internal async Task DoAsync(IdempotencyGate gate, string key)
        {
            try
            {
                Acknowledged[key] = await gate.GetOrAddAsync(IdempotencyKey.Shared(key), (claim, _) =>
                {
                    Executions.AddOrUpdate(key, 1, static (_, count) => count + 1);
                    Fences[key] = claim.Fence;
                    return new ValueTask<int>(Interlocked.Increment(ref _numbers));
                });
            }
            catch (IdempotencyRejectedException)
            {
                // not acknowledged
            }
        }
    }
}
