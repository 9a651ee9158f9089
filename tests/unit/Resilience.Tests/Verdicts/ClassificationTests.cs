using System.Reflection;
using System.Security.Authentication;

namespace Resilience.Tests.Verdicts;

/// <summary>What a classification says, and in which forms a rule may say it.</summary>
public sealed class ClassificationTests
{
    [Fact]
    public void Default_claims_nothing_and_a_verdict_claims_only_itself()
    {
        Classification nothing = default;
        (nothing.Verdict, nothing.RetryAfter, nothing.Counts, nothing.MayRepeat, nothing.NotApplied).Should().Be((Verdict.None, null, true, true, false));
        Classification failure = Verdict.Failure;
        (failure.Verdict, failure.RetryAfter, failure.Counts, failure.MayRepeat, failure.NotApplied).Should().Be((Verdict.Failure, null, true, true, false));
        failure.Should().Be(new Classification(Verdict.Failure));
        FluentActions.Invoking(() => new Classification((Verdict)9)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Each_fact_is_stored_alone()
    {
        foreach (bool counts in new[] { true, false })
        {
            foreach (bool repeats in new[] { true, false })
            {
                foreach (bool untouched in new[] { true, false })
                {
                    foreach (TimeSpan? wait in new TimeSpan?[] { null, TimeSpan.Zero, TimeSpan.FromTicks(1), TimeSpan.FromDays(1) })
                    {
                        Classification said = new(Verdict.Failure) { Counts = counts, MayRepeat = repeats, NotApplied = untouched, RetryAfter = wait };
                        (said.Counts, said.MayRepeat, said.NotApplied, said.RetryAfter).Should().Be((counts, repeats, untouched, wait));
                        (said with { Counts = !counts }).Should().NotBe(said);
                    }
                }
            }
        }

        (new Classification(Verdict.Failure) { RetryAfter = TimeSpan.FromTicks(-1) }).RetryAfter.Should().BeNull();
        (new Classification(Verdict.Failure) { RetryAfter = TimeSpan.MaxValue }).RetryAfter.Should().BeGreaterThan(TimeSpan.FromDays(1000));
    }

    [Fact]
    public void The_words_say_what_they_mean()
    {
        Classification throttled = Classification.Throttled(TimeSpan.FromSeconds(2));
        (throttled.Verdict, throttled.Counts, throttled.MayRepeat, throttled.NotApplied, throttled.RetryAfter)
            .Should().Be((Verdict.Failure, false, true, false, TimeSpan.FromSeconds(2)));
        (throttled.IsOverload, Classification.Permanent.IsOverload).Should().Be((true, false));
        new Classification(Verdict.Failure) { IsOverload = true }.Counts.Should().BeTrue();
        (Classification.Permanent.Verdict, Classification.Permanent.Counts, Classification.Permanent.MayRepeat).Should().Be((Verdict.Failure, true, false));
        (Classification.Untouched.Verdict, Classification.Untouched.Counts, Classification.Untouched.NotApplied).Should().Be((Verdict.Failure, true, true));
        throttled.ToString().Should().Be("Failure, not counted, overload, after 2 s");
        (Classification.Permanent with { NotApplied = true }).ToString().Should().Be("Failure, not repeated, not applied");
    }

    [Fact]
    public void Outcomes_carry_the_facts_of_a_failure_and_of_nothing_else()
    {
        Outcome<int> failed = Outcome.Failure<int>(new IOException(), Classification.Permanent with { Counts = false, NotApplied = true });
        (failed.Verdict, failed.Counts, failed.MayRepeat, failed.NotApplied, failed.DoNotRetry).Should().Be((Verdict.Failure, false, false, true, false));
        Outcome<int> result = Outcome.Result(5, Classification.Throttled());
        (result.Value, result.Verdict, result.Counts).Should().Be((5, Verdict.Failure, false));
        (result.MarkedDoNotRetry().Counts, result.MarkedDoNotRetry().DoNotRetry).Should().Be((false, true));
        Outcome<int> ignored = Outcome.Failure<int>(new IOException(), new Classification(Verdict.Ignored) { Counts = false, MayRepeat = false });
        (ignored.Verdict, ignored.Counts, ignored.MayRepeat).Should().Be((Verdict.Ignored, true, true));
        FluentActions.Invoking(() => Outcome.Result(5, default(Classification))).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Outcome.Result(5, (Classification)Verdict.Rejected)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Outcome.Failure<int>(new IOException(), (Classification)Verdict.Success)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Outcome.Failure<int>(null!, Classification.Permanent)).Should().Throw<ArgumentNullException>();
    }

    private static Verdict? OldRule(IOException error) => error.Message == "x" ? Verdict.Ignored : null;

    private static Classification? NewRule(IOException error) => error.Message == "x" ? Classification.Throttled() : null;

    private static Verdict? OldResult(int n) => n < 0 ? Verdict.Failure : null;

    private static Classification? NewResult(int n) => n < 0 ? Classification.Permanent : null;

    /// <summary>That this compiles is half of the test: rules from before there were classifications, and new ones, in every form a lambda has.</summary>
    [Fact]
    public void Rules_may_return_verdicts_or_classifications_in_every_form()
    {
        OutcomeClassifier rules = OutcomeClassifier.Default;
        IOException error = new("x");
        Verdict Of(OutcomeClassifier classifier) => classifier.Classify(error, false);

        Of(rules.On<IOException>(Verdict.Ignored)).Should().Be(Verdict.Ignored);
        Of(rules.On<IOException>(Classification.Permanent)).Should().Be(Verdict.Failure);
        Of(rules.On<IOException>(_ => Verdict.Ignored)).Should().Be(Verdict.Ignored);
        Of(rules.On<IOException>(_ => null)).Should().Be(Verdict.Failure, "null leaves it to the defaults");
        Of(rules.On<IOException>(_ => default)).Should().Be(Verdict.Failure);
        Of(rules.On<IOException>(e => e.Message == "x" ? Verdict.Ignored : null)).Should().Be(Verdict.Ignored);
        Of(rules.On<IOException>(e => e.Message == "y" ? null : Verdict.Ignored)).Should().Be(Verdict.Ignored);
        Of(rules.On<IOException>(e =>
        {
            if (e.Message == "x") return Verdict.Ignored;
            return null;
        })).Should().Be(Verdict.Ignored);
        Of(rules.On<IOException>(OldRule)).Should().Be(Verdict.Ignored);
        Of(rules.On((IOException e) => e.Message switch
        {
            "x" => Verdict.Ignored,
            _ => (Verdict?)null,
        })).Should().Be(Verdict.Ignored);

        Classification What(OutcomeClassifier classifier) => classifier.Judge(error, false);
        What(rules.On<IOException>(_ => Classification.Throttled())).Counts.Should().BeFalse();
        What(rules.On<IOException>(e => e.Message == "x" ? Classification.Throttled() : null)).Counts.Should().BeFalse();
        What(rules.On<IOException>(e => e.Message == "x" ? Classification.Throttled() : Verdict.Ignored)).Counts.Should().BeFalse();
        What(rules.On<IOException>(e => e.Message == "y" ? Verdict.Ignored : Classification.Throttled())).Counts.Should().BeFalse();
        What(rules.On<IOException>(_ => new Classification(Verdict.Failure) { Counts = false })).Counts.Should().BeFalse();
        What(rules.On<IOException>(NewRule)).Counts.Should().BeFalse();

        rules.OnResult<int>(n => n < 0 ? Verdict.Failure : null).BindResult<int>()!(-1).Verdict.Should().Be(Verdict.Failure);
        rules.OnResult<int>(_ => null).BindResult<int>()!(-1).Verdict.Should().Be(Verdict.Success);
        rules.OnResult<int>(OldResult).BindResult<int>()!(-1).Verdict.Should().Be(Verdict.Failure);
        rules.OnResult<int>(NewResult).BindResult<int>()!(-1).MayRepeat.Should().BeFalse();
        rules.OnResult<int>(n => n < 0 ? Classification.Permanent : null).BindResult<int>()!(-1).MayRepeat.Should().BeFalse();
        rules.OnResult<int>(n => n < 0 ? Classification.Permanent : Verdict.Success).BindResult<int>()!(1).Verdict.Should().Be(Verdict.Success);
        FluentActions.Invoking(() => rules.On<IOException>((Func<IOException, Verdict?>)null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => rules.On<IOException>((Func<IOException, Classification?>)null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => rules.OnResult((Func<int, Classification?>)null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => rules.On<IOException>(Verdict.Success)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => rules.On<IOException>(default(Classification))).Should().Throw<ArgumentOutOfRangeException>();
    }

    private class Animal;

    private interface INamed;

    private class Cat : Animal, INamed;

    private sealed class Tiger : Cat;

    private readonly struct Point : INamed;

    /// <summary>A rule for a base type has an effect, and one that knows more is asked first, whatever the order.</summary>
    [Fact]
    public async Task A_rule_for_a_base_type_an_interface_or_a_derived_type_answers_for_the_calls_results()
    {
        static async Task<Verdict> Of<T>(Func<OutcomeClassifier, OutcomeClassifier> rules, T result) =>
            (await new ResiliencePipelineBuilder().Classify(rules).Build().TryExecuteAsync(_ => new ValueTask<T>(result))).Verdict;

        (await Of(r => r.OnResult<Animal>(_ => Verdict.Failure), new Cat())).Should().Be(Verdict.Failure);
        (await Of(r => r.OnResult<Animal>(_ => Verdict.Failure), new Tiger())).Should().Be(Verdict.Failure);
        (await Of(r => r.OnResult<object>(_ => Verdict.Failure), 5)).Should().Be(Verdict.Failure);
        (await Of(r => r.OnResult<INamed>(_ => Verdict.Failure), new Cat())).Should().Be(Verdict.Failure);
        (await Of(r => r.OnResult<INamed>(_ => Verdict.Failure), default(Point))).Should().Be(Verdict.Failure);
        (await Of<Animal>(r => r.OnResult<Cat>(_ => Verdict.Failure), new Cat())).Should().Be(Verdict.Failure);
        (await Of(r => r.OnResult<Cat>(_ => Verdict.Failure), new Animal())).Should().Be(Verdict.Success);
        (await Of(r => r.OnResult<Animal>(_ => Verdict.Failure).OnResult<Cat>(_ => Verdict.Ignored), new Cat())).Should().Be(Verdict.Ignored);
        (await Of<Animal>(r => r.OnResult<Animal>(_ => Verdict.Failure).OnResult<Cat>(_ => Verdict.Ignored), new Cat())).Should().Be(Verdict.Ignored);
        (await Of(r => r.OnResult<Animal>(_ => Verdict.Failure).OnResult<Cat>(_ => null), new Cat()))
            .Should().Be(Verdict.Failure, "null leaves it to the next");
        (await Of<Cat?>(r => r.OnResult<Animal>(a => a is null ? Verdict.Failure : null), null))
            .Should().BeOneOf([Verdict.Failure, Verdict.Success], "a reference");
        (await Of(r => r.OnResult<string>(_ => Verdict.Failure), 5)).Should().Be(Verdict.Success);

        OutcomeClassifier named = OutcomeClassifier.Default.NameResult<Animal>(_ => "animal").NameResult<INamed>(_ => null);
        named.BindName<Cat>()!(new Cat()).Should().Be("animal");
        OutcomeClassifier.Default.RetryAfterResult<Animal>((_, _) => TimeSpan.FromSeconds(3)).BindRetryAfter<Cat>()!(new Cat(), TimeProvider.System)
            .Should().Be(TimeSpan.FromSeconds(3));
        await new ResiliencePipelineBuilder().Classify(r => r.OnResult<object>(_ => Verdict.Failure)).Build().ExecuteAsync(_ => default(ValueTask));
    }

    [Theory]
    [InlineData(Verdict.Rejected)]
    [InlineData(Verdict.None)]
    [InlineData((Verdict)77)]
    public async Task A_rule_for_results_that_answers_the_impossible_is_an_error_of_the_rule_and_is_counted(Verdict impossible)
    {
        int errors = 0;
        using System.Diagnostics.Metrics.MeterListener listener = new()
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Name == "resilience.callback.errors") l.EnableMeasurementEvents(instrument);
            },
        };
        int id = Environment.CurrentManagedThreadId;
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => errors += Environment.CurrentManagedThreadId == id ? 1 : 0);
        listener.Start();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .Classify(r => r.OnResult<int>(_ => impossible).OnResult<int>(n => n == 1 ? Verdict.Failure : null)).Build();
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Verdict.Should().Be(Verdict.Failure, "the next rule is asked");
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(2))).Verdict.Should().Be(Verdict.Success);
        errors.Should().Be(2);
    }

    /// <summary>The user's rules come before tables, tables before the defaults, in whatever order they were written.</summary>
    [Fact]
    public void The_users_rules_come_before_tables_and_tables_before_the_defaults()
    {
        static OutcomeClassifier Mine(OutcomeClassifier rules) => rules.On<IOException>(e => e.Message == "mine" ? Verdict.Rejected : null);
        static OutcomeClassifier Theirs(OutcomeClassifier rules) =>
            rules.Table("theirs", t => t.On<IOException>(Verdict.Ignored).OnResult<int>(_ => Verdict.Ignored));
        foreach (OutcomeClassifier rules in new[] { Mine(Theirs(OutcomeClassifier.Default)), Theirs(Mine(OutcomeClassifier.Default)) })
        {
            rules.Classify(new IOException("mine"), false).Should().Be(Verdict.Rejected);
            rules.Classify(new IOException("other"), false).Should().Be(Verdict.Ignored);
            rules.Classify(new TimeoutException(), false).Should().Be(Verdict.Failure);
            rules.ToString()
                .Should().Be("1 rule for exceptions and 0 for results, then theirs: 1 rule for exceptions and 1 for results, overridden by 1, then default");
            rules.OnResult<int>(n => n == 1 ? Verdict.Failure : null).BindResult<int>()!(1).Verdict.Should().Be(Verdict.Failure);
            rules.OnResult<int>(n => n == 1 ? Verdict.Failure : null).BindResult<int>()!(2).Verdict.Should().Be(Verdict.Ignored);
        }

        OutcomeClassifier twice = Theirs(Theirs(OutcomeClassifier.Default));
        twice.ToString().Should().Be("theirs: 1 rule for exceptions and 1 for results, then default", "a table stands once");
        new ResiliencePipelineBuilder().Classify(Theirs).Classify(Mine).Build().Describe().Settings.Single(s => s.Key == "classifier").Value
            .Should().Contain("then theirs: 1 rule");
        FluentActions.Invoking(() => OutcomeClassifier.Default.Table("", r => r)).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => OutcomeClassifier.Default.Table("x", _ => null!)).Should().Throw<ArgumentException>();
    }

    private static readonly Exception[] ProgramErrors =
        [new ArgumentException("x"), new NotSupportedException(), new NullReferenceException(), new FormatException(), new KeyNotFoundException(),
            new AuthenticationException()];

    public static TheoryData<int> Wrappers() => [.. Enumerable.Range(0, 7)];

    /// <summary>An exception is judged the same however it was wrapped on its way.</summary>
    [Theory]
    [MemberData(nameof(Wrappers))]
    public void A_wrapped_exception_is_judged_like_the_bare_one(int wrapper)
    {
        Func<Exception, Exception> wrap = new Func<Exception, Exception>[]
        {
            e => new AggregateException(e),
            e => new TargetInvocationException(e),
            e => new AggregateException(e, e),
            e => new AggregateException(new AggregateException(e), new TargetInvocationException(e)),
            e => new TargetInvocationException(new AggregateException(e)),
            e => new TypeInitializationException("X", e),
            e => new AggregateException("Retry failed after 4 tries.", new IOException(), e),
        }[wrapper];
        Exception[] others = [new IOException(), new TimeoutException(), new OperationCanceledException(),
            new HttpRequestException("x", null, System.Net.HttpStatusCode.NotFound)];
        OutcomeClassifier rules = OutcomeClassifier.Default.On<DivideByZeroException>(Classification.Throttled(TimeSpan.FromSeconds(1)));
        foreach (Exception bare in ProgramErrors.Concat(others).Append(new DivideByZeroException()).Append(new ResilienceException("no")))
        {
            Classification expected = rules.Judge(bare, false), judged = rules.Judge(wrap(bare), false);
            judged.Verdict.Should().Be(expected.Verdict, "of {0}", bare.GetType());
            (judged.Counts, judged.RetryAfter).Should().Be((expected.Counts, expected.RetryAfter));
            judged.MayRepeat.Should().Be(wrapper != 6, "an SDK that has tried often enough is believed");
        }

        foreach (Exception error in ProgramErrors) OutcomeClassifier.Default.Classify(error, false).Should().Be(Verdict.Ignored);
        rules.On<AggregateException>(Verdict.Rejected).Classify(new AggregateException(new IOException()), false)
            .Should().Be(Verdict.Rejected, "a rule for the wrapper");
        rules.Classify(new AggregateException(new IOException(), new ArgumentException("x")), false).Should().Be(Verdict.Failure, "of several verdicts");
        rules.Classify(new AggregateException(), false).Should().Be(Verdict.Failure);
    }

    [Fact]
    public async Task A_null_task_is_an_error_of_the_program_in_every_form_of_call()
    {
        ResiliencePipeline pipeline = ResiliencePipeline.Empty;
        (await pipeline.TryExecuteAsync(_ => (Task<int>)null!)).Verdict.Should().Be(Verdict.Ignored);
        (await pipeline.TryExecuteAsync((_, _) => (Task<int>)null!, 1)).Verdict.Should().Be(Verdict.Ignored);
        CircuitBreaker breaker = new(new() { FailureRatio = 1, MinimumCalls = 1 });
        ResiliencePipeline guarded = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build();
        foreach (Func<Task> call in new Func<Task>[]
        {
            async () => await guarded.ExecuteAsync(_ => (Task)null!),
            async () => await guarded.ExecuteAsync((_, _) => (Task)null!, 1),
            async () => await guarded.ExecuteAsync(_ => (Task<int>)null!),
        })
        {
            await FluentActions.Awaiting(call).Should().ThrowAsync<InvalidOperationException>();
        }

        breaker.TakeSnapshot().Calls.Should().Be(0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_a_task_with_several_exceptions_all_are_judged_and_the_first_is_thrown(bool isVoid)
    {
        async Task<Outcome<int>> Run(params Exception[] errors)
        {
            CircuitBreaker breaker = new(new() { FailureRatio = 1, MinimumCalls = 1 });
            ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build();
            TaskCompletionSource<int> source = new();
            Task Begin()
            {
                source.SetException(errors);
                return source.Task;
            }

            Exception? thrown = null;
            Outcome<int> outcome = default;
            if (isVoid) thrown = await Record.ExceptionAsync(async () => await pipeline.ExecuteAsync(_ => Begin()));
            else thrown = (outcome = await pipeline.TryExecuteAsync(_ => (Task<int>)Begin())).Exception;
            thrown.Should().BeSameAs(errors[0]);
            return isVoid ? Outcome.Failure<int>(thrown!, breaker.State == CircuitState.Open ? Verdict.Failure : Verdict.Ignored) : outcome;
        }

        (await Run(new ArgumentException("x"), new IOException())).Verdict.Should().Be(Verdict.Failure, "one of them speaks of the dependency");
        (await Run(new IOException(), new ArgumentException("x"))).Verdict.Should().Be(Verdict.Failure);
        (await Run(new ArgumentException("x"), new FormatException())).Verdict.Should().Be(Verdict.Ignored);
    }
}
