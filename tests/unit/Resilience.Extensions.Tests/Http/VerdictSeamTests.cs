using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http;

/// <summary>Verdicts where HTTP meets the user's rules, the server's requested waits and the caller's token.</summary>
public sealed class VerdictSeamTests
{
    private static async Task<int> AttemptsOf(Action<IServiceCollection, IHttpClientBuilder> register, HttpStatusCode status)
    {
        ServiceCollection services = new();
        ScriptedHandler network = new(status);
        register(services, services.AddHttpClient("c").ConfigurePrimaryHttpMessageHandler(() => network));
        await using ServiceProvider provider = services.BuildServiceProvider();
        using HttpClient client = provider.GetRequiredService<IHttpClientFactory>().CreateClient("c");
        using HttpResponseMessage response = await client.GetAsync(HttpKit.Address);
        response.StatusCode.Should().Be(status);
        return network.Count;
    }

    private static OutcomeClassifier NotFoundFails(OutcomeClassifier rules) =>
        rules.OnResult<HttpResponseMessage>(x => x.StatusCode == HttpStatusCode.NotFound ? Verdict.Failure : null);

    private static void AtOnce(RetryOptions options) => (options.MaxRetries, options.BaseDelay) = (3, TimeSpan.Zero);

    [Fact]
    public async Task A_rule_of_the_user_comes_before_the_table_of_HTTP_wherever_it_is_written()
    {
        (await AttemptsOf((_, c) => c.AddResilience(b => b.Classify(NotFoundFails).AddRetry(AtOnce)), HttpStatusCode.NotFound)).Should().Be(4);
        (await AttemptsOf((_, c) => c.AddResilience(b => b.AddRetry(AtOnce).Classify(NotFoundFails)), HttpStatusCode.NotFound)).Should().Be(4);
        (await AttemptsOf((s, c) =>
        {
            s.AddResilience().ConfigureAllPipelines(b => b.Classify(NotFoundFails));
            c.AddResilience(b => b.AddRetry(AtOnce));
        }, HttpStatusCode.NotFound)).Should().Be(4);
        (await AttemptsOf((_, c) => c.AddStandardResilience(o =>
        {
            AtOnce(o.Retry!);
            o.Classify = NotFoundFails;
        }), HttpStatusCode.NotFound)).Should().Be(4);
        (await AttemptsOf((_, c) => c.AddResilience(b => b.AddRetry(AtOnce)), HttpStatusCode.NotFound)).Should().Be(1);
    }

    /// <summary>A classifier that is set for all pipelines knows nothing of HTTP, and must not take its table away.</summary>
    [Fact]
    public async Task A_classifier_for_all_pipelines_leaves_the_table_of_HTTP_in_its_place()
    {
        foreach (bool isStandard in new[] { false, true })
        {
            (await AttemptsOf((s, c) =>
            {
                s.AddResilience().ConfigureAllPipelines(b => b.Classifier = NotFoundFails(OutcomeClassifier.Default));
                if (isStandard) c.AddStandardResilience(o => AtOnce(o.Retry!));
                else c.AddResilience(b => b.AddRetry(AtOnce));
            }, HttpStatusCode.ServiceUnavailable)).Should().Be(4);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Throttling_is_repeated_and_moves_no_circuit_unless_the_user_says_so(bool counts)
    {
        ScriptedHandler network = new(HttpStatusCode.TooManyRequests);
        HttpResilience resilience = HttpKit.Standard(new FakeTimeProvider(), o => o.ThrottlingCounts = counts);
        using HttpClient client = HttpKit.Client(resilience, network);
        using HttpResponseMessage response = await client.GetAsync(HttpKit.Address);
        network.Count.Should().Be(4);
        resilience.For(HttpKit.Address).Pipeline.Find<CircuitBreaker>()!.TakeSnapshot().Failures.Should().Be(counts ? 4 : 0);
    }

    [Theory]
    [InlineData("Stripe-Should-Retry", "false", 503, 1, 1)]
    [InlineData("X-Should-Retry", "False", 500, 1, 1)]
    [InlineData("Stripe-Should-Retry", "true", 409, 4, 0)]
    [InlineData("Stripe-Should-Retry", "true", 503, 4, 4)]
    [InlineData("Stripe-Should-Retry", "perhaps", 409, 1, 0)]
    public async Task A_server_says_whether_to_come_back(string header, string value, int status, int attempts, int counted)
    {
        ScriptedHandler network = new((_, _) => new HttpResponseMessage((HttpStatusCode)status) { Headers = { { header, value } } });
        HttpResilience resilience = HttpKit.Standard(new FakeTimeProvider());
        using HttpClient client = HttpKit.Client(resilience, network);
        using HttpResponseMessage response = await client.GetAsync(HttpKit.Address);
        (network.Count, resilience.For(HttpKit.Address).Pipeline.Find<CircuitBreaker>()!.TakeSnapshot().Failures).Should().Be((attempts, counted));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_caller_that_leaves_gets_its_token_back_over_HTTP(bool isForeign)
    {
        using CancellationTokenSource caller = new();
        ScriptedHandler network = new(async (_, _, token) =>
        {
            await caller.CancelAsync();
            if (isForeign) throw new TaskCanceledException("a client library's own");
            token.ThrowIfCancellationRequested();
            return new HttpResponseMessage(HttpStatusCode.OK);
        });
        using HttpMessageInvoker client = new(new ResilienceHttpHandler(HttpKit.Standard(new FakeTimeProvider()), network));
        Task<HttpResponseMessage> call = client.SendAsync(HttpKit.Request(HttpMethod.Get), caller.Token);
        (await FluentActions.Awaiting(() => call).Should().ThrowAsync<OperationCanceledException>()).Which.CancellationToken.Should().Be(caller.Token);
        (call.Status, network.Count).Should().Be((TaskStatus.Canceled, 1));
    }

    /// <summary>The core reads the status of an exception as the table of HTTP reads that of an answer.</summary>
    [Fact]
    public void The_core_and_the_table_of_HTTP_agree_on_every_status()
    {
        Func<HttpResponseMessage, Classification> table = HttpClassifier.Default.BindResult<HttpResponseMessage>()!;
        for (int status = 400; status < 600; status++)
        {
            using HttpResponseMessage response = new((HttpStatusCode)status);
            OutcomeClassifier.Default.Judge(new HttpRequestException("x", null, (HttpStatusCode)status), false).Should().Be(table(response), "of {0}", status);
        }
    }
}
