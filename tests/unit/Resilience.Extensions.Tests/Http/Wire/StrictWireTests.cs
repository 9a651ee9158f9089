using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http.Wire;

/// <summary>Real connections, looked at from the server's side to the end: what arrived, how often, and whether the client let go of
/// it.</summary>
public sealed class StrictWireTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly List<ResilienceEvent> _events = [];

    public static TheoryData<HttpProtocols> Versions => new(HttpProtocols.Http1, HttpProtocols.Http2);

    public static TheoryData<HttpProtocols, int, int> Statuses
    {
        get
        {
            TheoryData<HttpProtocols, int, int> all = [];
            foreach (HttpProtocols version in (HttpProtocols[])[HttpProtocols.Http1, HttpProtocols.Http2])
            {
                foreach (int once in (int[])[204, 304, 400, 401, 403, 405, 410, 412, 421, 422, 425, 431]) all.Add(version, once, 1);
                foreach (int often in (int[])[502, 504, 507, 520, 599]) all.Add(version, often, 4);
            }

            return all;
        }
    }

    private HttpClient Client(Action<StandardResilienceOptions>? configure = null, HttpMessageHandler? network = null) =>
        HttpKit.Client(HttpKit.Standard(_time, configure, _events.Add), network ?? Fresh());

    /// <summary>Each request on a connection of its own, because of those that were used before SocketsHttpHandler repeats some requests by
    /// itself.</summary>
    private static SocketsHttpHandler Fresh() => new() { PooledConnectionLifetime = TimeSpan.Zero };

    /// <summary>As above; over HTTP/2 all share a connection that stays known to the handler, which closes it in the end.</summary>
    private static SocketsHttpHandler Closing(HttpProtocols version) => version == HttpProtocols.Http2 ? new() : Fresh();

    private static HttpRequestMessage Request(HttpProtocols version, string method, Uri uri, HttpContent? content = null) => new(new(method), uri)
    {
        Version = version == HttpProtocols.Http2 ? HttpVersion.Version20 : HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Content = content,
    };

    private static async Task<Exception> FailureOf(Func<Task> call) =>
        (await FluentActions.Awaiting(() => call().WaitAsync(Patience)).Should().ThrowAsync<Exception>()).Which;

    [Theory]
    [MemberData(nameof(Statuses))]
    public async Task The_rarer_statuses_too_bring_the_server_as_many_requests_as_they_deserve(HttpProtocols version, int status, int requests)
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, status), version);
        using HttpClient client = Client();
        using HttpResponseMessage response = await client.SendAsync(Request(version, "GET", server.Address)).WaitAsync(Patience);
        ((int)response.StatusCode, server.Count).Should().Be((status, requests));
        await server.WhenIdleAsync();
    }

    [Theory]
    [InlineData("POST", true)]
    [InlineData("POST", false)]
    [InlineData("PATCH", false)]
    [InlineData("CHARGE", false)]
    public async Task What_must_not_be_repeated_is_not_repeated_by_the_transport_either(string method, bool hasBody)
    {
        // Closed in peace, without a byte of an answer: SocketsHttpHandler asks again by itself if no body was begun.
        await using RawServer server = new("");
        using HttpClient client = Client();
        await FailureOf(() => client.SendAsync(Request(HttpProtocols.Http1, method, server.Address, hasBody ? new StringContent("x") : null)));
        server.Connections.Should().Be(1);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_post_without_a_body_looks_the_same_on_the_wire_from_every_sender(HttpProtocols version)
    {
        await using WireServer server = await WireServer.StartAsync((_, _) => Task.CompletedTask, version);
        using HttpClient client = Client(static o => o.PropagateTo = static _ => false), plain = new(Fresh());
        await client.SendAsync(Request(version, "POST", server.Address)).WaitAsync(Patience);
        await plain.SendAsync(Request(version, "POST", server.Address)).WaitAsync(Patience);
        server.Requests[0].Headers.Should().BeEquivalentTo(server.Requests[1].Headers).And.Contain("Content-Length", "0");
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_post_without_a_key_that_stalled_is_not_repeated_and_the_server_notices_that_the_caller_left(HttpProtocols version)
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.StallAsync(c), version);
        using HttpClient client = Client();
        Task<HttpResponseMessage> running = client.SendAsync(Request(version, "POST", server.Address, new StringContent("x")));
        await server.WaitForAsync(1);
        _time.Advance(TimeSpan.FromSeconds(7));
        ((HttpResilienceException)await FailureOf(() => running)).IsTimeout.Should().BeTrue();
        await server.WhenIdleAsync();
        server.Count.Should().Be(1);
        _events.OfType<RetryStopped>().Single().Detail.Should().Be("POST without Idempotency-Key is not repeated");
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task The_caller_that_gives_up_sees_its_own_cancellation_and_the_server_notices(HttpProtocols version)
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.StallAsync(c), version);
        using HttpClient client = Client();
        using CancellationTokenSource stop = new();
        Task<HttpResponseMessage> running = client.SendAsync(Request(version, "GET", server.Address), stop.Token);
        await server.WaitForAsync(1);
        await stop.CancelAsync();
        (await FailureOf(() => running)).Should().BeAssignableTo<OperationCanceledException>();
        await server.WhenIdleAsync();
        server.Count.Should().Be(1);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Slow_headers_that_come_in_time_are_an_answer(HttpProtocols version)
    {
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using WireServer server = await WireServer.StartAsync((_, _) => release.Task.WaitAsync(Patience), version);
        using HttpClient client = Client();
        Task<HttpResponseMessage> running = client.SendAsync(Request(version, "GET", server.Address));
        await server.WaitForAsync(1);
        _time.Advance(TimeSpan.FromMilliseconds(6_999));
        release.SetResult();
        (await running.WaitAsync(Patience)).StatusCode.Should().Be(HttpStatusCode.OK);
        server.Count.Should().Be(1);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_buffered_body_that_falls_silent_is_ended_by_the_attempt_timeout_and_asked_for_again(HttpProtocols version)
    {
        TaskCompletionSource arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using WireServer server = await WireServer.StartAsync(
            async (n, c) =>
            {
                await c.Response.WriteAsync("abc");
                if (n > 0) return;
                await c.Response.Body.FlushAsync();
                await WireServer.StallAsync(c);
            },
            version);
        using HttpClient client = Client(o => o.BufferResponses = true, new Inner(Fresh()) { After = _ => arrived.TrySetResult() });
        Task<HttpResponseMessage> running = client.SendAsync(Request(version, "GET", server.Address));
        await arrived.Task.WaitAsync(Patience);
        _time.Advance(TimeSpan.FromSeconds(7));
        using HttpResponseMessage response = await running.WaitAsync(Patience);
        (await response.Content.ReadAsStringAsync()).Should().Be("abc");
        server.Count.Should().Be(2);
        await server.WhenIdleAsync();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task An_upload_that_was_cut_in_the_middle_is_received_whole_by_the_next_attempt(HttpProtocols version)
    {
        byte[] sent = new byte[4_000_000];
        new Random(2).NextBytes(sent);
        MemoryStream last = new();
        await using WireServer server = await WireServer.StartAsync(
            async (n, c) =>
            {
                await c.Request.Body.ReadExactlyAsync(new byte[1000]);
                if (n < 2) c.Abort();
                else await c.Request.Body.CopyToAsync(last);
            },
            version,
            readsBodies: false);
        using HttpClient client = Client();
        using HttpResponseMessage response = await client
            .SendAsync(Request(version, "PUT", server.Address, new StreamContent(new MemoryStream(sent)))).WaitAsync(Patience);
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        server.Count.Should().Be(3);
        last.ToArray().AsSpan().SequenceEqual(sent.AsSpan(1000)).Should().BeTrue();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task An_answer_that_is_thrown_away_unread_leaves_nothing_open(HttpProtocols version)
    {
        await using WireServer server = await WireServer.StartAsync(
            async (_, c) =>
            {
                await c.Response.WriteAsync("abc");
                await c.Response.Body.FlushAsync();
                await WireServer.StallAsync(c);
            },
            version);
        using (HttpClient client = Client(o => o.ReadIdleTimeout = TimeSpan.FromSeconds(10), Closing(version)))
        {
            (await client.SendAsync(Request(version, "GET", server.Address), HttpCompletionOption.ResponseHeadersRead).WaitAsync(Patience)).Dispose();
            await server.WhenIdleAsync();

            HttpResponseMessage silent = await client
                .SendAsync(Request(version, "GET", server.Address), HttpCompletionOption.ResponseHeadersRead).WaitAsync(Patience);
            Stream body = await silent.Content.ReadAsStreamAsync();
            await body.ReadExactlyAsync(new byte[3]).AsTask().WaitAsync(Patience);
            Task<int> reading = body.ReadAsync(new byte[1]).AsTask();
            _time.Advance(TimeSpan.FromSeconds(10));
            (await FailureOf(() => reading)).Should().BeOfType<IOException>();
            silent.Dispose();
            await server.WhenIdleAsync();
        }

        await server.WhenAllClosedAsync();
    }

    [Fact]
    public async Task A_post_whose_connection_was_rejected_arrives_once_when_the_server_is_there()
    {
        await using WireServer server = await WireServer.StartAsync((_, _) => Task.CompletedTask);
        using Socket bound = new(SocketType.Stream, ProtocolType.Tcp); // listens never, so it rejects
        bound.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int attempts = 0;
        using SocketsHttpHandler network = Fresh();
        network.ConnectCallback = async (_, token) =>
        {
            Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, attempts++ < 2 ? ((IPEndPoint)bound.LocalEndPoint!).Port : server.Address.Port, token);
            return new NetworkStream(socket, ownsSocket: true);
        };
        using HttpClient client = Client(network: network);
        using HttpResponseMessage response = await client
            .SendAsync(Request(HttpProtocols.Http1, "POST", server.Address, new StringContent("x"))).WaitAsync(Patience);
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        (attempts, server.Count).Should().Be((3, 1));
    }

    [Fact]
    public async Task A_handshake_that_was_cut_off_is_tried_again_even_for_a_post()
    {
        await using RawServer server = new("");
        using HttpClient client = Client();
        Uri secure = new UriBuilder(server.Address) { Scheme = "https" }.Uri;
        Exception error = await FailureOf(() => client.SendAsync(Request(HttpProtocols.Http1, "POST", secure, new StringContent("x"))));
        HttpAttempts.Of(error).Should().HaveCount(4).And.OnlyContain(a => a.Error == "SecureConnectionError");
        server.Connections.Should().Be(4);
    }

    [Fact]
    public async Task An_untrusted_certificate_costs_one_connection_and_a_trusted_one_is_used()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n == 0 ? 503 : 200), HttpProtocols.Http2, isSecure: true);
        using HttpClient client = Client();
        await FailureOf(() => client.SendAsync(Request(HttpProtocols.Http2, "GET", server.Address)));
        (server.ConnectionsEver, server.Count).Should().Be((1, 0));

        SocketsHttpHandler trusting = new() { SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => shown?.Subject == "CN=untrusted" } };
        using HttpClient trusts = Client(network: trusting);
        (await trusts.SendAsync(Request(HttpProtocols.Http2, "GET", server.Address)).WaitAsync(Patience)).StatusCode.Should().Be(HttpStatusCode.OK);
        server.Requests.Should().HaveCount(2).And.OnlyContain(r => r.Protocol == "HTTP/2");
    }

    [Fact]
    public async Task A_send_that_blocks_is_repeated_after_resets_and_ended_by_the_attempt_timeout()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) =>
        {
            if (n == 0) c.Abort();
            return n == 1 ? WireServer.StallAsync(c) : Task.CompletedTask;
        });
        using HttpClient client = Client();
        Task<HttpResponseMessage> running = Task.Run(() => client.Send(Request(HttpProtocols.Http1, "GET", server.Address)));
        await server.WaitForAsync(2);
        _time.Advance(TimeSpan.FromSeconds(7));
        using HttpResponseMessage response = await running.WaitAsync(Patience);
        HttpAttempts.Of(response).Skip(1).Select(a => a.Error).Should().Equal("timeout", null);
        server.Count.Should().Be(3);
        await server.WhenIdleAsync();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_redirect_within_the_origin_keeps_the_key_and_what_fails_beyond_it_is_done_at_most_once(HttpProtocols version)
    {
        await using WireServer other = await WireServer.StartAsync((_, c) => WireServer.Status(c, 503), version);
        await using WireServer server = await WireServer.StartAsync(
            (_, c) =>
            {
                if (c.Request.Path == "/b") return WireServer.Status(c, 200);
                c.Response.Headers.Location = c.Request.Path == "/a" ? "/b" : other.Address.ToString();
                return WireServer.Status(c, 308);
            },
            version);
        await using ServiceProvider services = new ServiceCollection().AddSingleton<TimeProvider>(_time).AddHttpClient("shop")
            .AddStandardResilience().AddIdempotencyKey().ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler()).Services.BuildServiceProvider();
        HttpClient client = services.GetRequiredService<IHttpClientFactory>().CreateClient("shop");
        using HttpResponseMessage within = await client
            .SendAsync(Request(version, "POST", new(server.Address, "/a"), new StringContent("buy"))).WaitAsync(Patience);
        within.StatusCode.Should().Be(HttpStatusCode.OK);
        server.Requests.Select(r => r.Headers["Idempotency-Key"]).Distinct().Should().ContainSingle();

        using HttpResponseMessage beyond = await client
            .SendAsync(Request(version, "POST", new(server.Address, "/c"), new StringContent("buy"))).WaitAsync(Patience);
        beyond.StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
        other.Requests.Should().ContainSingle("it did not get the key").Which.Headers.Should().NotContainKey("Idempotency-Key");
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Fifty_callers_against_random_faults_are_counted_alike_by_the_server_the_histories_and_the_events(HttpProtocols version)
    {
        WireServer? server = null;
        await using WireServer started = server = await WireServer.StartAsync(
            async (n, c) =>
            {
                switch (new Random(n).Next(6)) // the same faults each time, whichever calls get them
                {
                    case 0:
                        c.Response.StatusCode = 503;
                        break;
                    case 1:
                        c.Abort();
                        break;
                    case 2: // the operation is done, the answer lost
                        server!.Do(c);
                        c.Abort();
                        break;
                    case 3:
                        await WireServer.HalfAsync(c, Task.CompletedTask);
                        break;
                    default:
                        server!.Do(c);
                        await c.Response.WriteAsync("ok");
                        break;
                }
            },
            version);
        int told = 0, scheduled = 0, good = 0;
        HttpResilience resilience = HttpKit.Standard(
            _time,
            o =>
            {
                o.BufferResponses = true;
                o.CircuitBreaker = null;
                o.Retry!.Budget = RetryBudget.Unlimited;
            },
            e =>
            {
                if (e is RetryScheduled) Interlocked.Increment(ref scheduled);
            });
        using (HttpClient client = HttpKit.Client(resilience, Closing(version)))
        {
            await Task.WhenAll(Enumerable.Range(0, 50).Select(caller => Task.Run(async () =>
            {
                for (int i = 0; i < 10; i++)
                {
                    HttpRequestMessage request = Request(version, "POST", server.Address, new StringContent("buy"));
                    request.Headers.Add("Idempotency-Key", $"{caller}-{i}");
                    try
                    {
                        using HttpResponseMessage response = await client.SendAsync(request);
                        Interlocked.Add(ref told, Math.Max(1, HttpAttempts.Of(response).Count));
                        if (response.IsSuccessStatusCode) Interlocked.Increment(ref good);
                    }
                    catch (HttpRequestException error)
                    {
                        Interlocked.Add(ref told, HttpAttempts.Of(error).Count);
                    }
                }
            }))).WaitAsync(Patience);
            await server.WhenIdleAsync();
        }

        await server.WhenAllClosedAsync();
        told.Should().Be(server.Count, "each request that arrived is in the history of a call, and the other way round");
        scheduled.Should().Be(server.Count - 500);
        good.Should().BeGreaterThan(300).And.BeLessThan(500, "two of three attempts fail");
        server.Operations.Should().HaveCountGreaterThanOrEqualTo(good).And.HaveCountLessThanOrEqualTo(500, "the key tells operations apart, not attempts");
    }

    /// <summary>Tells when the headers of an answer have arrived.</summary>
    private sealed class Inner(HttpMessageHandler network) : DelegatingHandler(network)
    {
        internal required Action<HttpResponseMessage> After { get; init; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            HttpResponseMessage response = await base.SendAsync(request, cancellationToken);
            After(response);
            return response;
        }
    }
}
