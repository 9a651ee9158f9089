namespace Resilience.Tests.Calls;

public sealed class SeparatePipelineTests
{
    private static RetryOptions Once => new() { MaxRetries = 1, BaseDelay = TimeSpan.Zero, Budget = RetryBudget.Unlimited };

    private static ResiliencePipeline RetryOf<TException>()
        where TException : Exception => new ResiliencePipelineBuilder()
        .Classify(static rules => rules.On<TException>(Verdict.Failure).On<Exception>(Verdict.Ignored)).AddRetry(Once).Build();

    private static string Answer(Queue<object> script) => script.Dequeue() is Exception error ? throw error : "ok";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Each_judges_by_its_own_rules(bool isSynchronous)
    {
        ResiliencePipeline separate = new ResiliencePipelineBuilder()
            .AddSeparatePipeline(RetryOf<IOException>()).AddSeparatePipeline(RetryOf<HttpRequestException>()).Build();
        ResiliencePipeline shared = new ResiliencePipelineBuilder()
            .Classify(static rules => rules.On<Exception>(Verdict.Ignored)).AddPipeline(RetryOf<IOException>()).Build();
        Queue<object> script = new([new HttpRequestException(), new IOException(), new HttpRequestException(), "ok"]);
        (isSynchronous ? separate.Execute(() => Answer(script)) : await separate.ExecuteAsync(_ => Task.Run(() => Answer(script)))).Should().Be("ok");
        script.Should().BeEmpty();
        ((Action)(() => separate.Execute(() => Answer(new([new InvalidOperationException()]))))).Should().Throw<InvalidOperationException>();
        ((Action)(() => shared.Execute(() => Answer(new([new IOException(), "ok"]))))).Should().Throw<IOException>("one classifier is meant for all");
    }

    [Fact]
    public async Task What_it_makes_itself_has_its_own_verdict()
    {
        ResiliencePipeline late = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(20)).Build();
        ResiliencePipeline around = new ResiliencePipelineBuilder().AddSeparatePipeline(late).Build();
        Outcome<int> outcome = await around.TryExecuteAsync(static async ct =>
        {
            await Task.Delay(Timeout.Infinite, ct);
            return 1;
        });
        outcome.Exception.Should().BeOfType<TimedOutException>();
        outcome.Verdict.Should().Be(Verdict.Failure);
    }

    [Fact]
    public void Its_attempts_are_attempts_of_the_call_and_it_says_what_is_in_it()
    {
        ResiliencePipeline around = new ResiliencePipelineBuilder().AddSeparatePipeline(RetryOf<IOException>()).Build();
        List<int> attempts = [];
        around.Execute(
            new CallOptions("order"),
            (context, seen) =>
            {
                seen.Add(context.Attempt);
                context.Operation.Should().Be("order");
                return seen.Count == 1 ? throw new IOException() : 1;
            },
            attempts).Should().Be(1);
        attempts.Should().Equal(0, 1);
        around.Describe().Policies.Should().ContainSingle().Which.Inner.Should().ContainSingle().Which.Role.Should().Be(Extensibility.PolicyRole.Retry);
        ((Action)(() => new ResiliencePipelineBuilder().AddSeparatePipeline(null!))).Should().Throw<ArgumentNullException>().WithParameterName("pipeline");
    }
}
