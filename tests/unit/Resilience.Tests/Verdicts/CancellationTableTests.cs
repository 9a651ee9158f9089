using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Verdicts;

/// <summary>Every source of cancellation, every exception, every wrapping, every policy around: verdict, token and state of the task. Every member of the
/// product is run.</summary>
public sealed class CancellationTableTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(8);

    public enum Who
    {
        NoSource,
        Caller,
        OurTimer,
        CallersDeadline,
    }

    private sealed class OwnCancellation(string message) : OperationCanceledException(message);

    private sealed class ClientLibraryException(string message) : Exception(message);

    /// <summary>What the delegate ends with, given its token.</summary>
    private static readonly (string Name, Func<CancellationToken, Exception> Make, Verdict WithoutCancellation)[] Errors =
    [
        ("the given token", token => new OperationCanceledException("x", token), Verdict.Failure),
        ("no token", _ => new TaskCanceledException("x", new TimeoutException("inner")), Verdict.Failure),
        ("a foreign token", _ => new OperationCanceledException("x", new CancellationToken(true)), Verdict.Failure),
        ("a cancellation of its own class", _ => new OwnCancellation("x"), Verdict.Failure),
        ("a client library", _ => new ClientLibraryException("x"), Verdict.Failure),
        ("the network", _ => new IOException("x"), Verdict.Failure),
        ("the program", _ => new ArgumentException("x"), Verdict.Ignored),
        ("an aggregate", token => new AggregateException(new OperationCanceledException("x", token)), Verdict.Failure),
        ("an aggregate of the program", _ => new AggregateException(new ArgumentException("x")), Verdict.Ignored),
        ("an invocation", token => new System.Reflection.TargetInvocationException(new OperationCanceledException("x", token)), Verdict.Failure),
    ];

    /// <summary>A policy of the user's that gives the call a token of its own, linked to the one it got.</summary>
    private sealed class OwnToken : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            CancellationToken former = context.CancellationToken;
            using CancellationTokenSource own = CancellationTokenSource.CreateLinkedTokenSource(former);
            context.CancellationToken = own.Token;
            Outcome<T> outcome = await next.ExecuteAsync(context);
            context.CancellationToken = former;
            return outcome;
        }
    }

    /// <summary>Looks at what comes up, as a policy of the user's may: where its token is cancelled, the exception must name it.</summary>
    private sealed class Watch(List<string> faults, string where) : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            Outcome<T> outcome = await next.ExecuteAsync(context);
            if (outcome.Verdict == Verdict.Ignored && context.CancellationToken.IsCancellationRequested
                && outcome.Exception is OperationCanceledException cancelled && cancelled.CancellationToken != context.CancellationToken)
                faults.Add($"{where}: a policy finds a foreign token");
            return outcome;
        }
    }

    private static ResiliencePipelineBuilder Retry(ResiliencePipelineBuilder b) => b.AddRetry(o =>
    {
        (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.Zero);
        o.ShouldRetry = attempt => attempt.Context.CancellationToken.IsCancellationRequested; // which a right verdict never lets it see
    });

    private static ResiliencePipelineBuilder Hedge(ResiliencePipelineBuilder b) => b.AddHedging(o => o.Delay = Timeout.InfiniteTimeSpan);

    private static ResiliencePipeline Inner(FakeTimeProvider time, Func<ResiliencePipelineBuilder, ResiliencePipelineBuilder> add) =>
        add(new() { TimeProvider = time }).Build();

    private static readonly (string Name, Func<ResiliencePipelineBuilder, FakeTimeProvider, ResiliencePipelineBuilder> Add)[] Policies =
    [
        ("timeout", (b, _) => b.AddTimeout(TimeSpan.FromMinutes(5))),
        ("abandoning timeout", (b, _) => b.AddTimeout(new TimeoutOptions { Timeout = TimeSpan.FromMinutes(5), AbandonAfter = TimeSpan.FromMinutes(1) })),
        ("retry", (b, _) => Retry(b)),
        ("hedging", (b, _) => Hedge(b)),
        ("concurrency limit", (b, _) => b.AddConcurrencyLimit(new ConcurrencyLimitOptions { MaxConcurrent = 5, MaxQueued = 5 })),
        ("breaker", (b, _) => b.AddCircuitBreaker(o => o.MinimumCalls = 1000)),
        ("own policy", (b, _) => b.AddPolicy(new OwnToken())),
        ("nested pipeline", (b, t) => b.AddPipeline(Inner(t, i => i.AddTimeout(TimeSpan.FromMinutes(4))))),
        ("idempotency", (b, _) => b.AddIdempotency(new IdempotencyGate(new InMemoryIdempotencyStore(new()), new() { MaxWait = TimeSpan.FromMilliseconds(1) }))),
    ];

    public static TheoryData<int, int> Chains()
    {
        TheoryData<int, int> chains = new() { { -1, -1 } };
        for (int outer = 0; outer < Policies.Length; outer++)
        {
            chains.Add(outer, -1);
            for (int inner = 0; inner < Policies.Length; inner++) chains.Add(outer, inner);
        }

        return chains;
    }

    [Theory]
    [MemberData(nameof(Chains))]
    public async Task The_verdict_follows_from_the_source_of_the_cancellation_and_the_caller_gets_its_token_back(int outer, int inner) =>
        (await FaultsOf((b, t) => Added(Added(b, outer, t), inner, t), inner < 0 ? Enum.GetValues<Form>() : [Form.TryTask])).Should().BeEmpty();

    private static ResiliencePipelineBuilder Added(ResiliencePipelineBuilder builder, int policy, FakeTimeProvider time) =>
        policy < 0 ? builder : Policies[policy].Add(builder, time);

    private static async Task<List<string>> FaultsOf(Func<ResiliencePipelineBuilder, FakeTimeProvider, ResiliencePipelineBuilder> add, Form[] forms)
    {
        List<string> faults = [];
        foreach (Who who in Enum.GetValues<Who>())
        {
            for (int error = 0; error < Errors.Length; error++)
            {
                foreach (Form form in who == Who.CallersDeadline ? [Form.TryTask] : forms) await new Case(add, who, error, form, faults).RunAsync();
            }

            await new Case(add, who, -1, Form.TryTask, faults).RunAsync();
        }

        return faults;
    }

    private enum Form
    {
        TryTask,
        Value,
        VoidTask,
    }

    private sealed class Case(
        Func<ResiliencePipelineBuilder, FakeTimeProvider, ResiliencePipelineBuilder> add, Who who, int error, Form form, List<string> faults)
    {
        private readonly FakeTimeProvider _time = new();
        private readonly CancellationTokenSource _caller = new();
        private Exception? _thrown;
        private int _calls;

        private string Name => $"{who} cancels, {(error < 0 ? "a result" : Errors[error].Name)}, {form}";

        private void Check(bool isRight, string what)
        {
            if (!isRight) faults.Add($"{Name}: {what}");
        }

        public async Task RunAsync()
        {
            CircuitBreaker outside = new(new() { FailureRatio = 1, MinimumCalls = 1 }, _time);
            CircuitBreaker inside = new(new() { FailureRatio = 1, MinimumCalls = 1, DryRun = true }, _time);
            ResiliencePipelineBuilder builder = new ResiliencePipelineBuilder { TimeProvider = _time }.AddCircuitBreaker(outside)
                .AddPolicy(new Watch(faults, Name));
            if (who is Who.OurTimer or Who.CallersDeadline) builder.AddTimeout(who == Who.OurTimer ? Limit : TimeSpan.FromHours(1));
            ResiliencePipeline pipeline = add(builder, _time).AddPolicy(new Watch(faults, Name)).AddCircuitBreaker(inside).Build();
            bool isTry = form == Form.TryTask || who == Who.CallersDeadline;
            Outcome<int> outcome = default;
            Task? task = null;
            if (who == Who.CallersDeadline)
            {
                CallOptions options = new("x") { Deadline = Limit, Properties = Key() };
                outcome = await pipeline.TryExecuteAsync(options, static (context, c) => c.Delegate(context.CancellationToken), this, _caller.Token);
            }
            else
            {
                task = Execute(pipeline);
                await task.ContinueWith(_ => { }, TaskScheduler.Default).WaitAsync(TimeSpan.FromSeconds(60));
                if (isTry) outcome = await (Task<Outcome<int>>)task;
            }

            Exception? ended = isTry ? outcome.Exception : task!.IsCanceled || task.IsFaulted ? await Record.ExceptionAsync(() => task) : null;
            if (isTry) CheckVerdict(outcome);
            CheckEnd(ended, isTry ? null : task);
            CheckBreakers(outside, inside);
        }

        private static CallProperties Key() => new CallProperties().With(IdempotencyKey.Property, new IdempotencyKey("test", Guid.NewGuid().ToString("N")));

        private Task Execute(ResiliencePipeline pipeline) => form switch
        {
            _ when NeedsKey(pipeline) => WithKey(pipeline),
            Form.TryTask => pipeline.TryExecuteAsync(static (c, ct) => c.Delegate(ct).AsTask(), this, _caller.Token).AsTask(),
            Form.Value => pipeline.ExecuteAsync(static (c, ct) => c.Delegate(ct), this, _caller.Token).AsTask(),
            _ => pipeline.ExecuteAsync(static (c, ct) => (Task)c.Delegate(ct).AsTask(), this, _caller.Token).AsTask(),
        };

        private static bool NeedsKey(ResiliencePipeline pipeline) => pipeline.Describe().Policies.Any(p => p.Role == PolicyRole.Idempotency);

        private Task WithKey(ResiliencePipeline pipeline)
        {
            CallOptions options = new("x") { Properties = Key() };
            return form == Form.TryTask
                ? pipeline.TryExecuteAsync(options, static (context, c) => c.Delegate(context.CancellationToken), this, _caller.Token).AsTask()
                : pipeline.ExecuteAsync(options, static (context, c) => c.Delegate(context.CancellationToken), this, _caller.Token).AsTask();
        }

        private async ValueTask<int> Delegate(CancellationToken token)
        {
            _calls++;
            await Task.Yield();
            if (who == Who.Caller) await _caller.CancelAsync();
            if (who is Who.OurTimer or Who.CallersDeadline) _time.Advance(Limit);
            if (who != Who.NoSource && !token.IsCancellationRequested)
            {
                TaskCompletionSource heard = new(TaskCreationOptions.RunContinuationsAsynchronously);
                await using CancellationTokenRegistration registration = token.Register(heard.SetResult);
                await heard.Task.WaitAsync(TimeSpan.FromSeconds(60), CancellationToken.None);
            }

            if (error < 0) return 7;
            throw _thrown = Errors[error].Make(token);
        }

        private Verdict Expected => error < 0 ? Verdict.Success
            : who switch
            {
                Who.NoSource => Errors[error].WithoutCancellation,
                Who.OurTimer => Verdict.Failure,
                _ => Verdict.Ignored,
            };

        private void CheckVerdict(in Outcome<int> outcome)
        {
            Check(outcome.Verdict == Expected, $"ended as {outcome}");
            if (who != Who.NoSource) Check(_calls == 1, $"was tried {_calls} times");
        }

        private void CheckEnd(Exception? ended, Task? task)
        {
            if (error < 0)
            {
                Check(ended is null, $"a result became {ended?.GetType().Name}");
                return;
            }

            switch (who)
            {
                case Who.OurTimer or Who.CallersDeadline:
                    Check(ended is TimedOutException { InnerException: not null } cut && cut.InnerException == _thrown, $"ended with {ended}");
                    break;
                case Who.Caller when _thrown is OperationCanceledException cancelled:
                    Check(ended is OperationCanceledException own && own.CancellationToken == _caller.Token, $"a foreign token in {ended}");
                    Check(ended?.InnerException == cancelled.InnerException || ended?.InnerException == cancelled, "the inner exception is lost");
                    Check(ended?.StackTrace is not null || ended?.InnerException == cancelled, "the stack trace is lost");
                    if (task is not null) Check(task.IsCanceled, $"the task is {task.Status}");
                    break;
                default:
                    Check(ended == _thrown, $"{ended?.GetType().Name} in the place of what was thrown");
                    break;
            }
        }

        private void CheckBreakers(CircuitBreaker outside, CircuitBreaker inside)
        {
            bool counts = error >= 0 && Expected == Verdict.Failure;
            Check((inside.State == CircuitState.Open) == counts, $"the inner circuit is {inside.State}");
            Check((outside.State == CircuitState.Open) == counts, $"the outer circuit is {outside.State}");
            if (error < 0) Check(outside.TakeSnapshot() is { Calls: 1, Failures: 0 }, "a result is not counted as one");
        }
    }

    /// <summary>A policy of ours with a flaw: it is not guarded, as ours are not.</summary>
    private sealed class Flawed(Func<ResilienceContext, Verdict, Exception?, Verdict> verdict, Func<CancellationToken, Exception,
        Exception> rename) : ResiliencePolicy
    {
        internal override bool NeverThrows => true;

        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(this, next);

        private sealed class Link<T>(Flawed flaw, PolicyLink<T> next) : PolicyLink<T>
        {
            public override async ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
            {
                Outcome<T> outcome = await next.ExecuteAsync(context);
                return outcome.Exception is { } error
                    ? Outcome.Failure<T>(flaw.Rename(context, error), flaw.Verdict(context, outcome.Verdict, error)) : outcome;
            }
        }

        private Exception Rename(ResilienceContext context, Exception error) => rename(context.CancellationToken, error);

        private Verdict Verdict(ResilienceContext context, Verdict said, Exception error) => verdict(context, said, error);
    }

    public static TheoryData<string> Flaws() => ["by class", "swallowed cut", "foreign token", "lost cause", "renamed"];

    /// <summary>The faults that there were, and others of their kind, planted as policies: the table must find each.</summary>
    [Theory]
    [MemberData(nameof(Flaws))]
    public async Task Planted_flaws_are_found(string flaw)
    {
        static Exception Same(CancellationToken token, Exception error) => error;
        Flawed planted = flaw switch
        {
            "by class" => new((_, said, error) => error is ClientLibraryException ? Verdict.Failure : said, Same),
            "swallowed cut" => new(
                (_, said, error) => error is TimedOutException ? Verdict.Ignored : said, (_, error) => error is TimedOutException ? error.InnerException ?? error : error),
            "foreign token" => new(
                (context, said, _) => context.CancellationToken.IsCancellationRequested && said == Verdict.Ignored ? Verdict.Failure : said,
                (_, error) => error is OperationCanceledException ? new OperationCanceledException(error.Message, error.InnerException, new(true)) : error),
            "lost cause" => new((_, said, _) => said, (token, error) => error is OperationCanceledException { InnerException: not null } ? new OperationCanceledException(token) : error),
            _ => new((_, said, _) => said, (_, error) => error is ClientLibraryException ? new IOException("renamed", error) : error),
        };
        (await FaultsOf((b, _) => b.AddPolicy(planted), [Form.TryTask])).Should().NotBeEmpty();
    }

    /// <summary>A wait or a queue that is cut short names the caller's token too, however deep it stands.</summary>
    [Theory]
    [InlineData("retry")]
    [InlineData("queue")]
    [InlineData("hedge")]
    public async Task A_caller_that_leaves_while_a_policy_waits_gets_its_token_back(string waiting)
    {
        FakeTimeProvider time = new();
        using CancellationTokenSource caller = new();
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 1, MaxQueued = 1, MaxWait = TimeSpan.FromHours(1) }, time);
        ResiliencePipelineBuilder builder = new ResiliencePipelineBuilder { TimeProvider = time }
            .Classify(r => r.On<IOException>(Classification.Throttled()))
            .AddTimeout(TimeSpan.FromMinutes(5)).AddPolicy(new OwnToken()).AddTimeout(TimeSpan.FromMinutes(4));
        if (waiting == "queue") limit.TryEnter().Should().BeTrue();
        ResiliencePipeline pipeline = waiting switch
        {
            "retry" => builder.AddRetry(o => (o.BaseDelay, o.Jitter) = (TimeSpan.FromSeconds(5), BackoffJitter.None)).Build(),
            "queue" => builder.AddConcurrencyLimit(limit).Build(),
            _ => builder.AddHedging(o => o.Delay = TimeSpan.FromMinutes(1)).Build(),
        };
        Task<int> call = pipeline.ExecuteAsync<int>(_ => throw new IOException(), caller.Token).AsTask();
        call.IsCompleted.Should().BeFalse();
        await caller.CancelAsync();
        OperationCanceledException cancelled = (await FluentActions.Awaiting(() => call.WaitAsync(TimeSpan.FromSeconds(30)))
            .Should().ThrowAsync<OperationCanceledException>()).Which;
        cancelled.CancellationToken.Should().Be(caller.Token);
        call.Status.Should().Be(TaskStatus.Canceled);
        if (waiting != "queue") cancelled.InnerException.Should().BeOfType<IOException>("the last failure");
    }

    /// <summary>An attempt that began late and was cut by the limit of the whole call did not have its chance.</summary>
    [Theory]
    [InlineData(3, CircuitState.Open)]
    [InlineData(4, CircuitState.Open)]
    [InlineData(5, CircuitState.Closed)]
    [InlineData(7, CircuitState.Closed)]
    public async Task A_cut_attempt_counts_if_it_had_at_least_half_of_the_time_that_cut_it(int beganAfterSeconds, CircuitState expected)
    {
        FakeTimeProvider time = new();
        CircuitBreaker breaker = new(new() { FailureRatio = null, ConsecutiveFailures = 1 }, time);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .Classify(r => r.On<IOException>(Classification.Throttled()))
            .AddTimeout(Limit).AddRetry(o => o.BaseDelay = TimeSpan.Zero).AddCircuitBreaker(breaker).Build();
        int calls = 0;
        Outcome<int> outcome = await pipeline.TryExecuteAsync<int>(ct =>
        {
            if (++calls == 1)
            {
                time.Advance(TimeSpan.FromSeconds(beganAfterSeconds));
                throw new IOException();
            }

            time.Advance(Limit);
            ct.ThrowIfCancellationRequested();
            return new(1);
        });
        calls.Should().Be(2);
        outcome.Verdict.Should().Be(Verdict.Failure, "the limit of the whole call is a failure of what it limits");
        outcome.Exception.Should().BeOfType<TimedOutException>();
        breaker.State.Should().Be(expected);
    }

    /// <summary>A user who shields an operation from the caller has its failures judged and repeated as ever.</summary>
    [Fact]
    public async Task An_operation_that_is_shielded_from_the_caller_is_judged_by_what_it_did()
    {
        using CancellationTokenSource caller = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(new Shield()).AddRetry(o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.Zero))
            .AddTimeout(TimeSpan.FromMinutes(1)).Build();
        int calls = 0;
        Outcome<int> outcome = await pipeline.TryExecuteAsync(async _ =>
        {
            await caller.CancelAsync();
            return ++calls == 3 ? calls : throw new IOException();
        }, caller.Token);
        (outcome.Verdict, calls).Should().Be((Verdict.Success, 3));
    }

    private sealed class Shield : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            CancellationToken former = context.CancellationToken;
            context.CancellationToken = CancellationToken.None;
            Outcome<T> outcome = await next.ExecuteAsync(context);
            context.CancellationToken = former;
            return outcome;
        }
    }

    /// <summary>The fault of the issue: five callers who leave a healthy dependency whose client library has exceptions of its own.</summary>
    [Fact]
    public async Task Five_impatient_callers_do_not_open_the_circuit_of_a_healthy_dependency()
    {
        CircuitBreaker breaker = new(new() { FailureRatio = null, ConsecutiveFailures = 5 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry().AddCircuitBreaker(breaker).AddTimeout(TimeSpan.FromMinutes(1)).Build();
        for (int i = 0; i < 20; i++)
        {
            using CancellationTokenSource caller = new();
            Outcome<int> outcome = await pipeline.TryExecuteAsync<int>(async _ =>
            {
                await caller.CancelAsync();
                throw new ClientLibraryException("Status(StatusCode=Cancelled)");
            }, caller.Token);
            outcome.Verdict.Should().Be(Verdict.Ignored);
            outcome.Exception.Should().BeOfType<ClientLibraryException>("it is kept");
        }

        breaker.TakeSnapshot().Should().Match<CircuitSnapshot>(s => s.State == CircuitState.Closed && s.Calls == 0);
    }
}
