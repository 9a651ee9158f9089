using System.Globalization;
using System.Text;
using Npgsql;
using Resilience;
using Resilience.StoreChaos;
using StackExchange.Redis;

// A worker that does operations with few keys at a time, next to others who do the same, and that kills or freezes itself in the middle of it:
// before and after the operation, before and after its completion. What it saw is in its history, line by line.
//   worker <store> <connection> <history> <seed> <bug: none | no-fence | double-grant>
Settings settings = new(args[0], args[1], args[2], int.Parse(args[3], CultureInfo.InvariantCulture), args[4]);
await new Worker(settings).RunAsync();

internal sealed record Settings(string Store, string Connection, string History, int Seed, string Bug);

internal sealed class Worker(Settings settings)
{
    private static readonly Fingerprint Asked = Fingerprint.Of("chaos");

    private readonly Random _random = new(settings.Seed);
    private readonly StreamWriter _history = new(settings.History, append: true) { AutoFlush = true };
    private int _results;

    internal async Task RunAsync()
    {
        IIdempotencyStore store = await OpenAsync();
        using IdempotencyGate gate = new(
            settings.Bug == "none" ? store : new BuggyStore(store, settings.Bug),
            new()
            {
                Lease = TimeSpan.FromMilliseconds(Machine.LeaseMs),
                Retention = TimeSpan.FromHours(1),
                MaxAttempts = 1000,
                WhenInFlight = settings.Seed % 2 == 0 ? WhenInFlight.Wait : WhenInFlight.Reject,
                MaxWait = TimeSpan.FromMilliseconds(700),
                AcquireTimeout = TimeSpan.FromMilliseconds(600),
                FinishTimeout = TimeSpan.FromSeconds(1),
            });
        while (true)
        {
            // A few keys for a little longer than some leases, then others: much contention on each.
            string key = string.Create(CultureInfo.InvariantCulture, $"k{Machine.NowMs / 900}-{_random.Next(4)}");
            await AskAsync(gate, key);
            await Task.Delay(_random.Next(5, 40));
        }
    }

    private async Task AskAsync(IdempotencyGate gate, string key)
    {
        long asked = Machine.NowMs;
        IdempotencyResult entry = await gate.EnterAsync(IdempotencyKey.Shared(key).ToId(), Asked);
        switch (entry.Status)
        {
            case IdempotencyStatus.Claimed:
                await DoAsync(gate, key, entry.Claim!, asked);
                break;
            case IdempotencyStatus.Replayed:
                Note(Step.Told, key, 0, 0, Encoding.UTF8.GetString(entry.Content.Span));
                break;
            default:
                Note(Step.Rejected, key, 0, 0, $"{entry.Status}");
                break;
        }
    }

    private async Task DoAsync(IdempotencyGate gate, string key, IdempotencyClaim claim, long asked)
    {
        Note(Step.Begun, key, claim.Fence, claim.Attempt, string.Create(CultureInfo.InvariantCulture, $"{asked}"));
        Failpoint(stop: 12, kill: 4);
        await Task.Delay(_random.Next(1, Machine.LeaseMs));
        string result = string.Create(CultureInfo.InvariantCulture, $"{settings.Seed}/{++_results}");
        Note(Step.Done, key, claim.Fence, claim.Attempt, result);
        Failpoint(stop: 18, kill: 4);
        IdempotencyFinish finish = await claim.CompleteAsync(IdempotencyPayloadKind.Value, Encoding.UTF8.GetBytes(result));
        Failpoint(stop: 2, kill: 4);
        Note(finish switch { IdempotencyFinish.Kept => Step.Kept, IdempotencyFinish.Lost => Step.Stale, _ => Step.NotKept }, key, claim.Fence, claim.Attempt, result);
        if (finish == IdempotencyFinish.Kept) Note(Step.Told, key, 0, 0, result);
        if (finish != IdempotencyFinish.Lost) return;
        IdempotencyResult other = await gate.ReadOutcomeAsync(claim.Id, Asked);
        if (other.Status == IdempotencyStatus.Replayed) Note(Step.Told, key, 0, 0, Encoding.UTF8.GetString(other.Content.Span));
    }

    private void Note(Step step, string key, long fence, int attempt, string text) =>
        _history.WriteLine(new Entry(Machine.NowMs, step, key, fence, attempt, text + "."));

    /// <summary>Dies or freezes right here; the test thaws the frozen ones, after more than a lease.</summary>
    private void Failpoint(int stop, int kill)
    {
        int drawn = _random.Next(100);
        if (drawn < kill) Machine.Signal(Environment.ProcessId, 9);
        else if (drawn < kill + stop) Machine.Signal(Environment.ProcessId, 19);
    }

    private async Task<IIdempotencyStore> OpenAsync()
    {
        switch (settings.Store)
        {
            case "sqlite":
                return new SqliteIdempotencyStore(settings.Connection);
            case "postgresql":
                return new PostgresIdempotencyStore(NpgsqlDataSource.Create(settings.Connection));
            default:
                ConfigurationOptions options = ConfigurationOptions.Parse(settings.Connection);
                options.AbortOnConnectFail = false;
                return new RedisIdempotencyStore(await ConnectionMultiplexer.ConnectAsync(options));
        }
    }
}

/// <summary>Bugs that were found in other libraries, planted so that the checker can show that it finds them.</summary>
internal sealed class BuggyStore(IIdempotencyStore inner, string bug) : IIdempotencyStore
{
    public IdempotencyStoreTraits Traits => inner.Traits;

    /// <summary>double-grant: a claim that is held is taken away from its owner, as by a "recovery" that does not look at the lease.</summary>
    public async ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default)
    {
        AcquireResult answer = await inner.TryAcquireAsync(request, cancellationToken);
        if (bug != "double-grant" || answer.Status != AcquireStatus.InFlight) return answer;
        await inner.ReleaseAsync(request.Id, answer.Fence, cancellationToken);
        return await inner.TryAcquireAsync(request, cancellationToken);
    }

    /// <summary>no-fence: any caller completes whatever claim there is.</summary>
    public async ValueTask<bool> CompleteAsync(
        IdempotencyId id, long fence, IdempotencyCompletion outcome, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken = default)
    {
        if (bug == "no-fence") fence = (await inner.PeekAsync(id, cancellationToken)).Fence;
        return await inner.CompleteAsync(id, fence, outcome, payload, retention, cancellationToken);
    }

    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default) =>
        inner.RenewAsync(id, fence, lease, cancellationToken);

    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) =>
        inner.ReleaseAsync(id, fence, cancellationToken);

    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) => inner.PeekAsync(id, cancellationToken);

    public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default) => inner.PurgeAsync(max, cancellationToken);
}
