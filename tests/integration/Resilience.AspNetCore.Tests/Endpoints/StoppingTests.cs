using System.ComponentModel.DataAnnotations;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Timeouts;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

/// <summary>What stops an endpoint under a key and what does not, and requests that no code of it ever saw.</summary>
public sealed class StoppingTests
{
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _executions;

    private async Task<string> UntilStoppedAsync(CancellationToken stop)
    {
        Interlocked.Increment(ref _executions);
        _begun.TrySetResult();
        await using CancellationTokenRegistration heard = stop.Register(() => _stopped.TrySetResult());
        await Task.Delay(Timeout.Infinite, stop);
        return "never";
    }

    [Theory]
    [InlineData("of the endpoint")]
    [InlineData("default")]
    [InlineData("middleware")]
    public async Task A_request_timeout_holds_under_a_key(string where)
    {
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.UseRequestTimeouts();
                if (where == "middleware") app.UseIdempotency(_ => true);
                RouteHandlerBuilder endpoint = app.MapPost("/do", UntilStoppedAsync);
                if (where != "middleware") endpoint.RequireIdempotencyKey();
                if (where != "default") endpoint.WithRequestTimeout(TimeSpan.FromMilliseconds(50));
            },
            o => o.WhenInFlight = WhenInFlight.Reject,
            endpoints: o => o.ScopeFor = _ => "all",
            services: s => s.AddRequestTimeouts(o => o.DefaultPolicy = where == "default" ? new RequestTimeoutPolicy { Timeout = TimeSpan.FromMilliseconds(50) } : null));

        Shop.Reply late = await shop.SendAsync("/do"), again = await shop.SendAsync("/do");

        late.Status.Should().Be(504);
        await _stopped.Task.WaitAsync(Shop.Patience);
        (again.Status, again.Text.Contains("in-flight", StringComparison.Ordinal))
            .Should().Be((409, true), "what was cut off may have been done: the key is held");
        _executions.Should().Be(1);
    }

    [Fact]
    public async Task A_client_that_leaves_does_not_cancel_also_where_there_is_a_request_timeout()
    {
        bool wasCancelled = false;
        TaskCompletionSource left = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.Use((context, next) =>
                {
                    context.RequestAborted.Register(() => left.TrySetResult());
                    return next(context);
                });
                app.UseRequestTimeouts();
                app.MapPost("/do", async (CancellationToken stop) =>
                {
                    Interlocked.Increment(ref _executions);
                    _begun.TrySetResult();
                    await left.Task.WaitAsync(Shop.Patience, CancellationToken.None);
                    wasCancelled = stop.IsCancellationRequested;
                    return "done";
                }).RequireIdempotencyKey().WithRequestTimeout(TimeSpan.FromHours(1));
            },
            o => o.WhenInFlight = WhenInFlight.Wait,
            services: s => s.AddRequestTimeouts());
        using CancellationTokenSource leave = new();
        Task<Shop.Reply> first = shop.SendAsync("/do", stop: leave.Token);
        await _begun.Task.WaitAsync(Shop.Patience);
        await leave.CancelAsync();
        await FluentActions.Awaiting(() => first).Should().ThrowAsync<OperationCanceledException>();

        Shop.Reply back = await shop.SendAsync("/do");

        (back.Text, back.IsReplayed, wasCancelled, _executions).Should().Be(("done", true, false, 1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stream_is_cancelled_when_its_client_leaves_only_if_that_was_asked_for(bool isAskedFor)
    {
        bool wasCancelled = false;
        await using Shop shop = await Shop.OpenAsync(
            app => app.Use((context, next) =>
            {
                context.RequestAborted.Register(() => _stopped.TrySetResult());
                return next(context);
            }).UseRouting().UseEndpoints(e => e.MapPost("/do", async (HttpContext context, CancellationToken stop) =>
            {
                context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
                await context.Response.WriteAsync("one", stop);
                await context.Response.Body.FlushAsync(stop);
                await _stopped.Task.WaitAsync(Shop.Patience, CancellationToken.None);

                // Both are notified at the same moment: the one that was asked for is waited for, the other must not come.
                if (isAskedFor) await FluentActions.Awaiting(() => Task.Delay(Shop.Patience, stop)).Should().ThrowAsync<OperationCanceledException>();
                wasCancelled = stop.IsCancellationRequested;
                _goOn.TrySetResult();
            }).RequireIdempotencyKey(o => o.CancelStreamsOfClientsThatLeft = isAskedFor)));
        using HttpClient client = new() { BaseAddress = shop.Address };
        using HttpRequestMessage request = new(HttpMethod.Post, "/do");
        request.Headers.Add("Idempotency-Key", "k1");
        request.Headers.Add("X-User", "ann");
        using (HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
            await (await response.Content.ReadAsStreamAsync()).ReadExactlyAsync(new byte[3]);

        await _goOn.Task.WaitAsync(Shop.Patience);

        wasCancelled.Should().Be(isAskedFor);
    }

    [Theory]
    [InlineData("the request", false)]
    [InlineData("the stream", false)]
    [InlineData("the connection", false)]
    [InlineData("the request", true)]
    [InlineData("the stream", true)]
    [InlineData("the connection", true)]
    public async Task A_response_that_the_endpoint_breaks_off_is_no_success(string what, bool hasBegun)
    {
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/do", async (HttpContext context) =>
            {
                if (Interlocked.Increment(ref _executions) > 1) return;
                if (hasBegun)
                {
                    context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
                    await context.Response.WriteAsync("half");
                    await context.Response.Body.FlushAsync();
                }

                if (what == "the request") context.Abort();
                else if (what == "the stream") context.Features.GetRequiredFeature<IHttpResetFeature>().Reset(8);
                else context.Features.GetRequiredFeature<IConnectionLifetimeFeature>().Abort();
            }).RequireIdempotencyKey(),
            o => o.WhenInFlight = WhenInFlight.Reject,
            services: s => s.Configure<KestrelServerOptions>(o => o.ConfigureEndpointDefaults(e => e.Protocols = HttpProtocols.Http2)));
        Task<Shop.Reply> SendAsync() => shop.SendAsync("/do", change: r => (r.Version, r.VersionPolicy) = (new(2, 0), HttpVersionPolicy.RequestVersionExact));
        await FluentActions.Awaiting(SendAsync).Should().ThrowAsync<HttpRequestException>();

        Shop.Reply again;
        do again = await SendAsync();
        while (hasBegun && again.Text.Contains("in-flight", StringComparison.Ordinal)); // the first is still being recorded

        again.Status.Should().Be(409);
        again.Text.Should().Contain(hasBegun ? "outcome-unknown" : "in-flight");
        _executions.Should().Be(1);
    }

    public sealed record Order([Required] string Item);

    [Theory]
    [InlineData("/minimal", false)]
    [InlineData("/minimal", true)]
    [InlineData("/number/1", false)]
    [InlineData("/bound", false)]
    [InlineData("/conventions/bound", false)]
    public async Task A_request_that_cannot_be_bound_does_not_use_its_key_up(string path, bool throws)
    {
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.MapPost("/minimal", (Order order) => $"{order.Item} {++_executions}").RequireIdempotencyKey();
                app.MapPost("/number/{n}", (int n, [FromHeader(Name = "X-Number")] int header) => $"{header} {++_executions}").RequireIdempotencyKey();
                app.MapControllers();
            },
            services: s =>
            {
                s.Configure<RouteHandlerOptions>(o => o.ThrowOnBadRequest = throws);
                s.AddControllers().AddApplicationPart(typeof(StoppingTests).Assembly);
            });
        Task<Shop.Reply> SendAsync(bool isGood) => shop.SendAsync(
            path, body: isGood ? "{\"item\":\"book\"}" : path == "/minimal" ? "{\"item\":" : "{}", change: r => r.Headers.Add("X-Number", isGood ? "7" : "seven"));

        Shop.Reply bad = await SendAsync(false), good = await SendAsync(true), again = await SendAsync(true);

        (bad.Status, good.Status).Should().Be((400, 200), "{0}", good.Text);
        (again.Text, again.IsReplayed).Should().Be((good.Text, true));
    }

    [Theory]
    [InlineData("/minimal")]
    [InlineData("/bound/rejected")]
    public async Task A_rejection_by_the_endpoint_itself_is_kept(string path)
    {
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.MapPost("/minimal", (Order order) => Results.BadRequest($"{order.Item} {++_executions}")).RequireIdempotencyKey();
                app.MapControllers();
            },
            services: s => s.AddControllers().AddApplicationPart(typeof(StoppingTests).Assembly));

        Shop.Reply first = await shop.SendAsync(path, body: "{\"item\":\"book\"}"), again = await shop.SendAsync(path, body: "{\"item\":\"book\"}");

        (first.Status, again.Status, again.IsReplayed).Should().Be((400, 400, true));
    }
}

[ApiController]
[Route("bound")]
[RequireIdempotencyKey]
public sealed class BoundController : ControllerBase
{
    [HttpPost]
    public string Do(StoppingTests.Order order) => order.Item;

    [HttpPost("rejected")]
    public IActionResult Reject(StoppingTests.Order order) => BadRequest(order.Item);
}

[ApiController]
[Route("conventions")]
public sealed class ConventionsController : ControllerBase
{
    [HttpPost("bound")]
    [RequireIdempotencyKey]
    public string Do(StoppingTests.Order order) => order.Item;
}
