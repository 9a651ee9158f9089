namespace Resilience.Tests.Seams;

/// <content>The options of each policy, and calls that show them.</content>
public sealed partial class OptionWalkTests
{
    private sealed class Asks(TimeSpan after) : Exception, ICarriesRejection
    {
        public Rejection? Rejection => null;

        public TimeSpan? RetryAfter => after;
    }

    private sealed class Rejects() : Rejection("gate")
    {
        public override string Reason => "no";

        public override TimeSpan? RetryAfter => TimeSpan.FromSeconds(1);

        public override ResilienceException ToException() => new(this);
    }

    private sealed class Gate : SimplePolicy
    {
        public bool IsClosed;

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) =>
            IsClosed ? new(Outcome.Rejected<T>(new Rejects())) : next.ExecuteAsync(context);
    }

    private static string Balance(ResiliencePipeline pipeline) =>
        pipeline.Find<RetryBudget>() is { } budget ? $"{budget.Balance:0} of {budget.RestingBalance:0}, {budget}" : "no budget";

    private sealed class RetryWalk(SteppedTime time) : Walk<RetryOptions>(time)
    {
        private readonly Gate _gate = new();

        protected override RetryOptions All() => new()
        {
            MaxRetries = 4,
            BaseDelay = TimeSpan.FromSeconds(1),
            MaxDelay = TimeSpan.FromSeconds(6),
            BudgetOptions = new() { MinRetriesPerSecond = 5 },
            RetryAfter = r => r.Exception is TimeoutException ? TimeSpan.FromSeconds(2) : null,
        };

        protected override Dictionary<string, Action<RetryOptions>> Others() => new()
        {
            [nameof(RetryOptions.MaxRetries)] = o => o.MaxRetries = 1,
            [nameof(RetryOptions.BackoffKind)] = o => o.BackoffKind = BackoffKind.Linear,
            [nameof(RetryOptions.BaseDelay)] = o => o.BaseDelay = TimeSpan.FromSeconds(2),
            [nameof(RetryOptions.MaxDelay)] = o => o.MaxDelay = TimeSpan.FromSeconds(3),
            [nameof(RetryOptions.Factor)] = o => o.Factor = 3,
            [nameof(RetryOptions.Jitter)] = o => o.Jitter = BackoffJitter.None,
            [nameof(RetryOptions.Budget)] = o => o.Budget = new(new() { Ratio = 0, MinRetriesPerSecond = 0 }, Time),
            [nameof(RetryOptions.BudgetOptions)] = o => o.BudgetOptions = new() { MinRetriesPerSecond = 7 },
            ["BudgetOptions.Ratio"] = o => o.BudgetOptions!.Ratio = 1,
            ["BudgetOptions.MinRetriesPerSecond"] = o => o.BudgetOptions!.MinRetriesPerSecond = 9,
            [nameof(RetryOptions.RetryAfter)] = o => o.RetryAfter = _ => TimeSpan.FromSeconds(3),
            [nameof(RetryOptions.MaxRetryAfter)] = o => o.MaxRetryAfter = TimeSpan.FromSeconds(30),
            [nameof(RetryOptions.RetryAfterJitter)] = o => o.RetryAfterJitter = 0.9,
            [nameof(RetryOptions.BackoffIsMinimum)] = o => o.BackoffIsMinimum = true,
            [nameof(RetryOptions.ShouldRetry)] = o => o.ShouldRetry = _ => false,
            [nameof(RetryOptions.WaitForRejections)] = o => o.WaitForRejections = true,
            [nameof(RetryOptions.Rules)] = o => o.Rules.Add(RetryRule.On<InvalidDataException>(1)),
            [nameof(RetryOptions.OnRetry)] = o => o.OnRetry = (_, delay) => Log($"told of {delay}"),
            [nameof(RetryOptions.OnRetryAsync)] = o => o.OnRetryAsync = (_, delay, _) =>
            {
                Log($"awaited before {delay}");
                return default;
            },
            [nameof(PolicyOptions.Name)] = o => o.Name = "other",
        };

        protected override void Add(ResiliencePipelineBuilder builder, RetryOptions options) => builder.AddRetry(options).AddPolicy(_gate);

        protected override void Live(ResiliencePipeline pipeline)
        {
            Log(pipeline.Describe().Policies[0].Name);
            Log(Balance(pipeline));
            Call(pipeline, "fails", static _ => throw new IOException());
            Call(pipeline, "fails by rule", static _ => throw new InvalidDataException());
            Call(pipeline, "asks by the option", static _ => throw new TimeoutException());
            Call(pipeline, "asks little", static _ => throw new Asks(TimeSpan.FromMilliseconds(10)));
            Call(pipeline, "asks much", static _ => throw new Asks(TimeSpan.FromSeconds(40)));
            Log(Balance(pipeline));
            _gate.IsClosed = true;
            Call(pipeline, "is rejected", static _ => new(1));
            _gate.IsClosed = false;
        }
    }

    private sealed class BudgetWalk(SteppedTime time) : Walk<RetryBudgetOptions>(time)
    {
        protected override RetryBudgetOptions All() => new() { Ratio = 0.2, MinRetriesPerSecond = 1, Window = TimeSpan.FromSeconds(10) };

        protected override Dictionary<string, Action<RetryBudgetOptions>> Others() => new()
        {
            [nameof(RetryBudgetOptions.Ratio)] = o => o.Ratio = 0.5,
            [nameof(RetryBudgetOptions.MinRetriesPerSecond)] = o => o.MinRetriesPerSecond = 3,
            [nameof(RetryBudgetOptions.Window)] = o => o.Window = TimeSpan.FromSeconds(20),
            [nameof(PolicyOptions.Name)] = static _ => { }, // of a budget that is made alone
        };

        protected override void Add(ResiliencePipelineBuilder builder, RetryBudgetOptions options) => builder.AddRetry(o => o.BudgetOptions = options);

        protected override void Live(ResiliencePipeline pipeline)
        {
            RetryBudget budget = pipeline.Find<RetryBudget>()!;
            for (int round = 0; round < 5; round++)
            {
                for (int i = 0; i < 10 * round; i++) budget.RecordCall();
                int granted = 0;
                while (budget.TryWithdraw()) granted++;
                Log($"{granted} granted");
                Time.Advance(TimeSpan.FromSeconds(5));
            }
        }
    }

    private sealed class LimitWalk(SteppedTime time) : Walk<ConcurrencyLimitOptions>(time)
    {
        protected override ConcurrencyLimitOptions All() => new() { MaxConcurrent = 2, MaxQueued = 2, MaxWait = TimeSpan.FromSeconds(1) };

        protected override Dictionary<string, Action<ConcurrencyLimitOptions>> Others() => new()
        {
            [nameof(ConcurrencyLimitOptions.MaxConcurrent)] = o => o.MaxConcurrent = 3,
            [nameof(ConcurrencyLimitOptions.MaxQueued)] = o => o.MaxQueued = 1,
            [nameof(ConcurrencyLimitOptions.MaxWait)] = o => o.MaxWait = TimeSpan.FromSeconds(3),
            [nameof(PolicyOptions.Name)] = o => o.Name = "other",
        };

        protected override void Add(ResiliencePipelineBuilder builder, ConcurrencyLimitOptions options) => builder.AddConcurrencyLimit(options);

        protected override void Live(ResiliencePipeline pipeline)
        {
            Log(pipeline.Describe().Policies[0].Name);

            // One for each call: of several awaits on one task the runtime sends all but one to the thread pool.
            TaskCompletionSource<int>[] ends = [.. Enumerable.Range(0, 6).Select(_ => new TaskCompletionSource<int>())];
            Task[] calls = [.. ends.Select(async (end, i) =>
            {
                Outcome<int> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(end.Task)).ConfigureAwait(false);
                Log($"call {i}: {outcome.Verdict} {outcome.Rejection?.Reason}");
            })];
            Log($"{pipeline.Find<ConcurrencyLimit>()!.Running} run, {pipeline.Find<ConcurrencyLimit>()!.Waiting} wait");
            Time.Advance(TimeSpan.FromSeconds(10));
            foreach (TaskCompletionSource<int> end in ends) end.SetResult(1);
            Time.RunUntil(Task.WhenAll(calls));
        }
    }

    private sealed class ThrottleWalk(SteppedTime time) : Walk<AdaptiveThrottleOptions>(time)
    {
        protected override AdaptiveThrottleOptions All() => new()
        {
            K = 1.5,
            Window = TimeSpan.FromSeconds(10),
            MaxRejection = 0.6,
            Padding = 5,
            IsOverload = static a => a.Exception is IOException,
        };

        protected override Dictionary<string, Action<AdaptiveThrottleOptions>> Others() => new()
        {
            [nameof(AdaptiveThrottleOptions.K)] = o => o.K = 5,
            [nameof(AdaptiveThrottleOptions.Window)] = o => o.Window = TimeSpan.FromSeconds(30),
            [nameof(AdaptiveThrottleOptions.MaxRejection)] = o => o.MaxRejection = 0.3,
            [nameof(AdaptiveThrottleOptions.Padding)] = o => o.Padding = 500,
            [nameof(AdaptiveThrottleOptions.Counts)] = o => o.Counts = ThrottleCounts.AllFailures,
            [nameof(AdaptiveThrottleOptions.IsOverload)] = o => o.IsOverload = null,
            [nameof(PolicyOptions.Name)] = o => o.Name = "other",
        };

        protected override void Add(ResiliencePipelineBuilder builder, AdaptiveThrottleOptions options) => builder.AddAdaptiveThrottle(options);

        protected override void Live(ResiliencePipeline pipeline)
        {
            Log(pipeline.Describe().Policies[0].Name);
            for (int i = 0; i < 60; i++)
            {
                Exception? error = (i % 6) switch { 0 => null, 1 => new DivideByZeroException(), _ => new IOException() };
                Call(pipeline, $"call {i}", _ => error is null ? new(1) : throw error);
                Log(FormattableString.Invariant($"{pipeline.Find<AdaptiveThrottle>()!.ShareRejected():0.###}"));
                Time.Advance(TimeSpan.FromSeconds(i % 20 == 19 ? 9 : 0.11));
            }
        }
    }

    private sealed class TimeoutWalk(SteppedTime time) : Walk<TimeoutOptions>(time)
    {
        protected override TimeoutOptions All() => new() { Timeout = TimeSpan.FromSeconds(2), AbandonAfter = TimeSpan.FromSeconds(1) };

        protected override Dictionary<string, Action<TimeoutOptions>> Others() => new()
        {
            [nameof(TimeoutOptions.Timeout)] = o => o.Timeout = TimeSpan.FromSeconds(3),
            [nameof(TimeoutOptions.TimeoutFor)] = o => o.TimeoutFor = _ => TimeSpan.FromSeconds(5),
            [nameof(TimeoutOptions.AbandonAfter)] = o => o.AbandonAfter = TimeSpan.FromSeconds(4),
            [nameof(PolicyOptions.Name)] = o => o.Name = "other",
        };

        protected override void Add(ResiliencePipelineBuilder builder, TimeoutOptions options) => builder.AddTimeout(options);

        protected override void Live(ResiliencePipeline pipeline)
        {
            Log(pipeline.Describe().Policies[0].Name);
            Call(pipeline, "hangs", HangAsync);
            Call(pipeline, "is deaf", static _ => new(new TaskCompletionSource<int>().Task));
        }
    }

    private sealed class FallbackWalk(SteppedTime time) : Walk<FallbackOptions<int>>(time)
    {
        protected override FallbackOptions<int> All() => new() { Value = 7 };

        protected override Dictionary<string, Action<FallbackOptions<int>>> Others() => new()
        {
            [nameof(FallbackOptions<>.LastGood)] = o => o.LastGood = LastGood<int>.Shared(TimeSpan.FromMinutes(5)),
            [nameof(FallbackOptions<>.Call)] = o => o.Call = _ => new(8),
            [nameof(FallbackOptions<>.Value)] = o => o.Value = 9,
            [nameof(FallbackOptions<>.ShouldHandle)] = o => o.ShouldHandle = _ => false,
            [nameof(PolicyOptions.Name)] = o => o.Name = "other",
        };

        protected override void Add(ResiliencePipelineBuilder builder, FallbackOptions<int> options) => builder.AddFallback(options);

        protected override void Live(ResiliencePipeline pipeline)
        {
            Log(pipeline.Describe().Policies[0].Name);
            Call(pipeline, "works", static _ => new(5));
            Call(pipeline, "fails", static _ => throw new IOException());
        }
    }

    private sealed class HedgingWalk(SteppedTime time) : Walk<HedgingOptions>(time)
    {
        protected override HedgingOptions All() =>
            new()
            {
                MaxAttempts = 3,
                Delay = TimeSpan.FromSeconds(1),
                DelayQuantile = 0.9,
                MinSamples = 10,
                MinDelay = TimeSpan.FromMilliseconds(100),
                MaxDelay = TimeSpan.FromMilliseconds(900),
                BudgetOptions = new() { MinRetriesPerSecond = 5 },
            };

        protected override Dictionary<string, Action<HedgingOptions>> Others() => new()
        {
            [nameof(HedgingOptions.MaxAttempts)] = o => o.MaxAttempts = 2,
            [nameof(HedgingOptions.Delay)] = o => o.Delay = TimeSpan.FromSeconds(2),
            [nameof(HedgingOptions.DelayQuantile)] = o => o.DelayQuantile = 0.5,
            [nameof(HedgingOptions.MinDelay)] = o => o.MinDelay = TimeSpan.FromMilliseconds(700),
            [nameof(HedgingOptions.MaxDelay)] = o => o.MaxDelay = TimeSpan.FromMilliseconds(400),
            [nameof(HedgingOptions.MinSamples)] = o => o.MinSamples = 100,
            [nameof(HedgingOptions.CanHedge)] = o => o.CanHedge = _ => false,
            [nameof(HedgingOptions.DelayFor)] = o => o.DelayFor = _ => TimeSpan.FromSeconds(3),
            [nameof(HedgingOptions.Route)] = o => o.Route = (_, number) =>
            {
                Log($"routes {number}");
                return true;
            },
            [nameof(HedgingOptions.ShouldHedge)] = o => o.ShouldHedge = _ => false,
            [nameof(HedgingOptions.Budget)] = o => o.Budget = new(new() { Ratio = 0, MinRetriesPerSecond = 0 }, Time),
            [nameof(HedgingOptions.BudgetOptions)] = o => o.BudgetOptions = new() { MinRetriesPerSecond = 7 },
            ["BudgetOptions.MinRetriesPerSecond"] = o => o.BudgetOptions!.MinRetriesPerSecond = 9,
            [nameof(PolicyOptions.Name)] = o => o.Name = "other",
        };

        protected override void Add(ResiliencePipelineBuilder builder, HedgingOptions options) =>
            builder.AddTimeout(TimeSpan.FromSeconds(20)).AddHedging(options);

        protected override void Live(ResiliencePipeline pipeline)
        {
            Log(pipeline.Describe().Policies[1].Name);
            Log(Balance(pipeline));
            Call(pipeline, "is slow", static context => context.Attempt == 2 ? new(2) : HangAsync(context));
            Call(pipeline, "fails", static context => context.Attempt == 2 ? new(2) : throw new IOException());
            for (int i = 0; i < 12; i++)
            {
                TimeSpan takes = TimeSpan.FromMilliseconds(i < 7 ? 300 : 600);
                Call(pipeline, "is measured", _ => AnswerAsync(takes));
            }

            Time.Advance(TimeSpan.FromSeconds(2));
            Call(pipeline, "is slow again", static context => context.Attempt == 2 ? new(2) : HangAsync(context));
            Log(Balance(pipeline));
        }

        private async ValueTask<int> AnswerAsync(TimeSpan after)
        {
            TaskCompletionSource passed = new();
            await using ITimer timer = Time.CreateTimer(_ => passed.TrySetResult(), null, after, Timeout.InfiniteTimeSpan);
            await passed.Task.ConfigureAwait(false);
            return 1;
        }
    }

    private sealed class ChaosWalk(SteppedTime time) : Walk<ChaosOptions>(time)
    {
        private readonly ChaosSwitch _shared = new(time);

        protected override ChaosOptions All() => new ChaosOptions
        {
            IsOn = true,
            Rates = new() { Fault = 0.2, LostReply = 0.2, Latency = 0.3, Behaviour = 0.3, Result = 0.2 },
            Latency = TimeSpan.FromMilliseconds(100),
            Behaviour = _ =>
            {
                Log("behaves");
                return default;
            },
            Seed = 7,
            Schedule = new ChaosSchedule { StartsAt = DateTimeOffset.UnixEpoch }.Window(TimeSpan.Zero, TimeSpan.FromHours(20)),
        }.Result(77);

        protected override Dictionary<string, Action<ChaosOptions>> Others() => new()
        {
            [nameof(ChaosOptions.Rates)] = o => o.Rates = o.Rates with { Fault = 0.5 },
            [nameof(ChaosOptions.IsOn)] = o => o.IsOn = false,
            [nameof(ChaosOptions.Fault)] = o => o.Fault = _ => new InvalidDataException(),
            [nameof(ChaosOptions.LostReply)] = o => o.LostReply = _ => new EndOfStreamException(),
            [nameof(ChaosOptions.Latency)] = o => o.Latency = TimeSpan.FromMilliseconds(300),
            [nameof(ChaosOptions.MaxLatency)] = o => o.MaxLatency = TimeSpan.FromMilliseconds(900),
            [nameof(ChaosOptions.Behaviour)] = o => o.Behaviour = _ =>
            {
                Log("behaves otherwise");
                return default;
            },
            [nameof(ChaosOptions.Filter)] = o => o.Filter = _ => Time.NowMs % 200 == 0,
            [nameof(ChaosOptions.Schedule)] = o => o.Schedule = new ChaosSchedule().Window(TimeSpan.FromHours(30), TimeSpan.FromHours(3)),
            ["Schedule.Windows"] = o => o.Schedule!.Windows.Clear(),
            ["Schedule.RepeatEvery"] = o => o.Schedule!.RepeatEvery = TimeSpan.FromHours(21),
            ["Schedule.StartsAt"] = o => o.Schedule!.StartsAt = DateTimeOffset.UnixEpoch.AddDays(3),
            ["Results."] = o => o.Result(88),
            [nameof(ChaosOptions.Seed)] = o => o.Seed = 8,
            [nameof(ChaosOptions.Switch)] = o => o.Switch = _shared,
            [nameof(ChaosOptions.EnvironmentName)] = o => o.EnvironmentName = "Staging",
            [nameof(ChaosOptions.AllowedEnvironments)] = o => o.AllowedEnvironments.Clear(),
            [nameof(PolicyOptions.Name)] = o => o.Name = "other",
        };

        protected override void Add(ResiliencePipelineBuilder builder, ChaosOptions options) => builder.AddChaos(options);

        protected override void Live(ResiliencePipeline pipeline)
        {
            PolicyDescription described = pipeline.Describe().Policies[0];
            Log($"{described.Name} in {described.Options.Single(o => o.Key == "environment").Value}, {ReferenceEquals(pipeline.Find<ChaosSwitch>(), _shared)}");
            for (int i = 0; i < 40; i++)
            {
                Call(pipeline, $"call {i}", static _ => new(1));
                Time.Advance(TimeSpan.FromMilliseconds(100));
            }
        }
    }

    /// <summary>A policy that reads its options when it is asked, or keeps what its former had.</summary>
    private sealed class PlantedWalk(SteppedTime time, string flaw) : Walk<TimeoutOptions>(time)
    {
        protected override TimeoutOptions All() => new() { Timeout = TimeSpan.FromSeconds(2) };

        protected override Dictionary<string, Action<TimeoutOptions>> Others() =>
            new() { [nameof(TimeoutOptions.Timeout)] = o => o.Timeout = TimeSpan.FromSeconds(3) };

        protected override void Add(ResiliencePipelineBuilder builder, TimeoutOptions options) =>
            builder.AddPolicy(options, environment => new Flawed(options, environment.Former as Flawed, flaw));

        protected override void Live(ResiliencePipeline pipeline) => Log(pipeline.Find<object>()!.ToString()!);

        private sealed class Flawed(TimeoutOptions options, Flawed? former, string flaw) : SimplePolicy
        {
            private readonly TimeSpan _timeout = flaw == "forgetful" && former is not null ? former._timeout : options.Timeout;

            public override object State => flaw == "late" ? options.Timeout : _timeout;

            protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
        }
    }
}
