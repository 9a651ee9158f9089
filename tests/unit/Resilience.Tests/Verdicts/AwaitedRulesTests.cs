using Resilience.Tests.Seams;

namespace Resilience.Tests.Verdicts;

/// <summary>Rules for results that are awaited.</summary>
public sealed class AwaitedRulesTests
{
    private class Answer(string text) : IDisposable
    {
        public string Text => text;

        public bool IsDisposed { get; private set; }

        public void Dispose() => IsDisposed = true;
    }

    private sealed class SpecialAnswer(string text) : Answer(text);

    private readonly List<string> _trace = [];

    private static async ValueTask<Classification?> Later(bool suspends, Classification? answer)
    {
        if (suspends) await Task.Yield();
        return answer;
    }

    private (ResiliencePipeline Pipeline, CircuitBreaker Breaker) Make(Func<OutcomeClassifier, OutcomeClassifier> rules,
        Action<ResiliencePipelineBuilder>? inner = null)
    {
        CircuitBreaker breaker = new(new() { MinimumCalls = 1000 });
        ResiliencePipelineBuilder builder = new ResiliencePipelineBuilder().Classify(rules)
            .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.RetryAfter) = (1, TimeSpan.Zero, _ => TimeSpan.Zero)).AddCircuitBreaker(breaker);
        inner?.Invoke(builder);
        return (builder.Build(), breaker);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task What_the_rule_answers_is_repeated_and_counted_by(bool ruleSuspends, bool delegateSuspends)
    {
        foreach ((Classification? said, int calls, int counted) in new (Classification?, int, int)[]
        {
            (null, 1, 0), (Verdict.Success, 1, 0), (Verdict.Ignored, 1, 0), (Verdict.Failure, 2, 2), (Classification.Throttled(), 2, 0),
                (Classification.Permanent, 1, 1),
            (new Classification(Verdict.Failure) { RetryAfter = TimeSpan.FromDays(1) }, 2, 2),
        })
        {
            foreach (bool isSynchronous in new[] { false, true })
            {
                (ResiliencePipeline pipeline, CircuitBreaker breaker) = Make(r => r.OnResultAsync<Answer>((_, _) => Later(ruleSuspends, said)));
                int made = 0;
                Outcome<Answer> outcome = isSynchronous
                    ? pipeline.TryExecute(_ => new Answer($"{++made}"))
                    : await pipeline.TryExecuteAsync(async _ =>
                    {
                        if (delegateSuspends) await Task.Yield();
                        return new Answer($"{++made}");
                    });
                (outcome.Verdict, made, breaker.TakeSnapshot().Failures)
                    .Should().Be((said?.Verdict ?? Verdict.Success, calls, counted), "of {0}, synchronous: {1}", said, isSynchronous);
                outcome.Value.IsDisposed.Should().BeFalse();
            }
        }
    }

    [Fact]
    public async Task It_is_asked_only_where_the_users_rules_are_silent_before_the_tables_and_the_more_specific_first()
    {
        (ResiliencePipeline pipeline, _) = Make(r => r
            .OnResult<Answer>(a => a.Text == "said" ? Verdict.Success : null)
            .OnResultAsync<object>((_, _) => Note("object"))
            .OnResultAsync<Answer>((_, _) => Note("answer"))
            .OnResultAsync<SpecialAnswer>((_, _) => Note("special"))
            .Table("theirs", t => t.OnResult<Answer>(a => a.Text == "table" ? Verdict.Ignored : null).OnResultAsync<Answer>((_, _) => Note("table"))));
        await pipeline.ExecuteAsync(_ => ValueTask.FromResult(new Answer("said")));
        _trace.Should().BeEmpty();
        (await pipeline.TryExecuteAsync(_ => ValueTask.FromResult(new Answer("table")))).Verdict.Should().Be(Verdict.Ignored, "the table is asked last");
        _trace.Should().Equal("answer", "object", "table");
        _trace.Clear();
        await pipeline.ExecuteAsync(_ => ValueTask.FromResult(new Answer("x")));
        _trace.Should().Equal("answer", "object", "table");
        _trace.Clear();
        await pipeline.ExecuteAsync(_ => ValueTask.FromResult<Answer>(new SpecialAnswer("x")));
        _trace.Should().Equal("special", "answer", "object", "table");
        _trace.Clear();
        await pipeline.ExecuteAsync(_ => ValueTask.FromResult("no answer"));
        _trace.Should().Equal("object");
        _trace.Clear();
        await pipeline.ExecuteAsync(_ => default(ValueTask));
        _trace.Should().BeEmpty("there is no result");

        ValueTask<Classification?> Note(string name)
        {
            _trace.Add(name);
            return default;
        }
    }

    [Fact]
    public async Task A_rule_that_throws_or_answers_what_a_result_cannot_be_is_passed_over_and_counted()
    {
        using CallbackErrors errors = new();
        (ResiliencePipeline pipeline, _) = Make(r => r
            .OnResultAsync<int>((_, _) => throw new FormatException())
            .OnResultAsync<int>(async (_, _) =>
            {
                await Task.Yield();
                throw new FormatException();
            })
            .OnResultAsync<int>((_, _) => Later(true, Verdict.Rejected))
            .OnResultAsync<int>((_, _) => Later(true, Classification.Permanent)));
        (await pipeline.TryExecuteAsync(_ => ValueTask.FromResult(1))).MayRepeat.Should().BeFalse();
        (errors.Seen, errors.Count).Should().BeEquivalentTo((new[] { "classifier" }, 3));
    }

    [Fact]
    public async Task The_timeout_of_the_attempt_holds_for_it_and_its_result_is_disposed_of()
    {
        Answer? made = null;
        (ResiliencePipeline pipeline, CircuitBreaker breaker) = Make(
            r => r.OnResultAsync<Answer>(async (answer, context) =>
            {
                made = answer;
                await Task.Delay(Timeout.InfiniteTimeSpan, context.CancellationToken);
                return null;
            }),
            b => b.AddTimeout(TimeSpan.FromMilliseconds(50)));
        Outcome<Answer> outcome = await pipeline.TryExecuteAsync(_ => ValueTask.FromResult(new Answer("x")));
        (outcome.Exception is TimedOutException, outcome.Verdict, breaker.TakeSnapshot().Failures, made!.IsDisposed)
            .Should().Be((true, Verdict.Failure, 2, true));
    }

    [Fact]
    public async Task A_caller_who_leaves_while_it_judges_gets_his_cancellation()
    {
        using CancellationTokenSource leaving = new();
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        (ResiliencePipeline pipeline, CircuitBreaker breaker) = Make(r => r.OnResultAsync<Answer>(async (_, context) =>
        {
            begun.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, context.CancellationToken);
            return null;
        }));
        ValueTask<Outcome<Answer>> running = pipeline.TryExecuteAsync(_ => ValueTask.FromResult(new Answer("x")), leaving.Token);
        await begun.Task;
        await leaving.CancelAsync();
        Outcome<Answer> outcome = await running;
        (outcome.Verdict, (outcome.Exception as OperationCanceledException)?.CancellationToken, breaker.TakeSnapshot().Failures)
            .Should().Be((Verdict.Ignored, leaving.Token, 0));
    }

    [Fact]
    public void A_chain_without_such_rules_has_nothing_of_it()
    {
        CallInstruments instruments = CallInstruments.For(ResilienceTelemetry.Meter);
        OutcomeClassifier rules = OutcomeClassifier.Default.OnResultAsync<string>((_, _) => default);
        AttemptLink<int>.Make("", rules, instruments).GetType().Should().Be<PlainAttemptLink<int>>();
        AttemptLink<int>.Make("", rules, instruments).IsPlain.Should().BeTrue();
        AttemptLink<string>.Make("", rules, instruments).GetType().Should().Be<JudgedLaterLink<string>>();
        rules.ToString().Should().Be("0 rules for exceptions and 1 for results, then default");
    }
}
