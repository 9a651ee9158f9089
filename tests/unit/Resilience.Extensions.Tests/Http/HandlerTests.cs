using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http;

/// <summary>What the handler repeats, what it sends, and what callers get; over a network in memory.</summary>
public sealed class HandlerTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<ResilienceEvent> _events = [];

    private (HttpClient Client, HttpResilience Resilience) Client(ScriptedHandler network, Action<StandardResilienceOptions>? configure = null)
    {
        HttpResilience resilience = HttpKit.Standard(_time, configure, _events.Add);
        return (HttpKit.Client(resilience, network), resilience);
    }

    [Theory]
    [InlineData(200, 1)]
    [InlineData(304, 1)]
    [InlineData(400, 1)]
    [InlineData(401, 1)]
    [InlineData(404, 1)]
    [InlineData(408, 4)]
    [InlineData(409, 1)]
    [InlineData(421, 1)]
    [InlineData(425, 1)]
    [InlineData(429, 4)]
    [InlineData(500, 4)]
    [InlineData(501, 1)]
    [InlineData(502, 4)]
    [InlineData(503, 4)]
    [InlineData(504, 4)]
    [InlineData(505, 1)]
    [InlineData(511, 1)]
    [InlineData(599, 4)]
    public async Task A_get_is_attempted_as_often_as_its_status_deserves_and_the_last_answer_is_returned(int status, int attempts)
    {
        ScriptedHandler network = new((HttpStatusCode)status);
        using HttpResponseMessage response = await Client(network).Client.GetAsync(HttpKit.Address);
        ((int)response.StatusCode).Should().Be(status);
        network.Count.Should().Be(attempts);
        network.Responses.Cast<TrackedResponse>().Count(r => !r.IsDisposed).Should().Be(1, "all answers but the last are thrown away");
        HttpAttempts.Of(response).Count.Should().Be(attempts == 1 ? 0 : attempts);
    }

    [Theory]
    [InlineData(HttpRequestError.NameResolutionError, 4, 4)]
    [InlineData(HttpRequestError.ConnectionError, 4, 4)]
    [InlineData(HttpRequestError.ProxyTunnelError, 4, 4)]
    [InlineData(HttpRequestError.ResponseEnded, 4, 1)]
    [InlineData(HttpRequestError.InvalidResponse, 4, 1)]
    [InlineData(HttpRequestError.HttpProtocolError, 4, 1)]
    [InlineData(HttpRequestError.UserAuthenticationError, 1, 1)]
    [InlineData(HttpRequestError.ConfigurationLimitExceeded, 1, 1)]
    [InlineData(HttpRequestError.VersionNegotiationError, 1, 1)]
    [InlineData(HttpRequestError.ExtendedConnectNotSupported, 1, 1)]
    public async Task Errors_of_the_network_are_repeated_if_they_may_pass_and_an_unkeyed_post_only_if_nothing_was_sent(
        HttpRequestError error, int gets, int posts)
    {
        ScriptedHandler network = new((_, _, _) => throw new HttpRequestException(error)) { ReadsBodies = false };
        HttpClient client = Client(network).Client;
        HttpRequestException thrown = (await client.Invoking(c => c.GetAsync(HttpKit.Address)).Should().ThrowAsync<HttpRequestException>()).Which;
        thrown.HttpRequestError.Should().Be(error);
        HttpAttempts.Of(thrown).Select(a => a.Error).Should().Equal(Enumerable.Repeat(error.ToString(), gets));
        network.Count.Should().Be(gets);
        string name = string.Concat(error.ToString().Select((c, i) => char.IsUpper(c) && i > 0 ? $"_{c}" : $"{c}")).ToLowerInvariant();
        _events.OfType<RetryScheduled>().Count(e => e.Reason == name).Should().Be(gets - 1, "as the framework's own metrics name it");

        await client.Invoking(c => c.PostAsync(HttpKit.Address, new StringContent("x"))).Should().ThrowAsync<HttpRequestException>();
        (network.Count - gets).Should().Be(posts);
    }

    [Fact]
    public async Task A_certificate_that_does_not_fit_is_never_retried_but_a_handshake_that_was_cut_off_is_even_for_a_post()
    {
        Exception? inner = new AuthenticationException("the name does not match");
        ScriptedHandler network = new((_, _, _) => throw new HttpRequestException(HttpRequestError.SecureConnectionError, "tls",
            inner))
        { ReadsBodies = false };
        HttpClient client = Client(network).Client;
        await client.Invoking(c => c.GetAsync(HttpKit.Address)).Should().ThrowAsync<HttpRequestException>();
        network.Count.Should().Be(1);
        inner = new IOException("reset");
        await client.Invoking(c => c.PostAsync(HttpKit.Address, new StringContent("x"))).Should().ThrowAsync<HttpRequestException>();
        network.Count.Should().Be(5);
    }

    [Fact]
    public async Task A_connect_timeout_is_retried_even_for_a_post_and_an_inner_clients_timeout_is_not_taken_for_one()
    {
        Exception error = new TaskCanceledException("connect", new TimeoutException("connect"));
        ScriptedHandler network = new((_, _, _) => throw error) { ReadsBodies = false };
        HttpClient client = Client(network).Client;
        await client.Invoking(c => c.PostAsync(HttpKit.Address, new StringContent("x"))).Should().ThrowAsync<OperationCanceledException>();
        network.Count.Should().Be(4);
        error = new TaskCanceledException("client", new TimeoutException("client", new TaskCanceledException()));
        await client.Invoking(c => c.PostAsync(HttpKit.Address, new StringContent("x"))).Should().ThrowAsync<OperationCanceledException>();
        network.Count.Should().Be(5);
    }

    [Theory]
    [InlineData("GET", 4)]
    [InlineData("HEAD", 4)]
    [InlineData("OPTIONS", 4)]
    [InlineData("TRACE", 4)]
    [InlineData("PUT", 4)]
    [InlineData("DELETE", 4)]
    [InlineData("QUERY", 4)]
    [InlineData("POST", 1)]
    [InlineData("PATCH", 1)]
    [InlineData("CHARGE", 1)]
    public async Task Methods_that_are_not_idempotent_are_sent_once_unless_they_carry_a_key(string method, int attempts)
    {
        ScriptedHandler network = new(HttpStatusCode.ServiceUnavailable);
        HttpClient client = Client(network).Client;
        (await client.SendAsync(HttpKit.Request(new(method)))).StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
        network.Count.Should().Be(attempts);
        if (attempts == 1) _events.OfType<RetryStopped>().Single().Detail.Should().Be($"{method} without Idempotency-Key is not repeated");

        HttpRequestMessage keyed = HttpKit.Request(new(method));
        keyed.Headers.Add("Idempotency-Key", "k1");
        await client.SendAsync(keyed);
        network.Count.Should().Be(attempts + 4);
    }

    [Fact]
    public async Task The_request_itself_can_say_that_it_may_or_must_not_be_repeated_and_how_often()
    {
        ScriptedHandler network = new(HttpStatusCode.ServiceUnavailable);
        HttpClient client = Client(network).Client;
        await client.SendAsync(HttpKit.Request(HttpMethod.Post).WithResilience(o => o.IsRepeatable = true));
        network.Count.Should().Be(4);
        await client.SendAsync(HttpKit.Request(HttpMethod.Get).WithResilience(o => o.IsRepeatable = false));
        network.Count.Should().Be(5);
        await client.SendAsync(HttpKit.Request(HttpMethod.Get).WithResilience(o => o.MaxRetries = 1));
        network.Count.Should().Be(7);
        await client.SendAsync(HttpKit.Request(HttpMethod.Get).WithResilience(o => o.MaxRetries = 10));
        network.Count.Should().Be(11, "a request can lower the number only");
        await client.SendAsync(HttpKit.Request(HttpMethod.Get).WithResilience(o => o.DisableResilience = true));
        network.Count.Should().Be(12);
    }

    [Fact]
    public async Task Each_attempt_is_a_fresh_message_so_headers_of_inner_handlers_do_not_pile_up_and_nothing_is_lost()
    {
        HttpRequestOptionsKey<string> key = new("mine");
        ScriptedHandler network = new((n, request) =>
        {
            request.Headers.Contains("X-Inner").Should().BeFalse();
            request.Headers.Add("X-Inner", "1");
            request.Options.TryGetValue(key, out string? mine).Should().BeTrue();
            mine.Should().Be("kept");
            return new(n < 2 ? HttpStatusCode.BadGateway : HttpStatusCode.OK);
        });
        HttpRequestMessage mine = new(HttpMethod.Put, HttpKit.Address)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new StringContent("body"),
        };
        mine.Headers.Add("X-Several", ["a", "b"]);
        mine.Headers.TryAddWithoutValidation("Authorization", "odd token");
        mine.Options.Set(key, "kept");
        using HttpResponseMessage response = await Client(network).Client.SendAsync(mine);

        response.StatusCode.Should().Be(HttpStatusCode.OK);
        network.Requests.Should().HaveCount(3).And.OnlyContain(r =>
            r.Method == HttpMethod.Put && r.Version == HttpVersion.Version20 && r.VersionPolicy == HttpVersionPolicy.RequestVersionExact && r.Body == "body"
            && r.Headers["X-Several"] == "a,b" && r.Headers["Authorization"] == "odd token" && !ReferenceEquals(r.Message, mine));
        network.Requests.Select(r => r.Message).Distinct().Should().HaveCount(3);
        mine.Headers.Contains("X-Inner").Should().BeFalse();
        (await mine.Content.ReadAsStringAsync()).Should().Be("body", "the caller's content is not disposed of");
        HttpAttempts.Of(response).Select(a => a.Status).Should().Equal(HttpStatusCode.BadGateway, HttpStatusCode.BadGateway, HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_stream_that_cannot_be_rewound_is_sent_once_and_the_first_answer_is_not_hidden()
    {
        ScriptedHandler network = new(HttpStatusCode.ServiceUnavailable);
        HttpClient client = Client(network, o => o.ReplayBufferBytes = 2).Client;
        using HttpResponseMessage response = await client.SendAsync(HttpKit.Request(HttpMethod.Put, new StreamContent(new OneWay("abc"))));
        response.StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
        network.Count.Should().Be(1);
        _events.OfType<RetryStopped>().Single().Detail.Should().Be("its content can be sent only once");
    }

    [Fact]
    public async Task A_stream_that_was_not_begun_is_sent_again()
    {
        int connects = 0;
        ScriptedHandler network = new(HttpStatusCode.OK);
        Connecting connecting = new(network, () => ++connects < 3);
        HttpClient client = HttpKit.Client(HttpKit.Standard(_time), connecting);
        using HttpResponseMessage response = await client.SendAsync(HttpKit.Request(HttpMethod.Post, new StreamContent(new OneWay("abc"))));
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        connects.Should().Be(3);
        network.Requests.Should().ContainSingle().Which.Body.Should().Be("abc");
    }

    [Fact]
    public async Task What_can_be_replayed_is_replayed_whole()
    {
        HttpContent[] contents =
        [
            new StringContent("abc"),
            new ByteArrayContent("abc"u8.ToArray()),
            new ReadOnlyMemoryContent("abc"u8.ToArray()),
            System.Net.Http.Json.JsonContent.Create("abc"),
            new FormUrlEncodedContent([new("a", "b")]),
            new StreamContent(new MemoryStream("abc"u8.ToArray())),
            new MultipartFormDataContent("frontier") { { new StringContent("abc"), "a" }, { new StreamContent(new MemoryStream([65])), "b" } },
        ];
        foreach (HttpContent content in contents)
        {
            ScriptedHandler network = new(HttpStatusCode.BadGateway, HttpStatusCode.OK);
            HttpClient client = Client(network).Client;
            (await client.SendAsync(HttpKit.Request(HttpMethod.Put, content))).StatusCode.Should().Be(HttpStatusCode.OK, content.GetType().Name);
            network.Requests.Select(r => r.Body).Distinct().Should().ContainSingle().Which.Should().NotBeEmpty();
        }
    }

    [Theory]
    [InlineData(2, 1)]
    [InlineData(3, 4)]
    [InlineData(100, 4)]
    public async Task A_one_shot_body_that_fits_is_read_into_memory_when_that_was_asked_for(int max, int attempts)
    {
        ScriptedHandler network = new(HttpStatusCode.BadGateway);
        HttpClient client = Client(network, o => (o.BufferRequestBytes, o.ReplayBufferBytes) = (max, 0)).Client;
        StreamContent content = new(new OneWay("abc"));
        content.Headers.ContentType = new MediaTypeHeaderValue("text/plain");
        await client.SendAsync(HttpKit.Request(HttpMethod.Put, content));
        network.Requests.Should().HaveCount(attempts).And.OnlyContain(r => r.Body == "abc");
    }

    [Fact]
    public async Task Retry_after_is_honored_in_both_forms_on_the_injected_clock_and_never_early()
    {
        foreach (bool isDate in new[] { false, true })
        {
            WatchedTime time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
            Task hasBegun = time.NewTimerAsync(TimeSpan.FromSeconds(12));
            ScriptedHandler network = new((n, _) =>
            {
                TrackedResponse response = new(n == 0 ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK);
                response.Headers.RetryAfter = isDate ? new(time.GetUtcNow().AddSeconds(12)) : new(TimeSpan.FromSeconds(12));
                return response;
            });
            Task<HttpResponseMessage> running = HttpKit.Client(HttpKit.Standard(time, o => o.Retry!.RetryAfterJitter = 0), network).GetAsync(HttpKit.Address);
            await hasBegun.WaitAsync(TimeSpan.FromSeconds(30));
            time.Advance(TimeSpan.FromMilliseconds(11_999));
            network.Count.Should().Be(1);
            running.IsCompleted.Should().BeFalse();
            time.Advance(TimeSpan.FromMilliseconds(1));
            (await running.WaitAsync(TimeSpan.FromSeconds(30))).StatusCode.Should().Be(HttpStatusCode.OK);
            network.Count.Should().Be(2);
        }
    }

    [Fact]
    public async Task A_retry_after_beyond_the_deadline_is_not_waited_for_and_the_real_answer_is_returned()
    {
        ScriptedHandler network = new((_, _) =>
        {
            TrackedResponse response = new(HttpStatusCode.TooManyRequests, "slow down");
            response.Headers.RetryAfter = new(TimeSpan.FromSeconds(40));
            return response;
        });
        using HttpResponseMessage response = await Client(network).Client.GetAsync(HttpKit.Address);
        response.StatusCode.Should().Be(HttpStatusCode.TooManyRequests);
        (await response.Content.ReadAsStringAsync()).Should().Be("slow down");
        _events.OfType<RetryStopped>().Single().Cause.Should().Be(RetryStopReason.Deadline);
    }

    /// <summary>Ten minutes asked, one allowed: cut to it, they were requests at 0, 60, 120 and 180 s.</summary>
    [Fact]
    public async Task A_retry_after_beyond_the_longest_wait_allowed_ends_the_call_with_the_response()
    {
        ScriptedHandler network = new((_, _) =>
        {
            TrackedResponse response = new(HttpStatusCode.ServiceUnavailable, "in ten minutes");
            response.Headers.RetryAfter = new(TimeSpan.FromMinutes(10));
            return response;
        });
        using HttpResponseMessage response = await Client(network, o => o.TotalTimeout = TimeSpan.FromMinutes(5)).Client.GetAsync(HttpKit.Address);
        response.StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
        (await response.Content.ReadAsStringAsync()).Should().Be("in ten minutes");
        network.Count.Should().Be(1);
        RetryStopped stopped = _events.OfType<RetryStopped>().Single();
        stopped.Cause.Should().Be(RetryStopReason.RetryAfter);
        stopped.Explanation.Should().Contain("a wait of 10 min was asked for, and MaxRetryAfter allows 60 s");
    }

    /// <summary>40 clients that were told "1" came back within 6 ms.</summary>
    [Fact]
    public async Task Clients_with_the_same_retry_after_come_back_apart_and_never_early()
    {
        ScriptedHandler network = new((_, _) =>
        {
            TrackedResponse response = new(HttpStatusCode.TooManyRequests);
            response.Headers.RetryAfter = new(TimeSpan.FromSeconds(1));
            return response;
        });
        TaskCompletionSource all = new();
        int waiting = 0;
        HttpResilience resilience = HttpResilience.Standard(new() { CircuitBreaker = null }, "shop", b =>
        {
            b.TimeProvider = _time;
            b.Randomness = Randomness.Seeded(40);
            b.OnEvent(e =>
            {
                lock (_events) _events.Add(e);
                if (e is RetryScheduled && Interlocked.Increment(ref waiting) == 40) all.TrySetResult();
            });
        });
        HttpClient client = HttpKit.Client(resilience, network);
        using CancellationTokenSource end = new();
        Task[] calls = [.. Enumerable.Range(0, 40).Select(_ => client.GetAsync(HttpKit.Address, end.Token))];
        await all.Task.WaitAsync(TimeSpan.FromSeconds(60));
        TimeSpan[] waits;
        lock (_events) waits = [.. _events.OfType<RetryScheduled>().Select(e => e.Delay)];
        waits.Should().OnlyContain(w => w >= TimeSpan.FromSeconds(1) && w <= TimeSpan.FromMilliseconds(1200));
        (waits.Max() - waits.Min()).Should().BeGreaterThan(TimeSpan.FromMilliseconds(150));
        for (int tenth = 0; tenth < 4; tenth++)
            waits.Count(w => w >= TimeSpan.FromMilliseconds(1000 + (tenth * 50)) && w <= TimeSpan.FromMilliseconds(1050 + (tenth * 50)))
                .Should().BeLessThan(25);
        await end.CancelAsync();
        await Task.WhenAll(calls).ContinueWith(_ => { }, TaskScheduler.Default);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("Sat, 28 Feb 1998 23:00:00 GMT")]
    public async Task A_retry_after_of_zero_or_of_the_past_leaves_the_wait_to_the_backoff(string said)
    {
        ScriptedHandler network = new((n, _) =>
        {
            TrackedResponse response = new(n == 0 ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK);
            response.Headers.TryAddWithoutValidation("Retry-After", said);
            return response;
        });
        TaskCompletionSource<RetryScheduled> scheduled = new();
        StandardResilienceOptions options = new() { Retry = new() { Jitter = BackoffJitter.None } };
        HttpResilience resilience = HttpResilience.Standard(options, "shop", b =>
        {
            b.TimeProvider = _time;
            b.OnEvent(e =>
            {
                if (e is RetryScheduled one) scheduled.TrySetResult(one);
            });
        });
        using CancellationTokenSource end = new();
        Task<HttpResponseMessage> call = HttpKit.Client(resilience, network).GetAsync(HttpKit.Address, end.Token);
        RetryScheduled wait = await scheduled.Task.WaitAsync(TimeSpan.FromSeconds(60));
        (wait.Delay, wait.AskedFor).Should().Be((TimeSpan.FromMilliseconds(200), false));
        await end.CancelAsync();
        await call.ContinueWith(_ => { }, TaskScheduler.Default);
    }

    [Fact]
    public async Task A_request_can_have_times_of_its_own()
    {
        foreach ((HttpRequestMessage request, double seconds, string policy) in new[]
        {
            (HttpKit.Request(HttpMethod.Get).WithResilience(o => (o.AttemptTimeout, o.MaxRetries) = (TimeSpan.FromSeconds(20), 0)), 20.0, "attempt-timeout"),
            (HttpKit.Request(HttpMethod.Get).WithResilience(o => o.TotalTimeout = TimeSpan.FromSeconds(3)), 3.0, "total-timeout"),
        })
        {
            TaskCompletionSource begun = new();
            ScriptedHandler network = new(async (_, _, token) =>
            {
                begun.TrySetResult();
                await Task.Delay(Timeout.Infinite, token);
                return new();
            });
            Task<HttpResponseMessage> running = Client(network).Client.SendAsync(request);
            await begun.Task.WaitAsync(TimeSpan.FromSeconds(30));
            _time.Advance(TimeSpan.FromSeconds(seconds - 0.5));
            running.IsCompleted.Should().BeFalse();
            _time.Advance(TimeSpan.FromSeconds(0.5));
            (await FluentActions.Awaiting(() => running.WaitAsync(TimeSpan.FromSeconds(30))).Should().ThrowAsync<HttpResilienceException>())
                .WithInnerException<TimedOutException>().Which.PolicyName.Should().Be(policy);
        }
    }

    [Theory]
    [InlineData("soon")]
    [InlineData("-5")]
    [InlineData("99999 years")]
    [InlineData("Mon, 99 Foo 2026 00:00:00 GMT")]
    public async Task Garbage_in_retry_after_is_passed_over(string value)
    {
        ScriptedHandler network = new((n, _) =>
        {
            TrackedResponse response = new(n == 0 ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK);
            response.Headers.TryAddWithoutValidation("Retry-After", value);
            return response;
        });
        (await Client(network).Client.GetAsync(HttpKit.Address)).StatusCode.Should().Be(HttpStatusCode.OK);
    }

    [Fact]
    public async Task An_open_circuit_reaches_callers_as_an_http_request_exception_with_the_rejection_and_the_time_to_come_back()
    {
        ScriptedHandler network = new(HttpStatusCode.InternalServerError);
        (HttpClient client, HttpResilience resilience) = Client(network, o =>
        {
            o.Retry = null;
            o.CircuitBreaker = new() { ConsecutiveFailures = 2, BreakJitter = 0 };
        });
        await client.GetAsync(HttpKit.Address);
        await client.GetAsync(HttpKit.Address);
        HttpResilienceException rejected = (await client.Invoking(c => c.GetAsync(HttpKit.Address)).Should().ThrowAsync<HttpResilienceException>()).Which;
        rejected.Rejection.Should().BeOfType<CircuitRejection>();
        rejected.RetryAfter.Should().Be(TimeSpan.FromSeconds(5));
        rejected.Attempts.Should().BeEmpty();
        rejected.Message.Should().StartWith("GET https://api.example.test: shop/https://api.example.test/circuit-breaker: the circuit has been open")
            .And.EndWith("(nothing was sent)");
        network.Count.Should().Be(2);

        resilience.For(HttpKit.Address).CircuitBreaker!.State.Should().Be(CircuitState.Open);
        resilience.For(HttpKit.Address).CircuitBreaker!.Close();
        network.Count.Should().Be(2);
        await client.GetAsync(HttpKit.Address);
        network.Count.Should().Be(3);

        OutcomeClassifier.Default.Classify(rejected, callCancelled: false).Should().Be(Verdict.Rejected, "a pipeline around the client understands it");
    }

    [Fact]
    public async Task A_timeout_reaches_callers_as_an_http_request_exception_with_the_history()
    {
        TaskCompletionSource[] begun = [.. Enumerable.Range(0, 4).Select(_ => new TaskCompletionSource())];
        ScriptedHandler network = new(async (n, _, token) =>
        {
            begun[n].SetResult();
            await Task.Delay(Timeout.Infinite, token);
            throw new InvalidOperationException("cannot be");
        });
        Task<HttpResponseMessage> running = Client(network).Client.GetAsync(HttpKit.Address);
        foreach (TaskCompletionSource one in begun)
        {
            await one.Task.WaitAsync(TimeSpan.FromSeconds(30));
            _time.Advance(TimeSpan.FromSeconds(7));
        }

        HttpResilienceException thrown = (await FluentActions.Awaiting(() => running).Should().ThrowAsync<HttpResilienceException>()).Which;
        thrown.IsTimeout.Should().BeTrue();
        thrown.Attempts.Should().HaveCount(4).And.OnlyContain(a => a.Error == "timeout" && a.Elapsed == TimeSpan.FromSeconds(7));
        thrown.Message.Should().Contain("4 attempts: timeout after 7 s; ");
    }

    [Fact]
    public async Task The_callers_own_cancellation_stays_a_cancellation()
    {
        using CancellationTokenSource stop = new();
        ScriptedHandler network = new(async (_, _, token) =>
        {
            await stop.CancelAsync();
            token.ThrowIfCancellationRequested();
            return new();
        });
        await Client(network).Client.Invoking(c => c.GetAsync(HttpKit.Address, stop.Token)).Should().ThrowAsync<OperationCanceledException>();
        network.Count.Should().Be(1);
    }

    [Fact]
    public void The_defaults_can_be_used_up_and_draw_no_warning()
    {
        HttpResilience resilience = HttpResilience.Standard();
        resilience.Describe().Warnings.Should().BeEmpty();
        resilience.Describe().Policies.Select(p => p.Name).Should().Equal("total-timeout", "retry", "circuit-breaker", "attempt-timeout");
    }

    [Fact]
    public void Times_that_contradict_and_options_out_of_range_are_errors_with_everything_in_one_message()
    {
        FluentActions.Invoking(() => HttpResilience.Standard(new() { AttemptTimeout = TimeSpan.FromSeconds(30) }))
            .Should().Throw<ResiliencePipelineException>().WithMessage("*RES007*");
        HttpResilience.Standard(new() { AttemptTimeout = TimeSpan.FromSeconds(10) }).Describe().Warnings.Should().ContainSingle()
            .Which.Code.Should().Be("RES008");
        StandardResilienceOptions meant = new() { AttemptTimeout = TimeSpan.FromSeconds(10) };
        meant.AcceptedWarnings.Add("RES008");
        HttpResilience.Standard(meant).Describe().Warnings.Should().BeEmpty();

        StandardResilienceOptions wrong = new() { TotalTimeout = TimeSpan.Zero, MaxAuthorities = 0, DeadlineHeader = "a b" };
        wrong.Retry!.MaxRetries = -7;
        FluentActions.Invoking(() => HttpResilience.Standard(wrong)).Should().Throw<ResilienceOptionsException>()
            .Which.Problems.Select(p => p.Option).Should().Equal("TotalTimeout", "Retry.MaxRetries", "MaxAuthorities", "DeadlineHeader");
    }

    [Fact]
    public async Task Synchronous_sends_are_retried_too()
    {
        ScriptedHandler network = new(HttpStatusCode.BadGateway, HttpStatusCode.OK);
        HttpClient client = Client(network).Client;
        using HttpResponseMessage response = client.Send(HttpKit.Request(HttpMethod.Put, new StringContent("x")));
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        network.Requests.Should().HaveCount(2).And.OnlyContain(r => r.Body == "x");
        await Task.CompletedTask;
    }

    /// <summary>On the real clock, because the thread waits.</summary>
    [Fact]
    public void A_synchronous_send_makes_all_its_attempts_on_the_thread_of_the_caller()
    {
        HashSet<int> threads = [];
        ScriptedHandler network = new((n, _) =>
        {
            threads.Add(Environment.CurrentManagedThreadId);
            return new TrackedResponse(n < 2 ? HttpStatusCode.BadGateway : HttpStatusCode.OK, "paid");
        });
        HttpResilience resilience = HttpResilience.Standard(new()
        {
            Retry = new() { BaseDelay = TimeSpan.FromMilliseconds(2), MaxDelay = TimeSpan.FromMilliseconds(2), Jitter = BackoffJitter.None },
            BufferResponses = true,
        });
        using HttpClient client = new(new ResilienceHttpHandler(resilience, network));
        using HttpResponseMessage response = client.Send(HttpKit.Request(HttpMethod.Get));
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        network.Requests.Should().HaveCount(3);
        threads.Should().Equal(Environment.CurrentManagedThreadId);
    }

    [Fact]
    public async Task The_deadline_header_says_what_is_left_for_each_attempt()
    {
        ScriptedHandler network = new((n, _) =>
        {
            _time.Advance(TimeSpan.FromSeconds(n < 3 ? 8 : 0)); // longer than an attempt has, but the answer came
            return new(HttpStatusCode.BadGateway);
        });
        await Client(network, o => o.DeadlineHeader = "X-Deadline-Ms").Client.GetAsync(HttpKit.Address);
        network.Values("X-Deadline-Ms").Should().Equal("7000", "7000", "7000", "6000");
    }

    [Fact]
    public async Task Retries_stopped_by_the_budget_return_the_real_answer()
    {
        ScriptedHandler network = new(HttpStatusCode.BadGateway);
        HttpClient client = Client(network, o => o.Retry!.BudgetOptions = new() { Ratio = 0, MinRetriesPerSecond = 0 }).Client;
        (await client.GetAsync(HttpKit.Address)).StatusCode.Should().Be(HttpStatusCode.BadGateway);
        network.Count.Should().Be(1);
    }

    /// <summary>A stream that goes forward only.</summary>
    private sealed class OneWay(string text) : MemoryStream(System.Text.Encoding.ASCII.GetBytes(text))
    {
        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }
    }

    /// <summary>A transport that fails to connect, before the content is touched, as long as it is told to.</summary>
    private sealed class Connecting(HttpMessageHandler network, Func<bool> fails) : HttpMessageHandler
    {
        private readonly HttpMessageInvoker _network = new(network);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            fails() ? throw new HttpRequestException(HttpRequestError.ConnectionError) : _network.SendAsync(request, cancellationToken);

        protected override void Dispose(bool disposing)
        {
            if (disposing) _network.Dispose();
            base.Dispose(disposing);
        }
    }
}
