namespace Resilience.Tests.Pipelines;

public sealed class OutcomeTests
{
    private sealed class TestRejection() : Rejection("gate")
    {
        public int Made;

        public override string Reason => "gate: closed on Sundays.";

        public override TimeSpan? RetryAfter => TimeSpan.FromSeconds(9);

        public override ResilienceException ToException()
        {
            Made++;
            return new(this);
        }
    }

    [Fact]
    public void A_success_has_a_value_and_no_exception()
    {
        Outcome<int> outcome = Outcome.Success(5);
        outcome.IsSuccess.Should().BeTrue();
        outcome.HasResult.Should().BeTrue();
        outcome.Value.Should().Be(5);
        outcome.Exception.Should().BeNull();
        outcome.TryGetValue(out int value).Should().BeTrue();
        value.Should().Be(5);
        outcome.ToString().Should().Be("Success: 5");
    }

    [Fact]
    public void A_result_can_be_a_failure_and_keeps_its_value()
    {
        Outcome<int> outcome = Outcome.Result(503, Verdict.Failure);
        outcome.IsSuccess.Should().BeFalse();
        outcome.Value.Should().Be(503);
        outcome.GetValueOrThrow().Should().Be(503);
    }

    [Fact]
    public void A_failure_has_no_value_and_throws_the_original_exception()
    {
        IOException error = new("line cut");
        Outcome<int> outcome = Outcome.Failure<int>(error);
        outcome.Verdict.Should().Be(Verdict.Failure);
        outcome.TryGetValue(out _).Should().BeFalse();
        outcome.Invoking(o => o.Value).Should().Throw<InvalidOperationException>().WithInnerException<IOException>();
        outcome.Invoking(o => o.GetValueOrThrow()).Should().Throw<IOException>().Which.Should().BeSameAs(error);
    }

    [Fact]
    public void The_exception_of_a_rejection_is_made_only_when_asked_for()
    {
        TestRejection rejection = new();
        Outcome<int> outcome = Outcome.Rejected<int>(rejection);
        outcome.Verdict.Should().Be(Verdict.Rejected);
        outcome.Rejection.Should().BeSameAs(rejection);
        outcome.RetryAfter.Should().Be(TimeSpan.FromSeconds(9));
        rejection.Made.Should().Be(0);
        outcome.Exception.Should().BeOfType<ResilienceException>().Which.Message.Should().Be("gate: closed on Sundays.");
        rejection.Made.Should().Be(1);
        outcome.Invoking(o => o.GetValueOrThrow()).Should().Throw<ResilienceException>().Which.PolicyName.Should().Be("gate");
    }

    [Fact]
    public void The_default_is_not_an_outcome()
    {
        Outcome<string> outcome = default;
        outcome.Verdict.Should().Be(Verdict.None);
        outcome.HasResult.Should().BeFalse();
        outcome.IsSuccess.Should().BeFalse();
        outcome.Exception.Should().BeNull();
        outcome.ToString().Should().Be("no outcome");
        outcome.Invoking(o => o.GetValueOrThrow()).Should().Throw<InvalidOperationException>().WithMessage("*default(Outcome<T>)*");
        outcome.Invoking(o => o.WithVerdict(Verdict.Failure)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Theory]
    [InlineData(Verdict.None)]
    [InlineData(Verdict.Rejected)]
    [InlineData((Verdict)99)]
    public void Impossible_verdicts_of_results_are_rejected(Verdict verdict) =>
        FluentActions.Invoking(() => Outcome.Result(1, verdict)).Should().Throw<ArgumentOutOfRangeException>();

    [Theory]
    [InlineData(Verdict.None)]
    [InlineData(Verdict.Success)]
    [InlineData((Verdict)99)]
    public void Impossible_verdicts_of_exceptions_are_rejected(Verdict verdict) =>
        FluentActions.Invoking(() => Outcome.Failure<int>(new IOException(), verdict)).Should().Throw<ArgumentOutOfRangeException>();

    [Fact]
    public void Nulls_are_rejected_at_once()
    {
        FluentActions.Invoking(() => Outcome.Failure<int>(null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => Outcome.Rejected<int>(null!)).Should().Throw<ArgumentNullException>();
    }

    [Fact]
    public void A_verdict_can_be_narrowed_but_not_into_nonsense()
    {
        Outcome.Success(1).WithVerdict(Verdict.Failure).Verdict.Should().Be(Verdict.Failure);
        FluentActions.Invoking(() => Outcome.Success(1).WithVerdict(Verdict.Rejected)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Outcome.Failure<int>(new IOException()).WithVerdict(Verdict.Success)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void The_mark_not_to_retry_stays_with_the_outcome()
    {
        IOException error = new();
        Outcome<int> marked = Outcome.Failure<int>(error).MarkedDoNotRetry();
        marked.DoNotRetry.Should().BeTrue();
        marked.WithVerdict(Verdict.Ignored).DoNotRetry.Should().BeTrue();
        Outcome.Failure<int>(error).DoNotRetry.Should().BeFalse("the exception may come from anywhere");
    }
}
