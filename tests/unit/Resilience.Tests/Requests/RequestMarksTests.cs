using System.Net;
using Resilience.Overload;

namespace Resilience.Tests.Requests;

/// <summary>What a request knows of the failures that its calls gave up on.</summary>
public sealed class RequestMarksTests
{
    private static readonly RetryOptions Once = new() { MaxRetries = 1, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero };

    private static readonly RetryOptions WithoutBudget = new()
    {
        MaxRetries = 1,
        BaseDelay = TimeSpan.Zero,
        MaxDelay = TimeSpan.Zero,
        Budget = RetryBudget.Unlimited,
    };

    private static RequestContext Request => RequestContext.Current!;

    [Fact]
    public async Task An_error_whose_retries_are_used_up_is_known_and_no_other()
    {
        IOException failure = new("planted");
        using RequestScope scope = RequestContext.Begin(default);
        await new ResiliencePipelineBuilder().AddRetry(Once).Build().TryExecuteAsync<int>(_ => throw failure);
        Request.HasGivenUpOn(failure).Should().BeTrue();
        Request.HasGivenUpOn(new InvalidOperationException("outer", new AggregateException(failure))).Should().BeTrue("it is the cause");
        Request.HasGivenUpOn(new IOException("planted")).Should().BeFalse("another of the same kind");
        Request.IsDoNotRetry.Should().BeFalse("the request may go well all the same");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_error_that_a_call_did_not_try_again_is_not_marked_unless_it_was_forbidden(bool forbidden)
    {
        IOException failure = new("planted");
        using RequestScope scope = RequestContext.Begin(default);
        await new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(60)).AddRetry(Once).Build().TryExecuteAsync<int, int>(default, (context, _) =>
        {
            if (forbidden) context.ForbidAllRetries("said so");
            else context.ForbidRetry("not idempotent");
            throw failure;
        }, 0);
        Request.HasGivenUpOn(failure).Should().Be(forbidden);
    }

    [Theory]
    [InlineData(HttpStatusCode.ServiceUnavailable, true)]
    [InlineData(HttpStatusCode.BadGateway, false)]
    public async Task A_response_is_known_also_by_the_exception_that_stands_for_it(HttpStatusCode thrown, bool expected)
    {
        using RequestScope scope = RequestContext.Begin(default);
        using HttpResponseMessage response = new(HttpStatusCode.ServiceUnavailable), other = new(thrown);
        ResiliencePipelineBuilder builder = new()
        {
            Classifier = OutcomeClassifier.Default.OnResult<HttpResponseMessage>(static r => r.IsSuccessStatusCode ? null : (Verdict?)Verdict.Failure),
        };
        Outcome<HttpResponseMessage> outcome = await builder.AddRetry(WithoutBudget).Build().TryExecuteAsync(_ => new ValueTask<HttpResponseMessage>(response));
        outcome.Verdict.Should().Be(Verdict.Failure);
        Request.HasGivenUpOn(response).Should().BeTrue();
        Exception error = other.Invoking(static r => r.EnsureSuccessStatusCode()).Should().Throw<HttpRequestException>().Which;
        Request.HasGivenUpOn(error).Should().Be(expected);
    }

    [Fact]
    public async Task A_cached_exception_is_known_to_the_request_that_gave_up_on_it_alone()
    {
        IOException cached = new("planted");
        using (RequestContext.Begin(default)) await new ResiliencePipelineBuilder().AddRetry(Once).Build().TryExecuteAsync<int>(_ => throw cached);
        using RequestScope another = RequestContext.Begin(default);
        Request.HasGivenUpOn(cached).Should().BeFalse();
    }

    [Fact]
    public void Only_the_newest_causes_are_kept()
    {
        using RequestScope scope = RequestContext.Begin(default);
        object[] causes = [.. Enumerable.Range(0, 17).Select(static _ => new object())];
        foreach (object cause in causes) Request.GiveUpOn(cause);
        Request.GiveUpOn(causes[1]);
        causes.Count(Request.HasGivenUpOn).Should().Be(16);
        Request.HasGivenUpOn(causes[0]).Should().BeFalse();
    }

    [Fact]
    public void An_exception_without_end_is_looked_at_for_a_while()
    {
        using RequestScope scope = RequestContext.Begin(default);
        Exception error = new IOException("planted");
        Request.GiveUpOn(error);
        for (int i = 0; i < 100_000; i++) error = new IOException("around", error);
        Request.HasGivenUpOn(error).Should().BeFalse();
    }
}
