using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http.Wire;

/// <summary>The handlers against a real server over real sockets, HTTP/1.1 and HTTP/2, counting what really arrived.</summary>
public sealed class WireTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _time = new();

    public static TheoryData<string> Protocols => new("1.1", "2.0");

    private static HttpProtocols Of(string version) => version == "2.0" ? HttpProtocols.Http2 : HttpProtocols.Http1;

    private static HttpRequestMessage Request(HttpMethod method, WireServer server, string version, HttpContent? content = null) =>
        Request(method, server.Address, version, content);

    private static HttpRequestMessage Request(HttpMethod method, Uri address, string version, HttpContent? content = null) =>
        new(method, address) { Version = new(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = content };

    private HttpClient Client(Action<StandardResilienceOptions>? configure = null, HttpMessageHandler? primary = null) =>
        HttpKit.Client(HttpKit.Standard(_time, configure), primary ?? new SocketsHttpHandler());

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task The_server_receives_as_many_requests_as_the_status_deserves(string version)
    {
        foreach ((int status, int attempts) in new[] { (200, 1), (404, 1), (408, 4), (409, 1), (429, 4), (500, 4), (501, 1), (503, 4), (505, 1), (511, 1) })
        {
            await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, status), Of(version));
            using HttpResponseMessage response = await Client().SendAsync(Request(HttpMethod.Get, server, version));
            ((int)response.StatusCode, server.Count).Should().Be((status, attempts));
            response.Version.Should().Be(new Version(version));
        }
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_connection_that_is_reset_before_the_headers_is_retried(string version)
    {
        await using WireServer server = await WireServer.StartAsync(
            (n, c) =>
            {
                if (n < 2) c.Abort();
                return Task.CompletedTask;
            },
            Of(version));
        using HttpResponseMessage response = await Client().SendAsync(Request(HttpMethod.Get, server, version));
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        HttpAttempts.Of(response).Select(a => a.Error is null).Should().Equal(false, false, true);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_lost_reply_is_repeated_only_with_a_key_and_the_operation_is_known_by_it(string version)
    {
        WireServer? server = null;
        await using WireServer started = server = await WireServer.StartAsync(
            (n, c) =>
            {
                server!.Do(c);
                if (n != 3) c.Abort();
                return Task.CompletedTask;
            },
            Of(version));
        HttpClient client = Client();
        await client.Invoking(c => c.SendAsync(Request(HttpMethod.Post, server, version, new StringContent("buy"))))
            .Should().ThrowAsync<HttpRequestException>();
        server.Count.Should().Be(1, "without a key a POST whose reply is lost is not sent again");
        server.Operations.Clear();

        using HttpClient keyed = new(new IdempotencyKeyHandler(null, new ResilienceHttpHandler(HttpKit.Standard(_time), new SocketsHttpHandler())));
        using HttpResponseMessage response = await keyed.SendAsync(Request(HttpMethod.Post, server, version, new StringContent("buy")));
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        server.Requests[1..].Should().HaveCount(3).And.OnlyContain(r => System.Text.Encoding.UTF8.GetString(r.Body) == "buy");
        server.Operations.Should().ContainSingle("all attempts carried one key").Which.Value.Should().Be(3);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_server_that_stalls_is_left_at_the_attempt_timeout_and_asked_again(string version)
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => n < 2 ? WireServer.StallAsync(c) : Task.CompletedTask, Of(version));
        Task<HttpResponseMessage> running = Client().SendAsync(Request(HttpMethod.Get, server, version));
        for (int n = 1; n <= 2; n++)
        {
            await server.WaitForAsync(n);
            _time.Advance(TimeSpan.FromSeconds(7));
        }

        using HttpResponseMessage response = await running.WaitAsync(Patience);
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        HttpAttempts.Of(response).Select(a => a.Error).Should().Equal("timeout", "timeout", null);
        server.Count.Should().Be(3);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Half_a_body_is_retried_when_answers_are_buffered_and_reaches_the_reader_when_not(string version)
    {
        TaskCompletionSource headersAreRead = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using WireServer server = await WireServer.StartAsync(
            (n, c) => n == 1 ? c.Response.WriteAsync("whole body") : WireServer.HalfAsync(c, n == 0 ? Task.CompletedTask : headersAreRead.Task), Of(version));
        using HttpResponseMessage whole = await Client(o => o.BufferResponses = true).SendAsync(Request(HttpMethod.Get, server, version));
        (await whole.Content.ReadAsStringAsync()).Should().Be("whole body");
        server.Count.Should().Be(2);

        using HttpResponseMessage half = await Client().SendAsync(Request(HttpMethod.Get, server, version), HttpCompletionOption.ResponseHeadersRead);
        headersAreRead.SetResult();
        await half.Content.Invoking(c => c.ReadAsStringAsync()).Should().ThrowAsync<Exception>().Where(e => e is HttpRequestException || e is IOException);
        server.Count.Should().Be(3);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Events_that_a_server_sends_are_not_cut_by_the_timeouts_but_by_the_idle_limit(string version)
    {
        Channel<string> events = Channel.CreateUnbounded<string>();
        await using WireServer server = await WireServer.StartAsync(
            async (_, c) =>
            {
                c.Response.ContentType = "text/event-stream";
                await c.Response.Body.FlushAsync();
                await foreach (string one in events.Reader.ReadAllAsync(c.RequestAborted))
                {
                    await c.Response.WriteAsync($"data: {one}\n");
                    await c.Response.Body.FlushAsync();
                }
            },
            Of(version));
        using HttpResponseMessage response = await Client(o => o.ReadIdleTimeout = TimeSpan.FromMinutes(5))
            .SendAsync(Request(HttpMethod.Get, server, version), HttpCompletionOption.ResponseHeadersRead);
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync());
        for (int i = 0; i < 3; i++)
        {
            Task<string?> line = reader.ReadLineAsync();
            _time.Advance(TimeSpan.FromMinutes(1)); // far beyond attempt and total
            events.Writer.TryWrite($"{i}");
            (await line.WaitAsync(Patience)).Should().Be($"data: {i}");
        }

        Task<string?> silent = reader.ReadLineAsync();
        _time.Advance(TimeSpan.FromMinutes(5));
        (await FluentActions.Awaiting(() => silent.WaitAsync(Patience)).Should().ThrowAsync<IOException>()).WithInnerException<TimedOutException>();
    }

    [Fact]
    public async Task Garbage_and_answers_that_break_off_in_the_headers_are_retried_for_a_get_and_not_for_a_post()
    {
        foreach (string answer in new[] { "what do you want?\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Le", "" })
        {
            await using RawServer server = new(answer);
            HttpClient client = Client();
            await client.Invoking(c => c.GetAsync(server.Address)).Should().ThrowAsync<HttpRequestException>();
            server.Connections.Should().BeGreaterThanOrEqualTo(4, "after {0}", answer);
            int before = server.Connections;
            HttpRequestException error = (await client.Invoking(c => c.PostAsync(server.Address, new StringContent("x")))
                .Should().ThrowAsync<HttpRequestException>()).Which;
            HttpAttempts.Of(error).Should().ContainSingle();
        }
    }

    [Fact]
    public async Task A_port_that_rejects_is_tried_again_even_for_a_post_without_a_key()
    {
        Uri address = await RawServer.ClosedAsync();
        HttpRequestException error = (await Client().Invoking(c => c.PostAsync(address, new StringContent("x"))).Should().ThrowAsync<HttpRequestException>())
            .Which;
        error.HttpRequestError.Should().Be(HttpRequestError.ConnectionError);
        HttpAttempts.Of(error).Should().HaveCount(4);
    }

    [Fact]
    public async Task An_untrusted_certificate_is_not_tried_twice()
    {
        await using WireServer server = await WireServer.StartAsync((_, _) => Task.CompletedTask, isSecure: true);
        HttpRequestException error = (await Client().Invoking(c => c.GetAsync(server.Address)).Should().ThrowAsync<HttpRequestException>()).Which;
        error.HttpRequestError.Should().Be(HttpRequestError.SecureConnectionError);
        HttpAttempts.Of(error).Should().ContainSingle();
        server.Count.Should().Be(0);
    }

    [Fact]
    public async Task A_synchronous_send_is_retried_over_the_wire()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n == 0 ? 503 : 200));
        HttpClient client = Client();
        using HttpResponseMessage response = await Task.Run(() => client.Send(Request(HttpMethod.Put, server, "1.1", new StringContent("x"))))
            .WaitAsync(Patience);
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        server.Requests.Should().HaveCount(2).And.OnlyContain(r => r.Body.Length == 1);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_seekable_stream_arrives_whole_each_time_and_one_that_is_not_arrives_once(string version)
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, 503), Of(version));
        byte[] bytes = new byte[100_000];
        Random.Shared.NextBytes(bytes);
        HttpClient client = Client();
        await client.SendAsync(Request(HttpMethod.Put, server, version, new StreamContent(new MemoryStream(bytes))));
        server.Requests.Should().HaveCount(4).And.OnlyContain(r => r.Body.SequenceEqual(bytes));
        using HttpResponseMessage answer = await client.SendAsync(Request(HttpMethod.Put, server, version, new StreamContent(new OneWay(bytes))));
        answer.StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
        server.Count.Should().Be(5);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Headers_of_inner_handlers_arrive_once_and_each_attempt_has_its_own_span_and_number(string version)
    {
        ConcurrentQueue<Activity> spans = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = s => s.Name == "System.Net.Http",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n < 2 ? 503 : 200), Of(version));
        using Activity root = new Activity("test").Start();
        await Client(primary: new Stamping(new SocketsHttpHandler())).SendAsync(Request(HttpMethod.Get, server, version));
        server.Requests.Select(r => r.Headers["X-Stamp"]).Should().Equal("1", "1", "1");
        server.Requests.Select(r => r.Headers["traceparent"]).Distinct().Should().HaveCount(3);
        spans.Where(s => s.TraceId == root.TraceId).Select(s => s.GetTagItem("http.request.resend_count")).Should().Equal(null, 1, 2);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_redirect_to_another_origin_gets_neither_key_nor_credentials(string version)
    {
        await using WireServer other = await WireServer.StartAsync((_, _) => Task.CompletedTask, Of(version));
        await using WireServer server = await WireServer.StartAsync(
            (_, c) =>
            {
                c.Response.Headers.Location = other.Address.ToString();
                return WireServer.Status(c, 307);
            },
            Of(version));
        await using ServiceProvider services = new ServiceCollection().AddHttpClient("shop").AddIdempotencyKey().AddStandardResilience()
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler()).Services.BuildServiceProvider();
        HttpRequestMessage request = Request(HttpMethod.Post, server, version, new StringContent("buy"));
        request.Headers.Authorization = new("Bearer", "secret");
        using HttpResponseMessage response = await services.GetRequiredService<IHttpClientFactory>().CreateClient("shop").SendAsync(request);
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        server.Requests.Single().Headers.Should().ContainKeys("Idempotency-Key", "Authorization");
        other.Requests.Single().Headers.Should().NotContainKey("Idempotency-Key").And.NotContainKey("Authorization");
        other.Requests.Single().Body.Should().Equal("buy"u8.ToArray());
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Fifty_callers_against_random_faults_are_accounted_for_to_the_last_request(string version)
    {
        await using WireServer server = await WireServer.StartAsync(
            (n, c) =>
            {
                switch ((n * 2654435761u >> 8) % 5) // a fixed mix of faults, whatever the order of arrival
                {
                    case 0:
                        return WireServer.Status(c, 503);
                    case 1:
                        c.Abort();
                        return Task.CompletedTask;
                    case 2:
                        return WireServer.HalfAsync(c, Task.CompletedTask);
                    default:
                        return c.Response.WriteAsync("ok");
                }
            },
            Of(version));
        using SocketsHttpHandler sockets = new() { PooledConnectionIdleTimeout = TimeSpan.FromMilliseconds(1) };
        Counting network = new(sockets);
        HttpClient client = Client(
            o =>
            {
                o.BufferResponses = true;
                o.Retry!.Budget = RetryBudget.Unlimited;
                o.CircuitBreaker = null;
            },
            network);
        int good = 0, told = 0;
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 10; i++)
            {
                try
                {
                    using HttpResponseMessage response = await client.SendAsync(Request(HttpMethod.Get, server, version));
                    Interlocked.Add(ref told, Math.Max(1, HttpAttempts.Of(response).Count));
                    if (response.IsSuccessStatusCode && await response.Content.ReadAsStringAsync() == "ok") Interlocked.Increment(ref good);
                }
                catch (HttpRequestException error)
                {
                    Interlocked.Add(ref told, HttpAttempts.Of(error).Count);
                }
            }
        }))).WaitAsync(Patience);
        told.Should().Be(network.Sent, "every attempt is in the history of a call");
        network.Sent.Should().BeGreaterThan(600);
        good.Should().BeGreaterThan(380, "three in five attempts fail, so about one call in eight fails four times");
        network.Undisposed.Should().Be(0, "no response is leaked");
        server.Count.Should().BeLessThanOrEqualTo(network.Sent).And.BeGreaterThan(500);
    }

    private sealed class Stamping(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Add("X-Stamp", "1");
            return base.SendAsync(request, cancellationToken);
        }
    }

    /// <summary>Counts attempts, and responses that were not disposed of.</summary>
    private sealed class Counting(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        private int _sent;
        private int _undisposed;

        internal int Sent => Volatile.Read(ref _sent);

        internal int Undisposed => Volatile.Read(ref _undisposed);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _sent);
            HttpResponseMessage response = await base.SendAsync(request, cancellationToken);
            Interlocked.Increment(ref _undisposed);
            Watched content = new(response.Content, () => Interlocked.Decrement(ref _undisposed));
            response.Content = content;
            return response;
        }

        private sealed class Watched(HttpContent inner, Action disposed) : HttpContent
        {
            private Action? _disposed = disposed;

            protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => inner.CopyToAsync(stream, context);

            protected override bool TryComputeLength(out long length)
            {
                length = inner.Headers.ContentLength ?? 0;
                return inner.Headers.ContentLength is not null;
            }

            protected override void Dispose(bool disposing)
            {
                inner.Dispose();
                Interlocked.Exchange(ref _disposed, null)?.Invoke();
                base.Dispose(disposing);
            }
        }
    }

    private sealed class OneWay(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }
    }
}
