using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http.Wire;

/// <summary>What a real server receives when it answers badly, breaks off, or is silent.</summary>
public sealed class FaultsTests
{
    private readonly FakeTimeProvider _time = new(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly List<ResilienceEvent> _events = [];

    public static TheoryData<HttpProtocols> Versions => WireKit.Versions;

    public static TheoryData<HttpProtocols, int, int> Statuses
    {
        get
        {
            TheoryData<HttpProtocols, int, int> all = [];
            foreach (HttpProtocols version in (HttpProtocols[])[HttpProtocols.Http1, HttpProtocols.Http2])
            {
                foreach (int once in (int[])[200, 204, 304, 400, 401, 403, 404, 405, 409, 410, 412, 421, 422, 425, 431, 501, 505, 511]) all.Add(version, once, 1);
                foreach (int often in (int[])[408, 429, 500, 502, 503, 504, 507, 520, 599]) all.Add(version, often, 4);
            }

            return all;
        }
    }

    private HttpClient Client(Action<StandardResilienceOptions>? configure = null, HttpMessageHandler? network = null) =>
        HttpKit.Client(HttpKit.Standard(_time, configure, _events.Add), network ?? WireKit.Fresh());

    [Theory]
    [MemberData(nameof(Statuses))]
    public async Task The_server_receives_as_many_requests_as_its_status_deserves(HttpProtocols version, int status, int requests)
    {
        await using FaultyServer server = await FaultyServer.StartAsync(version, (HttpStatusCode)status);
        using HttpClient client = Client();
        using HttpResponseMessage response = await client.SendAsync(WireKit.Request(version, HttpMethod.Get, server.Address)).WaitAsync(WireKit.Limit);
        ((int)response.StatusCode).Should().Be(status);
        server.Requests.Should().HaveCount(requests).And.OnlyContain(r => r.Protocol == (version == HttpProtocols.Http2 ? "HTTP/2" : "HTTP/1.1"));
        await server.WhenIdleAsync();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_reset_before_the_headers_is_repeated(HttpProtocols version)
    {
        await using FaultyServer server = await FaultyServer.StartAsync(version, (n, context) => n < 2 ? FaultyServer.Abort(context) : Task.CompletedTask);
        using HttpClient client = Client();
        using HttpResponseMessage response = await client.SendAsync(WireKit.Request(version, HttpMethod.Get, server.Address)).WaitAsync(WireKit.Limit);
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        server.Count.Should().Be(3);
        HttpAttempts.Of(response).Should().HaveCount(3).And.Subject.Select(a => a.Status).Should().Equal(null, null, HttpStatusCode.OK);
    }

    [Theory]
    [InlineData(HttpProtocols.Http1, "GET", null, 4, 4)]
    [InlineData(HttpProtocols.Http2, "GET", null, 4, 4)]
    [InlineData(HttpProtocols.Http1, "POST", null, 1, 1)]
    [InlineData(HttpProtocols.Http2, "POST", null, 1, 1)]
    [InlineData(HttpProtocols.Http1, "POST", "k1", 4, 1)]
    [InlineData(HttpProtocols.Http2, "POST", "k1", 4, 1)]
    public async Task A_lost_reply_is_asked_for_again_only_where_that_does_no_harm(HttpProtocols version, string method, string? key, int requests, int deeds)
    {
        FaultyServer? server = null;
        await using (server = await FaultyServer.StartAsync(version, (_, context) => server!.LostReply(context)))
        {
            using HttpClient client = Client();
            HttpContent? content = method == "POST" ? new StringContent("ten euros") : null;
            Exception error = await WireKit.FailureOf(() => client.SendAsync(WireKit.Request(version, new(method), server.Address, content, key)));
            HttpAttempts.Of(error).Should().HaveCount(requests);
            server.Count.Should().Be(requests);
            server.Deeds.Should().Be(deeds);
            server.Requests.Select(r => r.Header("Idempotency-Key")).Distinct().Should().Equal(key);
            server.Requests.Should().OnlyContain(r => r.Text == (content == null ? "" : "ten euros"));
        }
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_keyed_post_whose_first_reply_was_lost_succeeds_with_one_deed(HttpProtocols version)
    {
        FaultyServer? server = null;
        await using (server = await FaultyServer.StartAsync(version, (n, context) =>
        {
            if (n == 0) return server!.LostReply(context);
            server!.Do(context);
            return context.Response.WriteAsync("done");
        }))
        {
            using HttpClient client = Client();
            HttpRequestMessage request = WireKit.Request(version, HttpMethod.Post, server.Address, new StringContent("ten euros"), "k1");
            using HttpResponseMessage response = await client.SendAsync(request).WaitAsync(WireKit.Limit);
            (await response.Content.ReadAsStringAsync()).Should().Be("done");
            (server.Count, server.Deeds).Should().Be((2, 1));
        }
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_stall_is_ended_by_the_attempt_timeout_and_the_server_notices_each_time(HttpProtocols version)
    {
        await using FaultyServer server = await FaultyServer.StartAsync(version, (_, context) => FaultyServer.Stall(context));
        using HttpClient client = Client();
        Task<HttpResponseMessage> running = client.SendAsync(WireKit.Request(version, HttpMethod.Get, server.Address));
        for (int i = 1; i <= 4; i++)
        {
            await server.WaitForAsync(i);
            running.IsCompleted.Should().BeFalse();
            _time.Advance(TimeSpan.FromSeconds(7));
        }

        HttpResilienceException error = (HttpResilienceException)await WireKit.FailureOf(() => running);
        error.IsTimeout.Should().BeTrue();
        error.Attempts.Should().HaveCount(4).And.OnlyContain(a => a.Error == "timeout" && a.Elapsed == TimeSpan.FromSeconds(7));
        server.Count.Should().Be(4);
        await server.WhenIdleAsync();
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task A_post_without_a_key_that_stalled_is_not_repeated(HttpProtocols version)
    {
        await using FaultyServer server = await FaultyServer.StartAsync(version, (_, context) => FaultyServer.Stall(context));
        using HttpClient client = Client();
        Task<HttpResponseMessage> running = client.SendAsync(WireKit.Request(version, HttpMethod.Post, server.Address, new StringContent("x")));
        await server.WaitForAsync(1);
        _time.Advance(TimeSpan.FromSeconds(7));
        ((HttpResilienceException)await WireKit.FailureOf(() => running)).IsTimeout.Should().BeTrue();
        await server.WhenIdleAsync();
        server.Count.Should().Be(1);
        _events.OfType<RetryDenied>().Single().Detail.Should().Be("POST without Idempotency-Key is not repeated");
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task The_caller_who_gives_up_is_told_so_and_the_server_notices(HttpProtocols version)
    {
        await using FaultyServer server = await FaultyServer.StartAsync(version, (_, context) => FaultyServer.Stall(context));
        using HttpClient client = Client();
        using CancellationTokenSource stop = new();
        Task<HttpResponseMessage> running = client.SendAsync(WireKit.Request(version, HttpMethod.Get, server.Address), stop.Token);
        await server.WaitForAsync(1);
        await stop.CancelAsync();
        (await WireKit.FailureOf(() => running)).Should().BeAssignableTo<OperationCanceledException>();
        await server.WhenIdleAsync();
        server.Count.Should().Be(1);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Slow_headers_that_come_in_time_are_an_answer(HttpProtocols version)
    {
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using FaultyServer server = await FaultyServer.StartAsync(version, (_, context) => FaultyServer.SlowHeaders(context, release.Task));
        using HttpClient client = Client();
        Task<HttpResponseMessage> running = client.SendAsync(WireKit.Request(version, HttpMethod.Get, server.Address));
        await server.WaitForAsync(1);
        _time.Advance(TimeSpan.FromMilliseconds(6_999));
        release.SetResult();
        using HttpResponseMessage response = await running.WaitAsync(WireKit.Limit);
        (await response.Content.ReadAsStringAsync()).Should().Be("late");
        server.Count.Should().Be(1);
    }
}
