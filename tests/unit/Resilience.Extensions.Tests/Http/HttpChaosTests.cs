using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Resilience.Tests.Http;

/// <summary>Chaos next to the wire: what stands around it takes it for real.</summary>
public sealed class HttpChaosTests
{
    private static ServiceProvider Container(ScriptedHandler network, Action<ChaosOptions> chaos, string environment = "Development")
    {
        ServiceCollection services = new();
        services.AddResilience().ConfigureAllPipelines(b => b.EnvironmentName = environment);

        // Said first, and innermost all the same.
        services.AddHttpClient("shop").AddHttpChaos(chaos)
            .AddStandardResilience(o => (o.Retry!.BaseDelay, o.Retry.RetryAfter) = (TimeSpan.Zero, _ => TimeSpan.Zero))
            .ConfigurePrimaryHttpMessageHandler(() => network);
        return services.BuildServiceProvider();
    }

    private static Action<ChaosOptions> Always(ChaosRates rates, int calls = int.MaxValue)
    {
        int left = calls;
        return o => (o.IsOn, o.Rates, o.Filter) = (true, rates, _ => left-- > 0);
    }

    private static HttpClient Client(IServiceProvider services) => services.GetRequiredService<IHttpClientFactory>().CreateClient("shop");

    private static HttpRequestMessage Post(string? key = null)
    {
        HttpRequestMessage request = new(HttpMethod.Post, "http://shop.test/charges") { Content = new StringContent("{}") };
        if (key is not null) request.Headers.Add("Idempotency-Key", key);
        return request;
    }

    [Fact]
    public async Task It_is_off_until_its_switch_is_turned()
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        await using ServiceProvider services = Container(network, o => o.Rates = new() { Fault = 1 });
        (await Client(services).GetAsync("http://shop.test/")).StatusCode.Should().Be(HttpStatusCode.OK);
        services.GetRequiredKeyedService<ChaosSwitch>("shop").TurnOn();
        await Client(services).Invoking(c => c.GetAsync("http://shop.test/")).Should().ThrowAsync<HttpRequestException>();
        network.Count.Should().Be(1);
    }

    [Fact]
    public async Task A_rejected_connection_was_not_sent_so_that_even_a_post_without_a_key_is_repeated()
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        await using ServiceProvider services = Container(network, Always(new() { Fault = 1 }, calls: 1));
        (await Client(services).SendAsync(Post())).StatusCode.Should().Be(HttpStatusCode.OK);
        network.Count.Should().Be(1);
    }

    [Fact]
    public async Task A_lost_reply_repeats_a_post_with_a_key_and_not_one_without()
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        await using ServiceProvider services = Container(network, Always(new() { LostReply = 1 }, calls: 2));
        (await Client(services).SendAsync(Post("k1"))).StatusCode.Should().Be(HttpStatusCode.OK);
        network.Values("Idempotency-Key").Should().Equal("k1", "k1", "k1");
        network.Responses.Take(2).Should().OnlyContain(r => ((TrackedResponse)r).IsDisposed);

        await using ServiceProvider other = Container(network, Always(new() { LostReply = 1 }));
        HttpRequestException lost = (await Client(other).Invoking(c => c.SendAsync(Post())).Should().ThrowAsync<HttpRequestException>()).Which;
        lost.HttpRequestError.Should().Be(HttpRequestError.ResponseEnded);
        ChaosInjectedException.IsInjected(lost).Should().BeTrue();
        network.Count.Should().Be(4);
    }

    [Fact]
    public async Task Injected_answers_are_500_503_and_429_in_turn_and_judged_like_the_servers()
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        await using ServiceProvider services = Container(network, Always(new() { Result = 1 }));
        List<(HttpStatusCode, TimeSpan?)> seen = [];
        for (int i = 0; i < 3; i++)
        {
            using HttpRequestMessage post = Post();
            using HttpResponseMessage answer = await Client(services).SendAsync(post); // a post without a key: one attempt each
            seen.Add((answer.StatusCode, answer.Headers.RetryAfter?.Delta));
            answer.RequestMessage!.RequestUri.Should().Be(post.RequestUri);
        }

        seen.Should().Equal(
            (HttpStatusCode.InternalServerError, null), (HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(1)), (HttpStatusCode.TooManyRequests, TimeSpan.FromSeconds(1)));
        network.Count.Should().Be(0);
    }

    [Fact]
    public async Task A_filter_sees_the_request_and_a_synchronous_call_is_disturbed_too()
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        await using ServiceProvider services = Container(network, o => (o.IsOn, o.Rates, o.Filter) =
            (true, new() { Result = 1 }, context => HttpChaos.RequestOf(context)!.RequestUri!.AbsolutePath == "/charges"));
        using HttpRequestMessage get = new(HttpMethod.Get, "http://shop.test/prices"), post = Post();
        Client(services).Send(get).StatusCode.Should().Be(HttpStatusCode.OK);
        Client(services).Send(post).StatusCode.Should().Be(HttpStatusCode.InternalServerError);
    }

    [Fact]
    public async Task The_start_is_rejected_in_Production()
    {
        await using ServiceProvider services = Container(new(HttpStatusCode.OK), _ => { }, "Production");
        services.Invoking(s => s.GetRequiredService<IOptions<ResilienceStartCheck>>().Value).Should().Throw<OptionsValidationException>()
            .Which.Message.Should().Contain("The chaos of the HttpClient 'shop': ").And.Contain("'Production', where chaos is not allowed");
    }

    [Fact]
    public void Chaos_is_configured_once_for_one_client()
    {
        IHttpClientBuilder client = new ServiceCollection().AddHttpClient("shop").AddHttpChaos(_ => { });
        client.Invoking(c => c.AddHttpChaos(_ => { })).Should().Throw<InvalidOperationException>();
        new ServiceCollection().Invoking(s => s.ConfigureHttpClientDefaults(c => c.AddHttpChaos(_ => { }))).Should().Throw<ArgumentException>();
    }
}
