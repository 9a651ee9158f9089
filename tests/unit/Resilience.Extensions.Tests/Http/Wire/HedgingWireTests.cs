using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http.Wire;

/// <summary>Hedged requests over real sockets: what arrives, what is let go of, and what is not hedged.</summary>
public sealed class HedgingWireTests
{
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider _time = new();
    private readonly List<ResilienceEvent> _events = [];
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private HttpClient Client(Action<HedgingOptions>? configure = null, HttpMessageHandler? network = null) => HttpKit.Client(
        HttpResilience.Custom(
            builder =>
            {
                builder.TimeProvider = _time;
                builder.OnEvent(Hear).AddHedging(o =>
                {
                    o.Delay = Delay;
                    configure?.Invoke(o);
                });
            },
            name: "shop"),
        network ?? new SocketsHttpHandler());

    private void Hear(ResilienceEvent happened)
    {
        _events.Add(happened);
        if (happened is HedgeSkipped) _stopped.TrySetResult();
    }

    private static HttpRequestMessage Request(HttpMethod method, Uri address, string version = "1.1", HttpContent? content = null) =>
        new(method, address) { Version = new(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = content };

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_hedge_answers_for_a_stalled_request_of_which_the_client_lets_go(string version)
    {
        await using WireServer server = await WireServer.StartAsync(
            (n, c) => n == 0 ? WireServer.StallAsync(c) : c.Response.WriteAsync("from the hedge"),
            version == "2.0" ? HttpProtocols.Http2 : HttpProtocols.Http1);
        using HttpRequestMessage request = Request(HttpMethod.Put, server.Address, version, new StringContent("the body"));
        Task<HttpResponseMessage> sending = Client().SendAsync(request);
        await server.WaitForAsync(1);
        _time.Advance(Delay);
        using HttpResponseMessage response = await sending.WaitAsync(TimeSpan.FromSeconds(30));
        (await response.Content.ReadAsStringAsync()).Should().Be("from the hedge");
        response.Version.Should().Be(new Version(version));
        response.RequestMessage.Should().NotBeSameAs(request);
        await server.WhenIdleAsync();
        server.Requests.Select(r => System.Text.Encoding.UTF8.GetString(r.Body)).Should().Equal("the body", "the body");
    }

    [Fact]
    public async Task A_post_is_hedged_only_with_a_key_and_both_attempts_carry_it()
    {
        foreach (bool hasKey in new[] { false, true })
        {
            TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
            await using WireServer server = await WireServer.StartAsync((n, _) => n == 0 ? release.Task : Task.CompletedTask);
            using HttpRequestMessage request = Request(HttpMethod.Post, server.Address, content: new StringContent("charge"));
            if (hasKey) request.Headers.Add("Idempotency-Key", "k1");
            Task<HttpResponseMessage> sending = Client().SendAsync(request);
            await server.WaitForAsync(1);
            _time.Advance(Delay);
            if (hasKey) await server.WaitForAsync(2);
            else await _stopped.Task.WaitAsync(TimeSpan.FromSeconds(30));
            release.SetResult();
            using HttpResponseMessage response = await sending.WaitAsync(TimeSpan.FromSeconds(30));
            response.StatusCode.Should().Be(HttpStatusCode.OK);
            server.Requests.Select(r => r.Headers.GetValueOrDefault("Idempotency-Key")).Should().Equal(hasKey ? ["k1", "k1"] : [null]);
        }

        _events.OfType<HedgeSkipped>().Single().Detail.Should().Contain("POST without Idempotency-Key");
    }

    [Fact]
    public async Task A_stream_is_not_sent_by_two_attempts_at_once_but_again_after_a_failure()
    {
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using WireServer server = await WireServer.StartAsync(async (n, c) =>
        {
            if (n == 0) await release.Task;
            c.Response.StatusCode = n == 0 ? 503 : 200;
        });
        using HttpRequestMessage request = Request(HttpMethod.Put, server.Address, content: new StreamContent(new MemoryStream([1, 2, 3])));
        Task<HttpResponseMessage> sending = Client().SendAsync(request);
        await server.WaitForAsync(1);
        release.SetResult();
        using HttpResponseMessage response = await sending.WaitAsync(TimeSpan.FromSeconds(30));
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        server.Requests.Select(r => r.Body).Should().BeEquivalentTo(new byte[][] { [1, 2, 3], [1, 2, 3] });
        _events.OfType<HedgeStarted>().Single().Reason.Should().Be("503");
    }

    [Fact]
    public async Task A_slow_stream_gets_no_hedge_beside_it()
    {
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using WireServer server = await WireServer.StartAsync((_, _) => release.Task);
        Task<HttpResponseMessage> sending = Client().SendAsync(
            Request(HttpMethod.Put, server.Address, content: new StreamContent(new MemoryStream([1, 2, 3])))
                .WithResilience(o => o.ReplayBufferBytes = 2));
        await server.WaitForAsync(1);
        _time.Advance(Delay);
        await _stopped.Task.WaitAsync(TimeSpan.FromSeconds(30));
        release.SetResult();
        using HttpResponseMessage response = await sending.WaitAsync(TimeSpan.FromSeconds(30));
        (response.StatusCode, server.Count).Should().Be((HttpStatusCode.OK, 1));
        _events.OfType<HedgeSkipped>().Single().Detail.Should().Contain("two attempts at once");
    }

    [Fact]
    public async Task A_losers_late_response_is_disposed_of()
    {
        TaskCompletionSource<HttpResponseMessage> late = new();
        ScriptedHandler network = new((n, _, _) => n == 0 ? late.Task : Task.FromResult<HttpResponseMessage>(new TrackedResponse(HttpStatusCode.OK)));
        Task<HttpResponseMessage> sending = Client(network: network).SendAsync(HttpKit.Request(HttpMethod.Get));
        _time.Advance(Delay);
        using HttpResponseMessage won = await sending.WaitAsync(TimeSpan.FromSeconds(30));
        TrackedResponse lost = new(HttpStatusCode.OK);
        late.SetResult(lost);
        SpinWait.SpinUntil(() => lost.IsDisposed, TimeSpan.FromSeconds(30)).Should().BeTrue();
        ((TrackedResponse)won).IsDisposed.Should().BeFalse();
        network.Requests.Select(r => r.Message).Should().OnlyHaveUniqueItems();
    }

    [Fact]
    public async Task A_route_leads_to_the_whole_address_that_it_names()
    {
        await using WireServer main = await WireServer.StartAsync((_, c) => WireServer.StallAsync(c));
        await using WireServer mirror = await WireServer.StartAsync((_, c) => c.Response.WriteAsync("mirror"));
        Uri other = new(mirror.Address, "/replica/orders?x=1");
        Task<string> reading = Client(o => o.Route = (context, _) =>
        {
            context.Set(HttpRequestOverrides.AttemptUri, other);
            return true;
        }).GetStringAsync(new Uri(main.Address, "/orders?x=1"));
        await main.WaitForAsync(1);
        _time.Advance(Delay);
        (await reading.WaitAsync(TimeSpan.FromSeconds(30))).Should().Be("mirror");
        (main.Requests.Single().Path, mirror.Requests.Single().Path).Should().Be(("/orders", "/replica/orders"));
    }

    [Fact]
    public void The_synchronous_send_is_hedged_after_a_failure()
    {
        ScriptedHandler network = new(HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK);
        using HttpClient client = Client(network: network);
        using HttpResponseMessage response = client.Send(HttpKit.Request(HttpMethod.Get));
        (response.StatusCode, network.Count).Should().Be((HttpStatusCode.OK, 2));
        ((TrackedResponse)network.Responses.First()).IsDisposed.Should().BeTrue();
    }
}
