using System.Globalization;

namespace Resilience.Tests.Seams;

/// <content>The same through policies inside of each other, drawn from seeds: what one policy threw away comes back through another.</content>
public sealed partial class ReturnedAgainTests
{
    private const int Seeds = 600;

    /// <summary>What may be returned: its type does not say whether it can be disposed of.</summary>
    private class Brought(string name)
    {
        private int _disposed;

        public int Disposed => Volatile.Read(ref _disposed);

        public virtual bool Counts => true;

        public sealed override string ToString() => name;

        protected void Count() => Interlocked.Increment(ref _disposed);
    }

    private sealed class Plain(string name) : Brought(name)
    {
        public override bool Counts => false;
    }

    private sealed class Sync(string name) : Brought(name), IDisposable
    {
        public void Dispose() => Count();
    }

    private sealed class Async(string name, SteppedTime time) : Brought(name), IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            Count();
            await ClockWait.ForAsync(Clock.For(time), TimeSpan.FromMilliseconds(5), default);
        }
    }

    private sealed class Both(string name) : Brought(name), IDisposable, IAsyncDisposable
    {
        public void Dispose() => Count();

        public ValueTask DisposeAsync()
        {
            Count();
            return default;
        }
    }

    /// <summary>A policy of the user's that repeats, and forks as it should.</summary>
    private sealed class Forking(Func<bool> again) : ResiliencePolicy
    {
        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(again, next);

        private sealed class Link<T>(Func<bool> again, PolicyLink<T> next) : PolicyLink<T>
        {
            public override async ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
            {
                ResilienceContext fork = context.Fork();
                Outcome<T> outcome = await next.ExecuteAsync(fork);
                context.Join(fork);
                return outcome.HasResult || !again() ? outcome : await next.ExecuteAsync(context);
            }
        }
    }

    /// <summary>As it was: a policy that repeats disposes of what it does not return when it has ended, whatever repeats around it.</summary>
    private sealed class Hasty : ResiliencePolicy
    {
        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(next);

        private sealed class Link<T>(PolicyLink<T> next) : PolicyLink<T>
        {
            public override async ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
            {
                HashSet<object> kept = new(ReferenceEqualityComparer.Instance);
                Outcome<T> outcome = await next.ExecuteAsync(context);
                for (int i = 1; i < 3; i++)
                {
                    if (outcome.TryGetValue(out T? value) && value is not null) kept.Add(value);
                    outcome = await next.ExecuteAsync(context);
                }

                foreach (object one in kept)
                {
                    if (!outcome.HasResult || !ReferenceEquals(one, outcome.Value)) Safely.Dispose(one);
                }

                return outcome;
            }
        }
    }

    /// <summary>One drawn call: nested policies, and a delegate that brings, throws, takes its time or does not hear.</summary>
    private sealed class Drawn
    {
        private static readonly string[] Kinds = ["retry", "hedging", "fallback", "timeout", "abandoning", "chaos", "breaker", "limit", "forking", "retry",
            "hedging"];

        private readonly Random _random;
        private readonly SteppedTime _time = new();
        private readonly Brought[] _pool;
        private readonly List<Brought> _brought = [];
        private readonly string _shape;
        private readonly ResiliencePipeline<Brought> _pipeline;
        private readonly bool _suspends;

        public Drawn(int seed, bool hasHasty)
        {
            _random = new(seed);
            _suspends = _random.Next(3) > 0;
            _pool = [.. Enumerable.Range(0, _random.Next(1, 4)).Select(i => Make($"{"ABC"[i]}"))];
            string[] kinds = [.. Enumerable.Range(0, _random.Next(1, 5)).Select(_ => Kinds[_random.Next(Kinds.Length)])];
            if (hasHasty) kinds = ["retry", .. kinds.Where(k => k == "breaker"), "hasty"];
            _shape = $"{seed}: {string.Join(" > ", kinds)}, {(_suspends ? "suspending" : "at once")}";
            ResiliencePipelineBuilder<Brought> builder = new()
            {
                TimeProvider = _time,
                EnvironmentName = "Development",
                Classifier = OutcomeClassifier.Default.OnResult<Brought>(_ => _random.Next(4) == 0 ? Verdict.Success : Verdict.Failure),
            };
            foreach (string kind in kinds) Add(builder, kind);
            _pipeline = builder.Build();
        }

        private void Add(ResiliencePipelineBuilder<Brought> builder, string kind)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"{kind}-{_random.Next()}");
            _ = kind switch
            {
                "retry" => builder.AddRetry(o =>
                    (o.Name, o.MaxRetries, o.BaseDelay, o.Budget) = (name, _random.Next(1, 4), TimeSpan.FromMilliseconds(100), RetryBudget.Unlimited)),
                "hedging" => builder.AddHedging(o =>
                    (o.Name, o.MaxAttempts, o.Delay, o.Budget) = (name, _random.Next(1, 4), TimeSpan.FromMilliseconds(200), RetryBudget.Unlimited)),
                "fallback" => builder.AddFallback(o => (o.Name, o.Call) = (name, _ => new(Bring()))),
                "timeout" => builder.AddTimeout(o => (o.Name, o.Timeout) = (name, TimeSpan.FromSeconds(1))),
                "abandoning" => builder.AddTimeout(o => (o.Name, o.Timeout, o.AbandonAfter) = (name, TimeSpan.FromSeconds(1), TimeSpan.Zero)),
                "chaos" => builder.AddChaos(o =>
                    (o.Name, o.IsOn, o.Seed, o.Rates) = (name, true, _random.Next(), new() { LostReply = 0.4, Fault = 0.1, Latency = 0.2 })),
                "breaker" => builder.AddCircuitBreaker(o => (o.Name, o.ConsecutiveFailures) = (name, 100)),
                "limit" => builder.AddConcurrencyLimit(new ConcurrencyLimitOptions { Name = name, MaxConcurrent = 100 }),
                "hasty" => builder.AddPolicy(new Hasty()),
                _ => builder.AddPolicy(new Forking(() => _random.Next(2) == 0)),
            };
        }

        private Brought Make(string name) => _random.Next(7) switch
        {
            0 => new Plain(name),
            1 or 2 => new Async(name, _time),
            3 => new Both(name),
            _ => new Sync(name),
        };

        /// <summary>One of the few that come again and again, or a new one.</summary>
        private Brought Bring()
        {
            Brought one = _random.Next(4) == 0 ? Make($"new {_brought.Count}") : _pool[_random.Next(_pool.Length)];
            _brought.Add(one);
            return one;
        }

        private ValueTask<Brought> Attempt(CancellationToken token)
        {
            int how = _random.Next(10);
            if (how == 0) throw new InvalidOperationException("thrown at once");
            return _suspends && how > 2 ? Late(how, token) : new(Bring());
        }

        private async ValueTask<Brought> Late(int how, CancellationToken token)
        {
            TimeSpan time = TimeSpan.FromMilliseconds(how switch { 9 => 5000, 8 => 1500, 7 => 300, _ => 10 });
            await ClockWait.ForAsync(Clock.For(_time), time, how is 8 or 3 ? token : default);
            return how == 4 ? throw new InvalidOperationException("thrown late") : Bring();
        }

        /// <summary>What is wrong; null: nothing.</summary>
        public string? Wrong()
        {
            Brought? returned = null;
            using CancellationTokenSource caller = new();
            Task<Outcome<Brought>> call = _pipeline.TryExecuteAsync(Attempt, caller.Token).AsTask();
            if (_random.Next(5) == 0)
            {
                _time.Advance(TimeSpan.FromMilliseconds(_random.Next(1, 900)));
                caller.Cancel();
            }

            _time.RunUntil(call);
            if (call.Result.HasResult && (returned = call.Result.Value).Disposed > 0) return $"{_shape}: {returned} is returned and was disposed of";
            _time.Advance(TimeSpan.FromMinutes(2)); // what was left behind ends
            if (returned is { Disposed: > 0 }) return $"{_shape}: {returned} was disposed of after it had been returned";
            foreach (Brought other in _brought.Distinct().Where(b => b.Counts && b != returned))
            {
                if (other.Disposed != 1) return $"{_shape}: {other} of {string.Join(", ", _brought)} was disposed of {other.Disposed} times";
            }

            return null;
        }
    }

    [Fact]
    public Task Through_nested_policies_what_is_returned_is_whole_and_all_else_is_disposed_of_once() => Task.Run(() =>
        Enumerable.Range(0, Seeds).Select(seed => new Drawn(seed, hasHasty: false).Wrong()).Where(wrong => wrong is not null).Should().BeEmpty());

    [Fact]
    public Task The_nested_check_finds_a_policy_that_disposes_when_it_has_ended() => Task.Run(() =>
        Enumerable.Range(0, Seeds).Count(seed => new Drawn(seed, hasHasty: true).Wrong() is not null).Should().BeGreaterThan(10));
}
