using System.Net;
using System.Text;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http.Wire;

/// <summary>What is known to go wrong with Microsoft.Extensions.Http.Resilience when requests are made, each fault as a test of what ours does
/// instead. Numbers are issues of dotnet/extensions.</summary>
/// <remarks>Faults of registration and configuration are in <see cref="MicrosoftRegistrationFaultTests"/>, those of telemetry in
/// <see cref="WireTests"/> and <c>MeterFactoryTests</c>, of health (5224) in <c>HealthCheckTests</c>, of size and weight in the checks of the
/// packages. Those of hedging (5105, 5699, 6298) come with hedging.</remarks>
public sealed class MicrosoftFaultTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly WatchedTime _time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    private HttpClient Client(Action<StandardResilienceOptions>? configure = null, Action<ResilienceEvent>? hear = null) => HttpKit.Client(
        HttpKit.Standard(_time, configure, hear), new SocketsHttpHandler { UseProxy = false, PooledConnectionLifetime = TimeSpan.Zero });

    private static StringContent Payment() => new("pay");

    /// <summary>5248: POST and PUT were sent four times by default, and duplicates were created.</summary>
    [Fact]
    public async Task A_post_does_its_operation_once_unless_a_key_makes_it_safe_to_repeat()
    {
        WireServer? known = null;
        await using WireServer server = known = await WireServer.StartAsync((_, c) =>
        {
            known!.Do(c);
            return WireServer.Status(c, 503);
        });
        (await Client().PostAsync(server.Address, Payment())).StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
        server.Operations.Should().Equal(new Dictionary<string, int> { [""] = 1 });

        using HttpRequestMessage keyed = new(HttpMethod.Post, server.Address) { Content = Payment() };
        keyed.Headers.Add("Idempotency-Key", "k1");
        await Client().SendAsync(keyed);
        server.Operations["k1"].Should().Be(4, "the server can tell that they are one");
    }

    /// <summary>6548, 6708: with retries switched off for unsafe methods, a POST that timed out was sent again all the same.</summary>
    [Fact]
    public async Task A_post_that_ran_into_the_attempt_timeout_is_not_sent_again()
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.StallAsync(c));
        Task<HttpResponseMessage> running = Client().PostAsync(server.Address, Payment());
        await server.WaitForAsync(1);
        _time.Advance(TimeSpan.FromSeconds(7));
        (await FluentActions.Awaiting(() => running.WaitAsync(Patience)).Should().ThrowAsync<HttpResilienceException>()).Which.IsTimeout.Should().BeTrue();
        server.Count.Should().Be(1);
    }

    /// <summary>Section 1.2: four attempts of 10 s and their waits did not fit into 30 s, so the fourth was never made.</summary>
    [Fact]
    public async Task With_the_defaults_a_server_that_hangs_is_asked_all_four_times()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => n < 3 ? WireServer.StallAsync(c) : c.Response.WriteAsync("at last"));
        HttpResilience resilience = HttpResilience.Standard(new(), "shop", b => b.TimeProvider = _time);
        Task<string> running = HttpKit.Client(resilience, new SocketsHttpHandler()).GetStringAsync(server.Address);
        for (int i = 1; i <= 3; i++)
        {
            await server.WaitForAsync(i);
            Task waits = _time.NewTimerAsync();
            _time.Advance(TimeSpan.FromSeconds(7));
            await waits.WaitAsync(Patience); // before the next attempt, as long as backoff may be at the most
            _time.Advance(TimeSpan.FromMilliseconds(200 << (i - 1)));
        }

        (await running.WaitAsync(Patience)).Should().Be("at last");
    }

    /// <summary>Section 1.2: the breaker needed 100 calls in 30 s before it could open; section 0.4 and 1.2: callers got exceptions of Polly.</summary>
    [Fact]
    public async Task Twenty_failures_open_the_circuit_and_the_caller_gets_an_http_request_exception()
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, 500));
        HttpClient client = Client(o => o.Retry = null);
        for (int i = 0; i < 20; i++) (await client.GetAsync(server.Address)).StatusCode.Should().Be(HttpStatusCode.InternalServerError);
        HttpRequestException thrown = (await client.Invoking(c => c.GetAsync(server.Address)).Should().ThrowAsync<HttpRequestException>()).Which;
        HttpResilienceException rejected = thrown.Should().BeOfType<HttpResilienceException>().Subject;
        rejected.Rejection.Should().BeOfType<CircuitRejection>();
        rejected.RetryAfter.Should().BePositive();
        server.Count.Should().Be(20);
    }

    /// <summary>Section 1.2: 501, 505 and 511 were sent four times though they cannot heal.</summary>
    [Theory]
    [InlineData(501)]
    [InlineData(505)]
    [InlineData(511)]
    public async Task What_a_server_cannot_do_is_not_asked_of_it_again(int status)
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, status));
        ((int)(await Client().GetAsync(server.Address)).StatusCode).Should().Be(status);
        server.Count.Should().Be(1);
    }

    /// <summary>Section 1.2: <see cref="HttpRequestError"/> was not looked at, so a wrong certificate was retried like a failed connection.</summary>
    [Fact]
    public async Task The_kind_of_the_network_error_decides_so_a_certificate_is_tried_once_and_a_rejected_port_even_for_a_post()
    {
        List<ResilienceEvent> events = [];
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, 200), isSecure: true);
        await Client(hear: events.Add).Invoking(c => c.GetAsync(server.Address)).Should().ThrowAsync<HttpRequestException>();
        events.OfType<RetryScheduled>().Should().BeEmpty();
        Uri closed = await RawServer.ClosedAsync();
        await Client(hear: events.Add).Invoking(c => c.PostAsync(closed, Payment())).Should().ThrowAsync<HttpRequestException>();
        events.OfType<RetryScheduled>().Should().HaveCount(3);
    }

    /// <summary>Section 0.6 and 1.4: a body that cannot be read twice turned a 503 into an InvalidOperationException.</summary>
    [Fact]
    public async Task A_one_shot_body_keeps_the_answer_that_its_only_attempt_got()
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, 503));
        HttpContent[] contents =
        [
            new StreamContent(new OneWayStream("pay"u8.ToArray())),
            new MultipartFormDataContent { { new StringContent("a"), "a" }, { new StreamContent(new OneWayStream("pay"u8.ToArray())), "b" } },
        ];
        foreach (HttpContent content in contents)
        {
            int before = server.Count;
            using HttpRequestMessage request = new(HttpMethod.Put, server.Address) { Content = content };
            using HttpResponseMessage response = await Client().SendAsync(request.WithResilience(o => o.ReplayBufferBytes = 2));
            response.StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
            server.Count.Should().Be(before + 1);
        }

        Encoding.ASCII.GetString(server.Requests[0].Body).Should().Be("pay");
    }

    /// <summary>Section 0.6 and 1.4: clones lost <see cref="HttpRequestMessage.VersionPolicy"/>, and HTTP/2 without TLS fell back to HTTP/1.1.</summary>
    [Fact]
    public async Task Each_attempt_keeps_version_and_version_policy()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n < 3 ? 503 : 200), HttpProtocols.Http2);
        using HttpRequestMessage request = new(HttpMethod.Get, server.Address)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        (await Client().SendAsync(request)).StatusCode.Should().Be(HttpStatusCode.OK);
        server.Requests.Select(r => r.Protocol).Should().Equal(Enumerable.Repeat("HTTP/2", 4));
    }

    /// <summary>6167: the same message was sent again, and headers that inner handlers add piled up.</summary>
    [Fact]
    public async Task Headers_that_an_inner_handler_adds_arrive_once_on_each_attempt()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n < 3 ? 503 : 200));
        HttpClient client = HttpKit.Client(HttpKit.Standard(_time), new Signing { InnerHandler = new SocketsHttpHandler() });
        (await client.GetAsync(server.Address)).StatusCode.Should().Be(HttpStatusCode.OK);
        server.Requests.Select(r => r.Headers["X-Signature"]).Should().Equal("signed", "signed", "signed", "signed");
    }

    /// <summary>6071: bodies that broke off were neither retried nor counted, because they are read after the pipeline has ended.</summary>
    [Fact]
    public async Task A_body_that_breaks_off_is_retried_and_counted_when_bodies_are_buffered()
    {
        await using WireServer server = await WireServer.StartAsync(
            (n, c) => n < 2 ? WireServer.HalfAsync(c, Task.CompletedTask) : c.Response.WriteAsync("whole"));
        HttpResilience resilience = HttpKit.Standard(_time, o => o.BufferResponses = true);
        using HttpResponseMessage response = await HttpKit.Client(resilience, new SocketsHttpHandler()).GetAsync(server.Address);
        (await response.Content.ReadAsStringAsync()).Should().Be("whole");
        HttpAttempts.Of(response).Select(a => a.Error is null).Should().Equal(false, false, true);
    }

    /// <summary>7701: a Retry-After beyond the total timeout was waited for until the timeout killed the call, and the answer was lost.</summary>
    [Fact]
    public async Task A_retry_after_that_the_deadline_does_not_allow_gives_the_answer_at_once()
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => BusyAsync(c, "31"));
        using HttpResponseMessage response = await Client().GetAsync(server.Address).WaitAsync(Patience);
        response.StatusCode.Should().Be(HttpStatusCode.TooManyRequests);
        response.Headers.RetryAfter!.Delta.Should().Be(TimeSpan.FromSeconds(31));
        (await response.Content.ReadAsStringAsync()).Should().Be("busy");
        server.Count.Should().Be(1);
    }

    /// <summary>7001: the retry came up to 11 ms before the time that Retry-After gave. Section 1.5: the date was read off the system's clock.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Retry_after_is_waited_for_to_the_end_on_the_injected_clock_in_both_forms(bool isDate)
    {
        string value = isDate ? _time.GetUtcNow().AddSeconds(12).ToString("R") : "12";
        await using WireServer server = await WireServer.StartAsync((n, c) =>
        {
            c.Response.Headers.Date = _time.GetUtcNow().ToString("R"); // the server and we have one clock
            return n == 0 ? BusyAsync(c, value) : c.Response.WriteAsync("ready");
        });
        Task waits = _time.NewTimerAsync(TimeSpan.FromSeconds(12));
        Task<string> running = Client(o => o.Retry!.RetryAfterJitter = 0).GetStringAsync(server.Address);
        await waits.WaitAsync(Patience);
        _time.Advance(TimeSpan.FromMilliseconds(11_999));
        running.IsCompleted.Should().BeFalse();
        server.Count.Should().Be(1);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        (await running.WaitAsync(Patience)).Should().Be("ready");
    }

    /// <summary>Section 0.6 and 1.5: nothing bounded Retry-After, MaxDelay was passed over.</summary>
    [Fact]
    public async Task Retry_after_is_bounded_by_an_option_of_its_own()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => n == 0 ? BusyAsync(c, "20") : c.Response.WriteAsync("ready"));
        using HttpResponseMessage response = await Client(o => o.Retry!.MaxRetryAfter = TimeSpan.FromSeconds(2)).GetAsync(server.Address);
        response.Headers.RetryAfter!.Delta.Should().Be(TimeSpan.FromSeconds(20));
        server.Count.Should().Be(1);
    }

    /// <summary>4912: one turn of a FakeTimeProvider did not reach the wait between attempts.</summary>
    [Fact]
    public async Task One_turn_of_a_fake_clock_ends_the_wait_between_attempts()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n == 0 ? 503 : 200));
        Task waits = _time.NewTimerAsync(TimeSpan.FromSeconds(3));
        Task<HttpResponseMessage> running = Client(o =>
        {
            o.Retry!.BackoffKind = BackoffKind.Constant;
            o.Retry.Jitter = BackoffJitter.None;
            o.Retry.BaseDelay = o.Retry.MaxDelay = TimeSpan.FromSeconds(3);
            o.AttemptTimeout = TimeSpan.FromSeconds(5);
        }).GetAsync(server.Address);
        await waits.WaitAsync(Patience);
        _time.Advance(TimeSpan.FromSeconds(3));
        (await running.WaitAsync(Patience)).StatusCode.Should().Be(HttpStatusCode.OK);
    }

    /// <summary>5048: timeouts could not be sized for one request.</summary>
    [Fact]
    public async Task A_request_can_have_times_of_its_own()
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.StallAsync(c));
        using HttpRequestMessage request = new(HttpMethod.Get, server.Address);
        request.WithResilience(o => (o.TotalTimeout, o.AttemptTimeout) = (TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(9)));
        Task<HttpResponseMessage> running = Client().SendAsync(request);
        await server.WaitForAsync(1);
        _time.Advance(TimeSpan.FromMinutes(8));
        running.IsCompleted.Should().BeFalse();
        _time.Advance(TimeSpan.FromMinutes(1));
        await server.WaitForAsync(2);
        _time.Advance(TimeSpan.FromMinutes(1));
        await FluentActions.Awaiting(() => running.WaitAsync(Patience)).Should().ThrowAsync<HttpResilienceException>();
    }

    /// <summary>aspire 9419 and 4631: answers of language models, which talk for long, were cut after ten seconds.</summary>
    [Fact]
    public async Task An_answer_that_streams_for_an_hour_is_not_cut()
    {
        Channel<string> words = Channel.CreateUnbounded<string>();
        await using WireServer server = await WireServer.StartAsync(async (_, c) =>
        {
            await c.Response.Body.FlushAsync();
            await foreach (string word in words.Reader.ReadAllAsync(c.RequestAborted))
            {
                await c.Response.WriteAsync(word + "\n");
                await c.Response.Body.FlushAsync();
            }
        });
        using HttpResponseMessage response = await Client().GetAsync(server.Address, HttpCompletionOption.ResponseHeadersRead);
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync());
        for (int i = 0; i < 4; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(20));
            words.Writer.TryWrite($"word {i}");
            (await reader.ReadLineAsync().WaitAsync(Patience)).Should().Be($"word {i}");
        }

        words.Writer.Complete();
    }

    /// <summary>5236: the synchronous Send went past the handler.</summary>
    [Fact]
    public async Task Send_is_retried_as_well_as_send_async()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n < 2 ? 503 : 200));
        using HttpRequestMessage request = new(HttpMethod.Get, server.Address);
        (await Task.Run(() => Client().Send(request))).StatusCode.Should().Be(HttpStatusCode.OK);
        server.Count.Should().Be(3);
    }

    /// <summary>7686: retries multiplied the load of a server that was down; a budget was asked for.</summary>
    [Fact]
    public async Task A_budget_holds_retries_to_a_fifth_of_the_calls_while_everything_fails()
    {
        await using WireServer server = await WireServer.StartAsync((_, c) => WireServer.Status(c, 503));
        HttpClient client = Client(o =>
        {
            o.CircuitBreaker = null;
            o.Retry!.BudgetOptions = new() { Ratio = 0.2, MinRetriesPerSecond = 0 };
        });
        for (int i = 0; i < 100; i++) (await client.GetAsync(server.Address)).StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
        server.Count.Should().BeInRange(110, 120);
    }

    /// <summary>4923: resilience did not know the status codes of gRPC, which come with 200.</summary>
    [Fact]
    public async Task A_classifier_can_be_taught_the_status_of_grpc()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) =>
        {
            c.Response.Headers["grpc-status"] = n < 2 ? "14" : "0"; // an answer without messages has its status among the headers
            return Task.CompletedTask;
        });
        HttpResilience resilience = HttpResilience.Custom(builder =>
        {
            builder.Classifier = OutcomeClassifier.Default.OnResult<HttpResponseMessage>(static r =>
                r.Headers.TryGetValues("grpc-status", out IEnumerable<string>? status) ? status.First() == "14" ? Verdict.Failure : Verdict.Success : null);
            builder.AddRetry(o => o.BaseDelay = o.MaxDelay = TimeSpan.Zero);
        });
        using HttpResponseMessage response = await HttpKit.Client(resilience, new SocketsHttpHandler()).GetAsync(server.Address);
        response.Headers.GetValues("grpc-status").Should().Equal("0");
        server.Count.Should().Be(3);
    }

    private static Task BusyAsync(HttpContext context, string retryAfter)
    {
        context.Response.StatusCode = 429;
        context.Response.Headers.RetryAfter = retryAfter;
        return context.Response.WriteAsync("busy");
    }

    private sealed class Signing : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            request.Headers.Add("X-Signature", "signed");
            return base.SendAsync(request, cancellationToken);
        }
    }

    /// <summary>A stream that goes forward only.</summary>
    private sealed class OneWayStream(byte[] bytes) : MemoryStream(bytes)
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
