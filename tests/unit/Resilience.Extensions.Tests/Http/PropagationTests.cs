using System.Net;
using Microsoft.Extensions.Time.Testing;
using Resilience.Overload;

namespace Resilience.Tests.Http;

/// <summary>What servers are told of a request, which servers, and what is believed of their answers.</summary>
public sealed class PropagationTests
{
    private static readonly string[] Names = ["X-Request-Timeout-Ms", "X-Request-Criticality", "X-Request-Attempt"];

    private readonly FakeTimeProvider _time = new();

    private HttpClient Client(ScriptedHandler network, Action<StandardResilienceOptions>? configure = null) =>
        HttpKit.Client(HttpKit.Standard(_time, configure), network);

    private static string[] Sent(ScriptedHandler network) =>
        [.. network.Requests.Select(static r => string.Join('/', Names.Select(n => r.Headers.GetValueOrDefault(n, "-"))))];

    [Theory]
    [InlineData("http://127.0.0.1/", true)]
    [InlineData("http://localhost:8080/", true)]
    [InlineData("http://[::1]/", true)]
    [InlineData("http://catalog/", true)]
    [InlineData("http://CATALOG:81/", true)]
    [InlineData("http://catalog.example.org/", false)]
    [InlineData("http://10.0.0.7/", false)]
    [InlineData("http://[fe80::1]/", false)]
    [InlineData("http://b\u00fccher.example/", false)]
    public async Task Our_own_servers_are_told_and_no_strangers(string address, bool isTold)
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        await Client(network).GetAsync(address);
        Sent(network).Should().Equal(isTold ? "7000/-/-" : "-/-/-");
    }

    [Fact]
    public async Task Each_attempt_tells_what_is_left_for_it_and_its_number()
    {
        ScriptedHandler network = new((n, _) =>
        {
            _time.Advance(TimeSpan.FromSeconds(n < 3 ? 8 : 0)); // longer than an attempt has, but the answer came
            return new(HttpStatusCode.BadGateway);
        });
        await Client(network).GetAsync("http://catalog/");
        Sent(network).Should().Equal("7000/-/-", "7000/-/1", "7000/-/2", "6000/-/3");
    }

    [Fact]
    public async Task A_request_passes_on_its_deadline_its_class_and_its_attempt()
    {
        ScriptedHandler network = new(HttpStatusCode.BadGateway, HttpStatusCode.OK);
        using RequestScope scope = RequestContext.Begin(new()
        {
            Timeout = TimeSpan.FromSeconds(3),
            Criticality = Criticality.SheddablePlus,
            Attempt = 2,
            TimeProvider = _time,
        });
        await Client(network).GetAsync("http://catalog/");
        Sent(network).Should().Equal("3000/sheddable-plus/2", "3000/sheddable-plus/3");
    }

    [Fact]
    public async Task Who_is_told_can_be_said_and_what_the_caller_has_set_stays()
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        HttpClient client = Client(
            network, static o => o.PropagateTo = static host => host.Host == "api.example.test" ? true : throw new IOException("planted"));
        await client.GetAsync(HttpKit.Address);
        await client.GetAsync("http://catalog/");
        using HttpRequestMessage own = HttpKit.Request(HttpMethod.Get);
        own.Headers.Add("X-Request-Timeout-Ms", "5");
        await client.SendAsync(own);
        Sent(network).Should().Equal("7000/-/-", "-/-/-", "5/-/-");
    }

    [Theory]
    [InlineData("X-Should-Retry", "false", 1)]
    [InlineData("Stripe-Should-Retry", "false", 1)]
    [InlineData("finagle-http-nonretryable-nack", "true", 1)]
    [InlineData("finagle-http-nonretryable-nack", "", 1)]
    [InlineData("X-Should-Retry", "perhaps", 4)]
    [InlineData("X-Should-Retry", "true", 4)]
    public async Task A_server_that_does_not_want_to_be_asked_again_is_not_and_its_request_knows(string name, string value, int attempts)
    {
        ScriptedHandler network = new((_, _) =>
        {
            HttpResponseMessage response = new(HttpStatusCode.ServiceUnavailable);
            response.Headers.TryAddWithoutValidation(name, value);
            return response;
        });
        using RequestScope scope = RequestContext.Begin(default);
        using HttpResponseMessage last = await Client(network, static o => o.Retry!.BaseDelay = TimeSpan.Zero).GetAsync(HttpKit.Address);
        network.Count.Should().Be(attempts);
        scope.Request!.HasGivenUpOn(last).Should().BeTrue("it is marked, or all attempts are used up");
    }

    [Fact]
    public async Task A_server_that_is_not_believed_is_asked_again()
    {
        ScriptedHandler network = new((_, _) => new(HttpStatusCode.ServiceUnavailable) { Headers = { { "X-Should-Retry", "false" } } });
        HttpClient client = Client(network, static o =>
        {
            o.Retry!.BaseDelay = TimeSpan.Zero;
            o.HonorDoNotRetryFrom = static _ => throw new IOException("planted");
        });
        HttpClient another = Client(network, static o =>
        {
            o.Retry!.BaseDelay = TimeSpan.Zero;
            o.HonorDoNotRetryFrom = static host => host.Host != "api.example.test";
        });
        await client.GetAsync(HttpKit.Address);
        network.Count.Should().Be(1, "what throws means that it is believed");
        await another.GetAsync(HttpKit.Address);
        network.Count.Should().Be(1 + 4);
    }
}
