using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http.Wire;

/// <summary>That discarded responses give their connections back, and what else only real connections show.</summary>
public sealed class ConnectionPoolTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new();

    private HttpClient Client(SocketsHttpHandler sockets, Action<StandardResilienceOptions>? configure = null) => HttpKit.Client(
        HttpKit.Standard(_time, o =>
        {
            o.CircuitBreaker = null;
            o.Retry!.Budget = RetryBudget.Unlimited;
            configure?.Invoke(o);
        }),
        sockets);

    [Fact]
    public async Task A_client_with_a_single_connection_never_waits_for_one_that_a_discarded_answer_holds()
    {
        string large = new('x', 20_000);
        await using WireServer server = await WireServer.StartAsync((n, c) =>
        {
            c.Response.StatusCode = n % 3 == 2 ? 200 : 503;
            return c.Response.WriteAsync(large); // longer than what comes with the headers
        });
        HttpClient client = Client(new() { UseProxy = false, MaxConnectionsPerServer = 1 });
        for (int i = 0; i < 20; i++)
        {
            using HttpResponseMessage response = await client.GetAsync(server.Address, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Patience);
            (await response.Content.ReadAsStringAsync().WaitAsync(Patience)).Should().Be(large);
        }

        server.Count.Should().Be(60);
    }

    [Fact]
    public async Task A_stall_that_was_given_up_gives_its_connection_back()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => n % 2 == 0 ? WireServer.StallAsync(c) : c.Response.WriteAsync("ok"));
        HttpClient client = Client(new() { UseProxy = false, MaxConnectionsPerServer = 1 });
        for (int i = 0; i < 5; i++)
        {
            Task<string> running = client.GetStringAsync(server.Address);
            await server.WaitForAsync((2 * i) + 1);
            _time.Advance(TimeSpan.FromSeconds(7));
            (await running.WaitAsync(Patience)).Should().Be("ok");
        }

        server.Count.Should().Be(10);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Fifty_calls_that_stall_at_once_all_succeed_at_the_second_attempt(string version)
    {
        await using WireServer server = await WireServer.StartAsync(
            (n, c) => n < 50 ? WireServer.StallAsync(c) : c.Response.WriteAsync("ok"), version == "2.0" ? HttpProtocols.Http2 : HttpProtocols.Http1);
        HttpClient client = Client(new() { UseProxy = false });
        Task<HttpResponseMessage>[] running =
        [
            .. Enumerable.Range(0, 50).Select(_ => client.SendAsync(
                new(HttpMethod.Get, server.Address) { Version = new(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact })),
        ];
        await server.WaitForAsync(50);
        _time.Advance(TimeSpan.FromSeconds(7));
        foreach (HttpResponseMessage response in await Task.WhenAll(running).WaitAsync(Patience))
        {
            response.StatusCode.Should().Be(HttpStatusCode.OK);
            HttpAttempts.Of(response).Select(a => a.Error).Should().Equal("timeout", null);
            response.Dispose();
        }

        server.Count.Should().Be(100);
    }

    [Fact]
    public async Task Headers_beyond_the_clients_limit_are_not_asked_for_again()
    {
        await using WireServer server = await WireServer.StartAsync((_, c) =>
        {
            c.Response.Headers["X-Long"] = new string('x', 3000);
            return Task.CompletedTask;
        });
        HttpClient client = Client(new() { UseProxy = false, MaxResponseHeadersLength = 2 });
        (await client.Invoking(c => c.GetAsync(server.Address)).Should().ThrowAsync<HttpRequestException>())
            .Which.HttpRequestError.Should().Be(HttpRequestError.ConfigurationLimitExceeded);
        server.Count.Should().Be(1);
    }

    [Theory]
    [InlineData("2.0", true, HttpRequestError.SecureConnectionError)] // the handshake finds no common protocol
    [InlineData("3.0", false, HttpRequestError.VersionNegotiationError)] // there is none without TLS
    public async Task A_version_that_cannot_be_agreed_on_is_asked_for_once(string version, bool isSecure, HttpRequestError error)
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, 200), isSecure: isSecure);
        SocketsHttpHandler sockets = new() { UseProxy = false };
        sockets.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is X509Certificate2 { Subject: "CN=untrusted" };
        using HttpRequestMessage request = new(HttpMethod.Get, server.Address)
        {
            Version = new(version),
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        HttpRequestException thrown = (await Client(sockets).Invoking(c => c.SendAsync(request)).Should().ThrowAsync<HttpRequestException>()).Which;
        thrown.HttpRequestError.Should().Be(error);
        HttpAttempts.Of(thrown).Should().ContainSingle();
        server.Count.Should().Be(0);
    }

    [Fact]
    public async Task A_conflict_is_asked_about_again_under_the_same_key_and_422_never()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) =>
        {
            switch (n)
            {
                case 0:
                    c.Abort(); // the reply is lost, the operation under way
                    return Task.CompletedTask;
                case 1:
                    return WireServer.Status(c, 409); // as we have sent the key before, it is our own request that is in flight
                case 2:
                    c.Response.Headers.RetryAfter = "0";
                    return WireServer.Status(c, 409);
                default:
                    return WireServer.Status(c, n == 3 ? 201 : 422);
            }
        });
        HttpClient client = Client(new() { UseProxy = false });
        (await client.SendAsync(Keyed())).StatusCode.Should().Be(HttpStatusCode.Created);
        server.Requests.Should().HaveCount(4).And.OnlyContain(r => r.Headers["Idempotency-Key"] == "k1");
        (await client.SendAsync(Keyed())).StatusCode.Should().Be(HttpStatusCode.UnprocessableEntity);
        server.Count.Should().Be(5);

        HttpRequestMessage Keyed()
        {
            HttpRequestMessage request = new(HttpMethod.Post, server.Address) { Content = new StringContent("pay") };
            request.Headers.Add("Idempotency-Key", "k1");
            return request;
        }
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task The_server_receives_a_fresh_deadline_header_with_each_attempt(string version)
    {
        await using WireServer server = await WireServer.StartAsync(
            (n, c) => n == 0 ? WireServer.StallAsync(c) : WireServer.Status(c, 200), version == "2.0" ? HttpProtocols.Http2 : HttpProtocols.Http1);
        HttpClient client = Client(new() { UseProxy = false }, o =>
        {
            o.DeadlineHeader = "X-Deadline-Ms";
            o.TotalTimeout = TimeSpan.FromSeconds(10);
            o.Retry!.MaxRetries = 1;
            o.AttemptTimeout = TimeSpan.FromSeconds(4);
        });
        Task<HttpResponseMessage> running = client.SendAsync(
            new(HttpMethod.Get, server.Address) { Version = new(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact });
        await server.WaitForAsync(1);
        _time.Advance(TimeSpan.FromSeconds(4));
        (await running.WaitAsync(Patience)).StatusCode.Should().Be(HttpStatusCode.OK);
        server.Requests.Select(r => r.Headers["X-Deadline-Ms"]).Should().Equal("4000", "4000");
    }
}
