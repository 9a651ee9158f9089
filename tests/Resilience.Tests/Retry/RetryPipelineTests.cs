namespace Resilience.Tests.Retry;

/// <summary>What a call through a retry does, seen from outside.</summary>
public class RetryPipelineTests
{
    [Fact]
    public async Task First_success_is_returned_when_nothing_fails()
    {
        Script script = new();
        int answer = await Pipeline(new()).ExecuteAsync(script.RunAsync);
        answer.Should().Be(0);
        script.Attempts.Should().Be(1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Failures_are_repeated_when_delegate_fails(bool asynchronously)
    {
        Script script = new(failures: 2) { Asynchronously = asynchronously };
        int answer = await Pipeline(new() { BaseDelay = TimeSpan.Zero }).ExecuteAsync(script.RunAsync);
        answer.Should().Be(2);
        script.Attempts.Should().Be(3);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public async Task Last_failure_is_returned_when_retries_are_used_up(int maxRetries)
    {
        Script script = new(failures: 100);
        Outcome<int> outcome = await Pipeline(new() { MaxRetries = maxRetries, BaseDelay = TimeSpan.Zero }).TryExecuteAsync(script.RunAsync);
        outcome.Exception.Should().BeSameAs(script.Thrown[^1]);
        outcome.DoNotRetry.Should().BeFalse();
        script.Attempts.Should().Be(maxRetries + 1);
    }

    private static ResiliencePipeline Pipeline(RetryOptions options) => new ResiliencePipelineBuilder().AddRetry(options).Build();
}

/// <summary>A delegate that fails so many times and then answers with the number of its attempt.</summary>
internal sealed class Script(int failures = 0)
{
    public int Attempts;

    public bool Asynchronously { get; init; }

    public Func<Exception> Failure { get; init; } = () => new IOException("the dependency failed");

    public List<Exception> Thrown { get; } = [];

    public async ValueTask<int> RunAsync(CancellationToken cancellationToken)
    {
        int number = Attempts++;
        if (Asynchronously) await Task.Yield();
        if (number >= failures) return number;
        Exception error = Failure();
        Thrown.Add(error);
        throw error;
    }
}
