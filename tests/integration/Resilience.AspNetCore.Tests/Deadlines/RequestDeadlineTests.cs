using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Resilience.Overload;

namespace Resilience.AspNetCore.Tests.Deadlines;

/// <summary>Requests with deadlines on a real Kestrel whose clock the test moves.</summary>
public sealed class RequestDeadlineTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _runs;

    private Task<Shop> OpenAsync(Action<RequestDeadlineOptions>? configure = null, Action<WebApplication>? map = null) => Shop.OpenAsync(
        app =>
        {
            app.UseWebSockets();
            app.UseRequestDeadlines();
            app.MapGet("/left", () => Seen());
            app.MapGet("/hang", HangAsync);
            app.MapPost("/hang", HangAsync);
            app.MapGet("/none", () => Seen()).DisableRequestDeadline();
            app.MapGet("/own", () => Seen()).WithRequestDeadline(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4));
            app.MapGet("/low", () => Seen()).WithCriticality(Criticality.SheddablePlus);
            map?.Invoke(app);
        },
        services: services => services.AddRequestDeadlines(configure).AddSingleton<TimeProvider>(_time));

    private string Seen()
    {
        Interlocked.Increment(ref _runs);
        RequestContext request = RequestContext.Current!;
        return $"{request.RemainingTime?.TotalMilliseconds}/{request.Criticality}/{request.Attempt}";
    }

    private async Task HangAsync(HttpContext context)
    {
        _begun.SetResult();
        await Task.Delay(Timeout.Infinite, context.RequestAborted);
    }

    private static Task<Shop.Reply> GetAsync(Shop shop, string path, params (string Name, string Value)[] headers) => shop.SendAsync(
        path, key: null, method: "GET", change: request =>
        {
            request.Content = null;
            foreach ((string name, string value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        });

    [Theory]
    [InlineData("/left", "", "", "/Critical/0")]
    [InlineData("/left", "X-Request-Timeout-Ms", "5000", "5000/Critical/0")]
    [InlineData("/left", "X-Envoy-Expected-Rq-Timeout-Ms", "4000", "4000/Critical/0")]
    [InlineData("/left", "grpc-timeout", "3S", "3000/Critical/0")]
    [InlineData("/left", "X-Request-Timeout", "1500ms", "1500/Critical/0")]
    [InlineData("/left", "X-Request-Timeout", "1500", "/Critical/0")]
    [InlineData("/left", "X-Request-Timeout-Ms", "99999999999999999999", "300000/Critical/0")]
    [InlineData("/left", "X-Request-Timeout-Ms", "-1", "/Critical/0")]
    [InlineData("/none", "X-Request-Timeout-Ms", "0", "/Critical/0")]
    [InlineData("/own", "", "", "2000/Critical/0")]
    [InlineData("/own", "X-Request-Timeout-Ms", "9000", "4000/Critical/0")]
    [InlineData("/own", "X-Request-Timeout-Ms", "3000", "3000/Critical/0")]
    [InlineData("/left", "X-Request-Criticality", "sheddable", "/Sheddable/0")]
    [InlineData("/left", "X-Request-Criticality", "critical-plus", "/Critical/0")] // no caller raises it
    [InlineData("/left", "X-Request-Criticality", "most critical", "/Critical/0")]
    [InlineData("/low", "", "", "/SheddablePlus/0")]
    [InlineData("/low", "X-Request-Criticality", "critical", "/SheddablePlus/0")] // an endpoint is worth no more because a caller says so
    [InlineData("/low", "X-Request-Criticality", "sheddable", "/Sheddable/0")]
    [InlineData("/left", "X-Request-Attempt", "3", "/Critical/3")]
    [InlineData("/left", "grpc-previous-rpc-attempts", "2", "/Critical/2")]
    public async Task A_request_begins_with_what_its_caller_states(string path, string header, string value, string expected)
    {
        await using Shop shop = await OpenAsync();
        Shop.Reply reply = header.Length == 0 ? await GetAsync(shop, path) : await GetAsync(shop, path, (header, value));
        (reply.Status, reply.Text).Should().Be((200, expected));
        RequestContext.Current.Should().BeNull();
    }

    [Fact]
    public async Task Options_bound_what_callers_state()
    {
        await using Shop shop = await OpenAsync(o =>
        {
            o.DefaultTimeout = TimeSpan.FromSeconds(7);
            o.MaxInboundCriticality = null;
        });
        (await GetAsync(shop, "/left", ("X-Request-Criticality", "sheddable"))).Text.Should().Be("7000/Critical/0");
    }

    [Theory]
    [InlineData("0", null)]
    [InlineData("99", null)]
    [InlineData("0", 499)]
    public async Task Expired_work_is_rejected_before_it_begins(string milliseconds, int? stop)
    {
        await using Shop shop = await OpenAsync(o =>
        {
            o.MinimumTime = TimeSpan.FromMilliseconds(100);
            o.StopStatusCode = stop;
            o.AlsoWrite.Add("Stripe-Should-Retry");
            o.AlsoWrite.Add("finagle-http-nonretryable-nack");
        });
        Shop.Reply reply = await GetAsync(shop, "/left", ("X-Request-Timeout-Ms", milliseconds));
        _runs.Should().Be(0);
        reply.Status.Should().Be(stop ?? 504);
        JsonElement problem = JsonDocument.Parse(reply.Body).RootElement;
        problem.GetProperty("type").GetString().Should().Be("urn:resilience:overload:deadline-expired");
        problem.GetProperty("status").GetInt32().Should().Be(stop ?? 504);
        string[] names = ["X-Should-Retry", "Stripe-Should-Retry", "finagle-http-nonretryable-nack"];
        names.Select(name => reply.Headers.GetValues(name).Single()).Should().Equal("false", "false", "true");
        (await GetAsync(shop, "/left", ("X-Request-Timeout-Ms", "100"))).Status.Should().Be(200);
    }

    [Fact]
    public async Task A_measured_time_of_the_endpoint_is_asked_and_may_throw()
    {
        await using Shop shop = await OpenAsync(o => o.MinimumTimeFor = c =>
            c.Request.Query["slow"].Count > 0 ? TimeSpan.FromSeconds(3) : c.Request.Query["bad"].Count > 0 ? throw new IOException("planted") : null);
        (await GetAsync(shop, "/left?slow=1", ("X-Request-Timeout-Ms", "2000"))).Status.Should().Be(504);
        (await GetAsync(shop, "/left?bad=1", ("X-Request-Timeout-Ms", "2000"))).Status.Should().Be(200);
        (await GetAsync(shop, "/left", ("X-Request-Timeout-Ms", "2000"))).Status.Should().Be(200);
    }

    [Fact]
    public async Task A_method_of_gRPC_gets_a_status_of_gRPC()
    {
        await using Shop shop = await OpenAsync();
        Shop.Reply reply = await shop.SendAsync("/left", key: null, change: request =>
        {
            request.Content = new ByteArrayContent(new byte[5]) { Headers = { { "Content-Type", "application/grpc" } } };
            request.Headers.TryAddWithoutValidation("grpc-timeout", "0m");
        });
        (reply.Status, reply.Body.Length, _runs).Should().Be((200, 0, 0));
        reply.Headers.GetValues("grpc-status").Should().Equal("4");
        reply.Headers.GetValues("grpc-retry-pushback-ms").Should().Equal("-1");
    }

    [Fact]
    public async Task A_large_body_that_is_not_read_closes_the_connection_and_a_small_one_does_not()
    {
        await using Shop shop = await OpenAsync();
        foreach ((int length, bool closed) in ((int, bool)[])[(1000, false), (100_000, true)])
        {
            Shop.Reply reply = await shop.SendAsync("/hang", key: null, body: new('x', length), change: r => r.Headers.Add("X-Request-Timeout-Ms", "0"));
            (reply.Status, reply.Headers.ConnectionClose == true).Should().Be((504, closed));
        }
    }

    [Fact]
    public async Task A_request_whose_time_is_up_is_cancelled_and_answered()
    {
        await using Shop shop = await OpenAsync();
        Task<Shop.Reply> running = GetAsync(shop, "/hang", ("X-Request-Timeout-Ms", "5000"));
        await _begun.Task.WaitAsync(Shop.Patience);
        _time.Advance(TimeSpan.FromSeconds(5));
        Shop.Reply reply = await running;
        (reply.Status, reply.Headers.GetValues("X-Should-Retry").Single()).Should().Be((504, "false"));
        reply.Text.Should().Contain("had begun");
    }

    [Fact]
    public async Task A_pipeline_of_the_request_ends_with_its_deadline()
    {
        await using Shop shop = await OpenAsync(o => o.Cancel = false, app => app.MapGet("/call", async () =>
        {
            ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }.AddTimeout(TimeSpan.FromSeconds(60)).Build();
            return await pipeline.ExecuteAsync(async token =>
            {
                _begun.SetResult();
                await Task.Delay(Timeout.Infinite, token);
                return "never";
            });
        }));
        Task<Shop.Reply> running = GetAsync(shop, "/call", ("X-Request-Timeout-Ms", "5000"));
        await _begun.Task.WaitAsync(Shop.Patience);
        _time.Advance(TimeSpan.FromSeconds(5));
        (await running).Status.Should().Be(504);
    }

    [Fact]
    public async Task A_response_that_has_begun_is_broken_off()
    {
        await using Shop shop = await OpenAsync(map: app => app.MapGet("/stream", async context =>
        {
            await context.Response.WriteAsync("begun");
            await context.Response.Body.FlushAsync();
            await HangAsync(context);
        }));
        Task<Shop.Reply> running = GetAsync(shop, "/stream", ("X-Request-Timeout-Ms", "5000"));
        await _begun.Task.WaitAsync(Shop.Patience);
        _time.Advance(TimeSpan.FromSeconds(5));
        await running.Invoking(static r => r).Should().ThrowAsync<HttpRequestException>();
    }

    [Fact]
    public async Task A_socket_lives_longer_than_the_deadline_of_the_request_that_opened_it()
    {
        await using Shop shop = await OpenAsync(map: app => app.Map("/socket", async context =>
        {
            using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
            byte[] buffer = new byte[10];
            await socket.ReceiveAsync(buffer, context.RequestAborted);
            await socket.SendAsync(buffer.AsMemory(0, 1), WebSocketMessageType.Binary, true, context.RequestAborted);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
        }));
        using ClientWebSocket client = new();
        client.Options.SetRequestHeader("X-Request-Timeout-Ms", "5000");
        await client.ConnectAsync(new UriBuilder(shop.Address) { Scheme = "ws", Path = "/socket" }.Uri, default).WaitAsync(Shop.Patience);
        _time.Advance(TimeSpan.FromHours(1));
        await client.SendAsync("x"u8.ToArray(), WebSocketMessageType.Binary, true, default);
        byte[] answer = new byte[10];
        (await client.ReceiveAsync(answer, default).WaitAsync(Shop.Patience)).Count.Should().Be(1);
        answer[0].Should().Be((byte)'x');
    }

    [Fact]
    public void Impossible_options_are_found()
    {
        RequestDeadlineOptions options = new()
        {
            MaxTimeout = TimeSpan.Zero,
            DefaultTimeout = TimeSpan.Zero,
            MinimumTime = TimeSpan.FromTicks(-1),
            ExpiredStatusCode = 200,
            StopStatusCode = 700,
            MaxInboundCriticality = (Criticality)9,
            ProblemTypeBase = null!,
            AlsoWrite = { "no name" },
        };
        options.FindProblems().Should().HaveCount(8);
        new RequestDeadlineOptions().FindProblems().Should().BeEmpty();
    }
}
