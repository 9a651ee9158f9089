using Microsoft.Extensions.Time.Testing;
using Resilience.Tests;
using Resilience.Tests.Seams;

namespace Resilience.Idempotency.Tests.Pipeline;

/// <summary>Everything that idempotency calls and that is not its own (serializer, rules, keys, fingerprints, reconciliation, store, clock, chance,
/// listeners) throws, at each of its places, in calls that begin, are repeated, fail, are taken over, wait and are rejected. Every call has an outcome, no
/// claim stays open, and nothing is executed twice that was done.</summary>
public sealed class IdempotencyCallOutTests
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);

    /// <summary>What throws there is the outcome of the call, and no error of a call-out.</summary>
    private static readonly string[] Outcomes = ["KeyFor", "FingerprintFor", "Reconcile", "store"];

    private static readonly string[] Counted = ["Serialize", "Deserialize", "rule for exceptions", "rule for results", "event", "timestamp", "timer"];

    private sealed class Bomb(string where, int at)
    {
        private int _calls;

        public int Calls => Volatile.Read(ref _calls);

        public int Blasts;

        public bool IsArmed = true;

        public T Asked<T>(string here, T answer)
        {
            if (here != where || !IsArmed) return answer;
            int call = Interlocked.Increment(ref _calls);
            if (at != 0 && at != call) return answer;
            Interlocked.Increment(ref Blasts);
            throw new NotFiniteNumberException($"{here} {call}");
        }
    }

    private static string NameOf(TimeUse use) => use switch
    {
        TimeUse.Timestamp => "timestamp",
        TimeUse.TimeOfDay => "time of day",
        TimeUse.TimerMade => "timer",
        _ => "change of a timer",
    };

    private sealed class Chances(Bomb bomb) : Randomness
    {
        public override double NextDouble() => bomb.Asked("chance", 0.5);
    }

    private sealed class Numbers(Bomb bomb) : IIdempotencySerializer
    {
        public bool CanSerialize(Type type) => true;

        public void Serialize<T>(System.Buffers.IBufferWriter<byte> destination, T value) =>
            System.Buffers.BuffersExtensions.Write(destination, BitConverter.GetBytes(bomb.Asked("Serialize", (int)(object)value!)));

        public T? Deserialize<T>(ReadOnlySpan<byte> bytes) => (T)(object)bomb.Asked("Deserialize", BitConverter.ToInt32(bytes));
    }

    /// <summary>A planted flaw: it takes a claim and then calls what is not guarded.</summary>
    private sealed class Leaky(IdempotencyGate gate, Bomb bomb) : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            context.TryGet(IdempotencyKey.Property, out IdempotencyKey key);
            IdempotencyResult entry = await gate.EnterAsync(key.ToId(), default);
            if (entry.Claim is not { } claim) return Outcome.Failure<T>(new IOException("no claim"));
            Outcome<T> outcome = await next.ExecuteAsync(context);
            bomb.Asked("Serialize", 0);
            await claim.CompleteAsync(IdempotencyPayloadKind.DoneWithoutResult, default);
            return outcome;
        }
    }

    private sealed class World : IDisposable
    {
        private readonly FakeTimeProvider _storesTime = new();
        private readonly WatchedTime _time;
        private readonly InMemoryIdempotencyStore _memory;
        private readonly IdempotencyGate _gate;
        private readonly ResiliencePipeline _pipeline;
        private readonly Dictionary<string, int> _executions = [];
        private readonly List<string> _keys = [];

        public World(Bomb bomb, bool isFlawed)
        {
            _time = new() { Using = use => bomb.Asked(NameOf(use), 0) };
            _memory = new(timeProvider: _storesTime);
            UnrulyStore store = new(_memory) { Before = _ => Task.FromResult(bomb.Asked("store", 0)) };
            IdempotencyOptions options = new() { MaxWait = TimeSpan.FromSeconds(2), ReplayCacheTime = TimeSpan.Zero };
            _gate = new(store, options, _time, new Chances(bomb), _ => bomb.Asked("event", 0));
            IdempotencyPolicyOptions policy = new()
            {
                KeyFor = context => bomb.Asked("KeyFor", context.TryGet(IdempotencyKey.Property, out IdempotencyKey key) ? key : default(IdempotencyKey?)),
                FingerprintFor = _ => bomb.Asked("FingerprintFor", Fingerprint.Of("x")),
                Serializer = new Numbers(bomb),
                Outcomes = IdempotencyOutcomes.Default
                    .On<IOException>(_ => bomb.Asked("rule for exceptions", default(IdempotencyDisposition?)))
                    .OnResult<int>(_ => bomb.Asked("rule for results", default(IdempotencyDisposition?))),
            };
            policy.ReconcileWith<int>((_, _) => new(bomb.Asked("Reconcile", Reconciliation<int>.NotDone)));
            ResiliencePipelineBuilder builder = new() { TimeProvider = _time };
            _pipeline = isFlawed ? builder.AddPolicy(new Leaky(_gate, bomb)).Build() : builder.AddIdempotency(_gate, policy).Build();
        }

        private Task<Outcome<int>> Begin(string key, Func<ValueTask<int>> operation)
        {
            _keys.Add(key);
            CallOptions options = new("charge") { Properties = new CallProperties().With(IdempotencyKey.Property, new IdempotencyKey("shop", key)) };
            return _pipeline.TryExecuteAsync(options, (_, run) =>
            {
                lock (_executions) _executions[key] = _executions.GetValueOrDefault(key) + 1;
                return run();
            }, operation).AsTask();
        }

        private void Pass(TimeSpan span)
        {
            _storesTime.Advance(span);
            _time.Advance(span);
        }

        private async Task EndAsync(Task<Outcome<int>> call)
        {
            using CancellationTokenSource limit = new(Kit.Patience);
            while (!call.IsCompleted)
            {
                limit.Token.ThrowIfCancellationRequested();
                Pass(Step);
                await Task.WhenAny(call, Task.Delay(1, CancellationToken.None));
            }

            (await call).Verdict.Should().NotBe(Verdict.None);
        }

        public async Task LiveAsync()
        {
            await EndAsync(Begin("done", () => new(1)));
            await EndAsync(Begin("done", () => new(2)));
            await EndAsync(Begin("fails", () => throw new IOException()));
            Pass(TimeSpan.FromMinutes(2));
            await EndAsync(Begin("fails", () => new(3))); // takes over, and asks whether it was done
            await EndAsync(Begin("rejected", () => throw new System.ComponentModel.DataAnnotations.ValidationException()));
            TaskCompletionSource<int> slow = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Task<Outcome<int>> first = Begin("twice", () => new(slow.Task)), second = Begin("twice", () => new(5));
            Pass(Step);
            slow.SetResult(4);
            await EndAsync(first);
            await EndAsync(second);
        }

        /// <summary>What is wrong now that all calls have ended; null: nothing.</summary>
        public async Task<string?> WrongAsync(Bomb bomb)
        {
            using CancellationTokenSource limit = new(Kit.Patience);
            for (int i = 0; _gate.Flights > 0 && i < 200; i++) // what was given back late: the store is told beside the call
            {
                Pass(Step);
                await Task.Delay(1, limit.Token);
            }

            if (_gate.Flights > 0) return $"{_gate.Flights} claims are open";
            if (_executions.GetValueOrDefault("done") > 1) return "what was done was done again";
            bomb.IsArmed = false;
            Pass(TimeSpan.FromHours(2));
            using IdempotencyGate other = new(_memory, new() { WhenInFlight = WhenInFlight.Reject }, _storesTime);
            foreach (string key in _keys.Distinct())
            {
                IdempotencyResult entry = await other.EnterAsync(new IdempotencyKey("shop", key).ToId(), Fingerprint.Of("x"));
                if (entry.Status == IdempotencyStatus.InFlight) return $"{key} is under way for ever";
            }

            return null;
        }

        public void Dispose() => _gate.Dispose();
    }

    /// <summary>A timer may be made by a thread of the clock's own, which throws, and counts only then.</summary>
    private static async Task<bool> IsCountedAsync(CallbackErrors errors)
    {
        for (DateTime end = DateTime.UtcNow + Kit.Patience; errors.Count == 0 && DateTime.UtcNow < end;) await Task.Delay(1);
        return errors.Count > 0;
    }

    private static async Task<(int Calls, string? Wrong)> LiveAsync(string where, int at, bool isFlawed = false)
    {
        Bomb bomb = new(where, at);
        using CallbackErrors errors = new(typeof(NotFiniteNumberException));
        using World world = new(bomb, isFlawed);
        await world.LiveAsync();
        string? wrong = await world.WrongAsync(bomb);
        if (wrong is null && bomb.Blasts > 0 && Counted.Contains(where) && !await IsCountedAsync(errors)) wrong = "nothing was counted";
        return (bomb.Calls, wrong);
    }

    public static TheoryData<string> All() => [.. Outcomes, .. Counted, "time of day", "chance"];

    [Theory]
    [MemberData(nameof(All))]
    public async Task Whatever_throws_behind_a_key_ends_every_call_and_leaves_no_claim_open(string where)
    {
        (int calls, string? wrong) = await LiveAsync(where, 0);
        wrong.Should().BeNull("it throws always");
        if (where is not ("time of day" or "chance")) calls.Should().BeGreaterThan(0, "the calls make this call-out");
        int counted = (await LiveAsync(where, int.MaxValue)).Calls;
        foreach (int at in Enumerable.Range(1, Math.Min(counted, 30))) (await LiveAsync(where, at)).Wrong.Should().BeNull("it throws at {0}", at);
    }

    [Fact]
    public async Task The_walk_behind_a_key_finds_a_claim_that_stays_open() => (await LiveAsync("Serialize", 1, isFlawed: true)).Wrong.Should().NotBeNull();
}
