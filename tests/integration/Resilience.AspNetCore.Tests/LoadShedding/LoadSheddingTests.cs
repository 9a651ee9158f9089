using System.Globalization;
using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Resilience.Events;

namespace Resilience.AspNetCore.Tests;

/// <summary>The middleware on a real server: what it rejects, what it answers, and what it leaves alone.</summary>
public sealed class LoadSheddingTests
{
    private static void Bound(LoadSheddingOptions options, int places, int queued = 0)
    {
        AdaptiveConcurrencyLimitOptions limit = options.Shedder.Limit;
        (limit.MinLimit, limit.InitialLimit, limit.QueueFollowsLimit, limit.MaxQueued) = (places, places, false, queued);
    }

    [Fact]
    public async Task What_finds_no_place_is_answered_with_a_problem_and_a_time_to_come_back()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(o => Bound(o, places: 4));
        Task<HttpResponseMessage>[] held = await server.HoldAsync(4);
        SheddingServer.Answer rejected = await server.GetAsync("/quick");
        (rejected.Status, rejected.ShouldRetry, rejected.Closes).Should().Be((503, null, false));
        rejected.RetryAfter.Should().BeInRange(1, 3);
        rejected.Text.Should().Be(
            """{"type":"urn:resilience:overload:overloaded","title":"The service is overloaded","status":503,"""
            + """ "detail":"Nothing was done. Repeat the request later.","code":"overloaded","retryable":true}""".TrimStart());
        server.Gate.SetResult();
        foreach (Task<HttpResponseMessage> one in held) (await one).IsSuccessStatusCode.Should().BeTrue();
        await SheddingServer.UntilAsync(() => server.Shedder.Limit.Running == 0);
        (await server.GetAsync("/quick")).Text.Should().Be("ok");
    }

    [Fact]
    public async Task Times_to_come_back_are_drawn_for_each_rejection()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(o =>
        {
            Bound(o, places: 1);
            o.Shedder.MaxRetryAfter = TimeSpan.FromSeconds(30);
        });
        await server.HoldAsync(1);
        List<double?> times = [];
        for (int i = 0; i < 60; i++) times.Add((await server.GetAsync("/quick")).RetryAfter);
        times.Should().OnlyContain(t => t >= 1 && t <= 30);
        times.Distinct().Should().HaveCountGreaterThan(10, "callers that come back together are the next overload");
    }

    [Fact]
    public async Task A_request_that_waits_is_served_when_another_ends()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(o =>
        {
            Bound(o, places: 1, queued: 1);
            o.Shedder.Limit.MaxWait = TimeSpan.FromMinutes(1);
            o.Shedder.Limit.StandingAfter = TimeSpan.FromMinutes(1);
        });
        await server.HoldAsync(1);
        Task<SheddingServer.Answer> waits = server.GetAsync("/quick");
        await SheddingServer.UntilAsync(() => server.Shedder.Limit.Waiting == 1);
        (await server.GetAsync("/quick")).Status.Should().Be(503, "the queue is full");
        server.Gate.SetResult();
        (await waits).Text.Should().Be("ok");
    }

    [Fact]
    public async Task A_client_that_leaves_while_it_waits_leaves_no_trace()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(o =>
        {
            Bound(o, places: 1, queued: 1);
            o.Shedder.Limit.MaxWait = TimeSpan.FromMinutes(1);
        });
        await server.HoldAsync(1);
        using (CancellationTokenSource leaves = new())
        {
            Task<HttpResponseMessage> waits = server.Client.GetAsync("/quick", leaves.Token);
            await SheddingServer.UntilAsync(() => server.Shedder.Limit.Waiting == 1);
            await leaves.CancelAsync();
            await FluentActions.Awaiting(() => waits).Should().ThrowAsync<OperationCanceledException>();
        }

        await SheddingServer.UntilAsync(() => server.Shedder.Limit.Waiting == 0);
        server.Gate.SetResult();
        await SheddingServer.UntilAsync(() => server.Shedder.Limit.Running == 0);
    }

    [Fact]
    public async Task Endpoints_that_say_so_and_health_checks_are_left_alone()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(
            o => Bound(o, places: 1),
            app =>
            {
                app.MapHealthChecks("/health");
                app.MapGet("/metrics", () => "m").DisableLoadShedding();
                app.MapGet("/attribute", [DisableLoadShedding] () => "a");
            },
            services: s => s.AddHealthChecks());
        await server.HoldAsync(1);
        (await server.GetAsync("/quick")).Status.Should().Be(503);
        foreach (string path in (string[])["/health", "/metrics", "/attribute"]) (await server.GetAsync(path)).Status.Should().Be(200);
    }

    [Fact]
    public async Task A_group_has_a_limit_of_its_own()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(
            o => Bound(o, places: 1), app => app.MapGet("/report", () => "r").WithLoadSheddingGroup("reports"));
        await server.HoldAsync(1);
        (await server.GetAsync("/quick")).Status.Should().Be(503);
        (await server.GetAsync("/report")).Text.Should().Be("r");
    }

    [Fact]
    public async Task A_socket_gives_its_place_back_when_it_is_open()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(o => Bound(o, places: 1), app => app.Map("/socket", async (HttpContext context) =>
        {
            using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
            await socket.ReceiveAsync(new byte[1], context.RequestAborted);
        }));
        using WebSocket first = await server.OpenSocketAsync("/socket"), second = await server.OpenSocketAsync("/socket");
        (await server.GetAsync("/quick")).Text.Should().Be("ok", "two sockets are open, and one place is all there is");
        server.Shedder.Limit.GetSnapshot().Latency.Should().BeNull();
    }

    [Fact]
    public async Task A_request_that_only_asks_for_an_upgrade_is_rejected_like_others()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(o => Bound(o, places: 1));
        await server.HoldAsync(1);
        (await server.GetAsync("/quick", r =>
        {
            r.Headers.Connection.Add("Upgrade");
            r.Headers.TryAddWithoutValidation("Upgrade", "websocket");
            r.Headers.TryAddWithoutValidation("Accept", "text/event-stream");
        })).Status.Should().Be(503);
    }

    [Fact]
    public async Task An_event_stream_gives_its_place_back_when_it_begins()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(
            o => Bound(o, places: 1),
            app => app.MapGet("/events", async (HttpContext context) =>
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.WriteAsync("data: 1\n\n");
                await context.Response.Body.FlushAsync();
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }));
        using HttpResponseMessage stream = await server.Client.GetAsync("/events", HttpCompletionOption.ResponseHeadersRead);
        stream.IsSuccessStatusCode.Should().BeTrue();
        await SheddingServer.UntilAsync(() => server.Shedder.Limit.Running == 0);
        (await server.GetAsync("/quick")).Text.Should().Be("ok");
    }

    [Fact]
    public async Task A_place_is_held_to_the_end_of_the_body_and_given_back_once_whatever_happens()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(o => Bound(o, places: 2), app =>
        {
            app.MapGet("/throws", IResult () => throw new InvalidOperationException("planted"));
            app.MapGet("/aborts", (HttpContext context) => context.Abort());
            app.MapGet("/bad", () => Results.BadRequest());
            app.MapGet("/down", () => Results.StatusCode(502));
        });
        foreach (string path in (string[])["/throws", "/bad", "/down", "/quick", "/throws"]) await server.GetAsync(path);
        await FluentActions.Awaiting(() => server.GetAsync("/aborts")).Should().ThrowAsync<HttpRequestException>();
        await SheddingServer.UntilAsync(() => server.Shedder.Limit.Running == 0);
        await server.HoldAsync(2);
        (await server.GetAsync("/quick")).Status.Should().Be(503, "both places are taken, so none was given back twice");
    }

    [Theory]
    [InlineData(64 * 1024, false)]
    [InlineData((64 * 1024) + 1, true)]
    public async Task A_connection_is_closed_where_a_large_body_is_not_read(int bytes, bool closes)
    {
        await using SheddingServer server = await SheddingServer.StartAsync(o => Bound(o, places: 1));
        await server.HoldAsync(1);
        SheddingServer.Answer rejected = await server.GetAsync("/quick", r =>
        {
            r.Content = new ByteArrayContent(new byte[bytes]);
            r.Headers.ExpectContinue = true;
        }, HttpMethod.Post);
        (rejected.Status, rejected.Closes).Should().Be((503, closes));
    }

    [Fact]
    public async Task When_many_repeat_a_rejection_says_not_to_and_names_no_time()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(o => Bound(o, places: 1));
        await server.HoldAsync(1);
        SheddingServer.Answer last = null!;
        for (int i = 0; i < 40; i++) last = await server.GetAsync("/quick", r => r.Headers.TryAddWithoutValidation("X-Request-Attempt", "1"));
        (last.Status, last.ShouldRetry, last.RetryAfter).Should().Be((503, "false", null));
        last.Problem!.Value.GetProperty("retryable").GetBoolean().Should().BeFalse();
    }

    [Fact]
    public async Task Signals_reject_users_as_wholes()
    {
        double load = 0;
        await using SheddingServer server = await SheddingServer.StartAsync(o =>
        {
            o.Shedder.Signals.Add(new("test", () => load, new(0, 1)) { Smoothing = 1 });
            o.FairnessKey = c => c.Request.Headers["X-Api-Key"];
        });
        load = 0.85;
        await SheddingServer.UntilAsync(() => server.Shedder.Level > 0.8);
        Dictionary<string, int> served = [];
        for (int user = 0; user < 30; user++)
        {
            for (int i = 0; i < 4; i++)
            {
                SheddingServer.Answer answer = await server.GetAsync("/quick", r => r.Headers.TryAddWithoutValidation("X-Api-Key", $"u{user}"));
                served[$"u{user}"] = served.GetValueOrDefault($"u{user}") + (answer.Status == 200 ? 1 : 0);
            }
        }

        served.Values.Should().OnlyContain(s => s == 0 || s == 4).And.Contain(0).And.Contain(4);
    }

    [Fact]
    public async Task A_dry_run_serves_all_and_counts()
    {
        List<ResilienceEvent> events = [];
        await using SheddingServer server = await SheddingServer.StartAsync(
            o =>
            {
                Bound(o, places: 1);
                o.Shedder.DryRun = true;
            },
            services: s => s.AddResilience());
        using IDisposable listening = server.Services.GetRequiredService<ResilienceEvents>().Subscribe(e =>
        {
            lock (events) events.Add(e);
        });
        await server.HoldAsync(3);
        (await server.GetAsync("/quick")).Text.Should().Be("ok");
        lock (events) events.OfType<RequestShed>().Should().HaveCount(3).And.OnlyContain(e => e.IsDryRun);
    }

    [Fact]
    public async Task A_head_request_gets_the_headers_alone()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(o => Bound(o, places: 1));
        await server.HoldAsync(1);
        SheddingServer.Answer answer = await server.GetAsync("/quick", method: HttpMethod.Head);
        (answer.Status, answer.Text).Should().Be((503, ""));
    }

    [Fact]
    public async Task The_host_does_not_start_with_options_that_are_out_of_range()
    {
        Func<Task> start = () => SheddingServer.StartAsync(o =>
        {
            o.StatusCode = 200;
            o.Shedder.MinRetryAfter = TimeSpan.Zero;
            o.Shedder.Limit.MaxQueued = -1;
        });
        (await start.Should().ThrowAsync<OptionsValidationException>()).Which.Message.Should().ContainAll("StatusCode", "MinRetryAfter", "MaxQueued");
        WebApplication app = WebApplication.CreateSlimBuilder().Build();
        app.Invoking(a => a.UseLoadShedding()).Should().Throw<InvalidOperationException>().WithMessage("*AddLoadShedding()*");
    }

    [Fact]
    public async Task A_key_that_cannot_be_found_costs_no_request()
    {
        double load = 0;
        await using SheddingServer server = await SheddingServer.StartAsync(o =>
        {
            o.Shedder.Signals.Add(new("test", () => load, new(0, 1)) { Smoothing = 1 });
            o.FairnessKey = _ => throw new InvalidOperationException("planted");
        });
        load = 0.1;
        await SheddingServer.UntilAsync(() => server.Shedder.Level > 0);
        (await server.GetAsync("/quick")).Text.Should().Be("ok");
    }

    [Fact]
    public async Task A_request_whose_time_is_up_in_the_queue_is_told_so_and_does_not_begin()
    {
        int begun = 0;
        await using SheddingServer server = await SheddingServer.StartAsync(
            o =>
            {
                Bound(o, places: 1, queued: 1);
                o.Shedder.Limit.MaxWait = TimeSpan.FromMinutes(1);
            },
            app => app.MapGet("/counted", () => Interlocked.Increment(ref begun)),
            before: app => app.UseRequestDeadlines());
        await server.HoldAsync(1);
        SheddingServer.Answer late = await server.GetAsync("/counted", r => r.Headers.TryAddWithoutValidation("X-Request-Timeout-Ms", "80"));
        (late.Status, late.ShouldRetry).Should().Be((504, "false"));
        late.Problem!.Value.GetProperty("detail").GetString().Should().EndWith("Nothing was done.");
        server.Gate.SetResult();
        await SheddingServer.UntilAsync(() => server.Shedder.Limit.Running == 0);
        begun.Should().Be(0);
    }

    [Fact]
    public async Task What_a_caller_says_of_its_class_decides_up_to_the_bound()
    {
        double load = 0;
        await using SheddingServer server = await SheddingServer.StartAsync(
            o => o.Shedder.Signals.Add(new("test", () => load, new(0, 1)) { Smoothing = 1 }),
            app => app.MapGet("/batch", () => "b").WithCriticality(Criticality.Sheddable),
            before: app => app.UseRequestDeadlines());
        load = 0.8; // the cut-off is 48.8: nothing sheddable, most of what is critical
        await SheddingServer.UntilAsync(() => server.Shedder.Level > 0.7);
        (await StatusesAsync("/quick", "sheddable")).Should().OnlyContain(s => s == 503);
        (await StatusesAsync("/quick", "sheddable-plus")).Should().OnlyContain(s => s == 503);
        (await StatusesAsync("/quick", null)).Should().Contain(200);
        (await StatusesAsync("/quick", "critical-plus")).Should().Contain(200);
        (await StatusesAsync("/batch", null)).Should().OnlyContain(s => s == 503);
        load = 0.999; // the cut-off is 0.3: of the highest class little, and of all others nothing
        await SheddingServer.UntilAsync(() => server.Shedder.Level > 0.99);
        (await StatusesAsync("/quick", "critical-plus")).Should().OnlyContain(s => s == 503, "from outside nothing is more than critical");

        async Task<List<int>> StatusesAsync(string path, string? criticality)
        {
            List<int> statuses = [];
            for (int i = 0; i < 40; i++)
            {
                statuses.Add((await server.GetAsync(path, r =>
                {
                    if (criticality is not null) r.Headers.TryAddWithoutValidation("X-Request-Criticality", criticality);
                })).Status);
            }

            return statuses;
        }
    }

    [Fact]
    public async Task A_call_of_grpc_hears_that_the_service_is_unavailable_and_when_to_come_back()
    {
        await using SheddingServer server = await SheddingServer.StartAsync(o => Bound(o, places: 1));
        await server.HoldAsync(1);
        using ByteArrayContent body = new([0, 0, 0, 0, 0]);
        body.Headers.ContentType = new("application/grpc");
        using HttpResponseMessage answer = await server.Client.PostAsync("/quick", body);
        ((int)answer.StatusCode, answer.Content.Headers.ContentType?.MediaType).Should().Be((200, "application/grpc"));
        answer.Headers.GetValues("grpc-status").Should().Equal("14");
        string pushback = answer.Headers.GetValues("grpc-retry-pushback-ms").Single();
        int.Parse(pushback, CultureInfo.InvariantCulture).Should().BeInRange(1000, 3000);
    }
}
