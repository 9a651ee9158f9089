using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience.Tests.Seams;

/// <summary>Everything that the core calls and that is not its own (listeners, clocks, chance, callbacks, exceptions and rejections of users) throws, at
/// each place where it is called, in calls that end in every way. Afterwards every place and permit is back, and no call was lost to it.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class CallOutTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly AsyncLocal<Bomb?> Current = new();

    public enum CallOut
    {
        Measurement,
        InstrumentPublished,
        SpanSampled,
        SpanStarted,
        SpanStopped,
        Event,
        Timestamp,
        TimeOfDay,
        TimerMade,
        TimerChanged,
        Chance,
        ExceptionRule,
        ResultRule,
        ExceptionName,
        ResultName,
        RetryAfterReader,
        ShouldRetry,
        OnRetry,
        TimeoutFor,
        HedgingDelay,
        FallbackCondition,
        FallbackCall,
        CircuitKey,
        RejectionOfException,
        RetryAfterOfException,
        MessageOfException,
        ReasonOfRejection,
        ExceptionOfRejection,
        Dispose,
        PolicyDescribe,
    }

    /// <summary>Counts how often a call-out is made, and throws at one of them, or at all.</summary>
    private sealed class Bomb(CallOut where, int at)
    {
        private int _calls;

        public int Calls => Volatile.Read(ref _calls);

        public int Blasts;

        public void Pass(CallOut here)
        {
            if (here != where) return;
            int call = Interlocked.Increment(ref _calls);
            if (at != 0 && at != call) return;
            Interlocked.Increment(ref Blasts);
            throw new NotFiniteNumberException($"{here} {call}");
        }
    }

    private static void Pass(CallOut here) => Current.Value?.Pass(here);

    private sealed class Chances : Randomness
    {
        public override double NextDouble()
        {
            Pass(CallOut.Chance);
            return 0.5;
        }
    }

    private sealed class Meters : IMeterFactory
    {
        public Meter Meter { get; } = new(ResilienceTelemetry.MeterName);

        public Meter Create(MeterOptions options) => Meter;

        public void Dispose() => Meter.Dispose();
    }

    private sealed class Answer(bool isGood) : IDisposable
    {
        public bool IsGood => isGood;

        public void Dispose() => Pass(CallOut.Dispose);
    }

    private sealed class UsersException : Exception, ICarriesRejection
    {
        public override string Message
        {
            get
            {
                Pass(CallOut.MessageOfException);
                return "users";
            }
        }

        public Rejection? Rejection
        {
            get
            {
                Pass(CallOut.RejectionOfException);
                return null;
            }
        }

        public TimeSpan? RetryAfter
        {
            get
            {
                Pass(CallOut.RetryAfterOfException);
                return TimeSpan.Zero;
            }
        }
    }

    private sealed class UsersRejection() : Rejection("users")
    {
        public override string Reason
        {
            get
            {
                Pass(CallOut.ReasonOfRejection);
                return "no";
            }
        }

        public override ResilienceException ToException()
        {
            Pass(CallOut.ExceptionOfRejection);
            return new(this);
        }
    }

    /// <summary>A policy of a user that rejects what it is told to.</summary>
    private sealed class Gate : SimplePolicy
    {
        public volatile bool IsClosed;

        public override PolicyDescription Describe()
        {
            Pass(CallOut.PolicyDescribe);
            return base.Describe();
        }

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) =>
            IsClosed ? new(Outcome.Rejected<T>(new UsersRejection())) : next.ExecuteAsync(context);
    }

    /// <summary>All policies around each other, and all their call-outs.</summary>
    private sealed class World : IDisposable
    {
        private readonly Meters _meters = new();
        private readonly MeterListener _measures = new();
        private readonly ActivityListener _spans;
        private readonly CircuitBreakerPartitions _circuits;

        public World()
        {
            _measures.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter != _meters.Meter) return;
                listener.EnableMeasurementEvents(instrument);
                Pass(CallOut.InstrumentPublished);
            };
            _measures.SetMeasurementEventCallback<long>(static (_, _, _, _) => Pass(CallOut.Measurement));
            _measures.SetMeasurementEventCallback<int>(static (_, _, _, _) => Pass(CallOut.Measurement));
            _measures.SetMeasurementEventCallback<double>(static (_, _, _, _) => Pass(CallOut.Measurement));
            _measures.Start();
            _spans = new()
            {
                ShouldListenTo = static source => source.Name == ResilienceTelemetry.ActivitySourceName,
                Sample = static (ref ActivityCreationOptions<ActivityContext> _) =>
                {
                    if (Current.Value is null) return ActivitySamplingResult.None;
                    Pass(CallOut.SpanSampled);
                    return ActivitySamplingResult.AllData;
                },
                ActivityStarted = static _ => Pass(CallOut.SpanStarted),
                ActivityStopped = static _ => Pass(CallOut.SpanStopped),
            };
            ActivitySource.AddActivityListener(_spans);
            _circuits = new(new() { FailureRatio = 1, MinimumCalls = 1000 }, timeProvider: Time);
            OutcomeClassifier classifier = OutcomeClassifier.Default
                .On<IOException>(static _ => Asked<Verdict?>(CallOut.ExceptionRule, null))
                .OnResult<Answer>(static answer => Asked<Verdict?>(CallOut.ResultRule, answer.IsGood ? null : Verdict.Failure))
                .NameException<Exception>(static _ => Asked<string?>(CallOut.ExceptionName, null))
                .NameResult<Answer>(static _ => Asked<string?>(CallOut.ResultName, "bad"))
                .RetryAfterResult<Answer>(static (_, _) => Asked<TimeSpan?>(CallOut.RetryAfterReader, TimeSpan.Zero));
            ResiliencePipelineBuilder<Answer> builder = new()
            {
                Name = "p",
                TimeProvider = Time,
                Randomness = new Chances(),
                MeterFactory = _meters,
                Classifier = classifier,
            };
            builder.OnEvent(static _ => Pass(CallOut.Event));
            Pipeline = builder
                .AddFallback(o =>
                {
                    o.ShouldHandle = static arguments => Asked(CallOut.FallbackCondition, arguments.Outcome.Exception is InvalidDataException);
                    o.Call = static _ => new(Asked(CallOut.FallbackCall, new Answer(true)));
                })
                .AddTimeout(o => (o.Timeout, o.TimeoutFor) = (TimeSpan.FromSeconds(100), static _ => Asked<TimeSpan?>(CallOut.TimeoutFor, null)))
                .AddPolicy(Gate)
                .AddConcurrencyLimit(new ConcurrencyLimitOptions { MaxConcurrent = 1, MaxQueued = 1, MaxWait = TimeSpan.FromMilliseconds(200) })
                .AddRetry(o =>
                {
                    (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.FromMilliseconds(10));
                    o.BudgetOptions = new() { MinRetriesPerSecond = 1000 };
                    o.ShouldRetry = static _ => Asked(CallOut.ShouldRetry, true);
                    o.OnRetry = static (_, _) => Pass(CallOut.OnRetry);
                })
                .AddHedging(o => (o.MaxAttempts, o.Delay, o.DelayFor) = (2, TimeSpan.FromMilliseconds(20),
                    static _ => Asked<TimeSpan?>(CallOut.HedgingDelay, null)))
                .AddCircuitBreaker(_circuits, static _ => Asked<string?>(CallOut.CircuitKey, "key"))
                .AddTimeout(o => (o.Timeout, o.AbandonAfter) = (TimeSpan.FromMilliseconds(60), TimeSpan.FromMilliseconds(20)))
                .Build();
        }

        public WatchedTime Time { get; } = new()
        {
            Using = use => Pass(use switch
            {
                TimeUse.Timestamp => CallOut.Timestamp,
                TimeUse.TimeOfDay => CallOut.TimeOfDay,
                TimeUse.TimerMade => CallOut.TimerMade,
                _ => CallOut.TimerChanged,
            }),
        };

        public Gate Gate { get; } = new();

        public ResiliencePipeline<Answer> Pipeline { get; }

        /// <summary>One way in which a call ends after the other. Each call must have an outcome, and none may throw.</summary>
        public async Task LiveAsync()
        {
            await EndAsync(Pipeline.TryExecuteAsync(static _ => new ValueTask<Answer>(new Answer(true)))); // at once
            await EndAsync(Pipeline.TryExecuteAsync(static async _ =>
            {
                await Task.Yield();
                return new Answer(true);
            }));
            await EndAsync(Pipeline.TryExecuteAsync(static _ => new ValueTask<Answer>(new Answer(false)))); // all retries
            await EndAsync(Pipeline.TryExecuteAsync(static async _ =>
            {
                await Task.Yield();
                throw new IOException();
            }));
            await EndAsync(Pipeline.TryExecuteAsync(static _ => throw new UsersException()));
            await EndAsync(Pipeline.TryExecuteAsync(static _ => throw new InvalidDataException())); // the fallback
            await EndAsync(Pipeline.TryExecuteAsync(static async token => // cancelled by the timeout, hedged before
            {
                await Task.Delay(System.Threading.Timeout.Infinite, token);
                return new Answer(true);
            }));
            TaskCompletionSource<Answer> left = new();
            await EndAsync(Pipeline.TryExecuteAsync(_ => new ValueTask<Answer>(left.Task))); // abandoned
            left.SetResult(new(false));
            await RejectAsync();
            using CancellationTokenSource gone = new();
            await EndAsync(Pipeline.TryExecuteAsync(
                async token =>
                {
                    await gone.CancelAsync();
                    await Task.Delay(System.Threading.Timeout.Infinite, token);
                    return new Answer(true);
                },
                gone.Token));
        }

        /// <summary>By the gate, by the limit whose queue is full, and by the limit after a wait.</summary>
        private async Task RejectAsync()
        {
            Gate.IsClosed = true;
            Outcome<Answer> rejected = await EndAsync(Pipeline.TryExecuteAsync(static _ => new ValueTask<Answer>(new Answer(true))));
            Gate.IsClosed = false;
            _ = rejected.Exception;
            _ = rejected.ToString();
            TaskCompletionSource<Answer> end = new();
            Task<Outcome<Answer>> holds = Pipeline.TryExecuteAsync(_ => new ValueTask<Answer>(end.Task)).AsTask();
            Task<Outcome<Answer>> waits = Pipeline.TryExecuteAsync(static _ => new ValueTask<Answer>(new Answer(true))).AsTask();
            await EndAsync(Pipeline.TryExecuteAsync(static _ => new ValueTask<Answer>(new Answer(true))));
            await EndAsync(new(waits));
            end.SetResult(new(true));
            await EndAsync(new(holds));
        }

        /// <summary>Lets time pass until the call has ended. Nothing here depends on how fast: who waits for a timer of the system's, because the
        /// user's threw, gets real time as well.</summary>
        private async Task<Outcome<Answer>> EndAsync(ValueTask<Outcome<Answer>> call)
        {
            Task<Outcome<Answer>> running = call.AsTask();
            long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
            for (int i = 0; !running.IsCompleted && Environment.TickCount64 < end; i++)
            {
                Time.Advance(TimeSpan.FromMilliseconds(10));
                if (i < 50) await Task.Yield();
                else await Task.Delay(1);
            }

            running.IsCompleted.Should().BeTrue("every call ends");
            Outcome<Answer> outcome = await running;
            outcome.Verdict.Should().NotBe(Verdict.None);
            _ = outcome.RetryAfter;
            _ = outcome.ToString();
            return outcome;
        }

        public void ShouldBeWhole()
        {
            ConcurrencyLimit limit = Pipeline.Find<ConcurrencyLimit>()!;
            (limit.Running, limit.Waiting).Should().Be((0, 0), "every place has come back");
            foreach ((_, CircuitBreaker circuit) in _circuits.All())
            {
                CircuitSnapshot seen = circuit.TakeSnapshot();
                (seen.State, seen.ProbesOut, seen.OverdueCalls).Should().Be((CircuitState.Closed, 0, 0));
            }
        }

        public void Dispose()
        {
            _spans.Dispose();
            _measures.Dispose();
            _meters.Dispose();
        }
    }

    private static TResult Asked<TResult>(CallOut here, TResult answer)
    {
        Pass(here);
        return answer;
    }

    /// <summary>Runs the whole world with one call-out that throws at its n-th call (0: at every one). Answers how often it was called.</summary>
    private static async Task<int> RunAsync(CallOut where, int at)
    {
        Bomb bomb = new(where, at);
        using CallbackErrors errors = new();
        Current.Value = bomb;
        using World world = new();
        await world.LiveAsync();
        Current.Value = null;
        world.ShouldBeWhole();
        if (bomb.Blasts > 0) errors.Count.Should().BeGreaterThan(0, "what was thrown is counted");
        return bomb.Calls;
    }

    public static TheoryData<CallOut> All() => [.. Enum.GetValues<CallOut>()];

    [Theory]
    [MemberData(nameof(All))]
    public async Task Whatever_throws_wherever_it_is_called_takes_no_place_and_ends_no_call(CallOut where)
    {
        int calls = await RunAsync(where, 0);
        calls.Should().BeGreaterThan(0, "the calls make this call-out");
        foreach (int at in Enumerable.Range(1, Math.Min(calls, 3))) await RunAsync(where, at);
    }

    // ---- the examples of the issue

    [Fact]
    public async Task A_listener_that_throws_takes_no_place_of_a_limit()
    {
        using Meters meters = new();
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter == meters.Meter) l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>(static (_, _, _, _) => throw new IOException());
        listener.Start();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { MeterFactory = meters }.AddConcurrencyLimit(5).AddRetry().Build();
        for (int i = 0; i < 10; i++) (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).IsSuccess.Should().BeTrue();
        pipeline.Find<ConcurrencyLimit>()!.Running.Should().Be(0);
    }

    private sealed class Vicious : Exception, ICarriesRejection
    {
        public Rejection? Rejection => throw new IOException();

        public TimeSpan? RetryAfter => throw new IOException();
    }

    [Fact]
    public async Task An_exception_that_throws_when_it_is_asked_takes_no_place_and_is_a_failure()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddConcurrencyLimit(2).AddRetry(o => (o.MaxRetries, o.BaseDelay) = (1, TimeSpan.Zero))
            .Build();
        for (int i = 0; i < 5; i++)
        {
            Outcome<int> outcome = await pipeline.TryExecuteAsync<int>(_ => throw new Vicious());
            (outcome.Verdict, outcome.RetryAfter).Should().Be((Verdict.Failure, null));
        }

        pipeline.Find<ConcurrencyLimit>()!.Running.Should().Be(0);
    }

    [Fact]
    public async Task A_place_that_another_call_gave_back_costs_no_call()
    {
        using CallbackErrors errors = new();
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 1 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddConcurrencyLimit(limit).Build();
        (await pipeline.TryExecuteAsync(_ =>
        {
            limit.Release();
            return new ValueTask<int>(1);
        })).Value.Should().Be(1);
        errors.Seen.Should().Equal("concurrency limit release");
    }

    private sealed class Unbound : ResiliencePolicy
    {
        public bool Throws { get; set; } = true;

        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => Throws ? throw new IOException("bind") : next;
    }

    [Fact]
    public async Task A_policy_that_cannot_be_bound_ends_the_call_and_the_next_one_tries_again()
    {
        Unbound policy = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(policy).Build();
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1)))
            .Should().Match<Outcome<int>>(o => o.Verdict == Verdict.Ignored && o.Exception is IOException);
        policy.Throws = false;
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Value.Should().Be(1);
    }

    // ---- planted: what the check must find

    private sealed class Leaky(ConcurrencyLimit limit) : ResiliencePolicy
    {
        internal override bool NeverThrows => true; // as if it were ours

        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(limit, next);

        private sealed class Link<T>(ConcurrencyLimit limit, PolicyLink<T> next) : PolicyLink<T>
        {
            public override async ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
            {
                limit.TryEnter();
                Pass(CallOut.Measurement); // a call-out that is not guarded
                Outcome<T> outcome = await next.ExecuteAsync(context);
                limit.Release();
                return outcome;
            }
        }
    }

    [Fact]
    public async Task The_check_finds_a_call_out_that_is_not_guarded()
    {
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 5 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(new Leaky(limit)).Build();
        Current.Value = new(CallOut.Measurement, 0);
        Outcome<int> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1));
        Current.Value = null;
        limit.Running.Should().Be(1, "the place is lost, which the check of the limit sees");
        outcome.Exception.Should().BeOfType<NotFiniteNumberException>("the last line of defence gives the call an outcome all the same");
    }
}
