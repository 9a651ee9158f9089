using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Resilience.Events;
using Resilience.Http;
using Resilience.Idempotency;

namespace Resilience;

/// <summary>What the endpoints of the page answer.</summary>
internal sealed class DashboardEndpoints : IDisposable
{
    /// <summary>A stream ends after this time and the page asks again, so that a user who may not look any more does not look for ever.</summary>
    private static readonly TimeSpan MaxStream = TimeSpan.FromMinutes(10);

    private readonly DashboardFeed _feed;
    private readonly DashboardActions _actions;
    private readonly DashboardPage _page;
    private readonly IDisposable _transitions;
    private readonly CancellationToken _stopping;
    private readonly ILogger _logger;
    private bool _isLocked;

    internal DashboardEndpoints(IServiceProvider services, ResilienceDashboardOptions options)
    {
        ResilienceEvents events = services.GetService<ResilienceEvents>()
            ?? throw new InvalidOperationException("There are no pipelines to show: call builder.Services.AddResilience().");
        TimeProvider time = SafeCalls.Time(services.GetService<TimeProvider>() ?? TimeProvider.System);
        IHostEnvironment? environment = services.GetService<IHostEnvironment>();
        ILogger logger = _logger = SafeLogger.Of(services.GetService<ILoggerFactory>(), "Resilience.Dashboard") ?? NullLogger.Instance;
        DashboardHead head = new(
            options.Title ?? environment?.ApplicationName ?? "Resilience", environment?.EnvironmentName ?? "", time.GetUtcNow(), options.Interval);
        DashboardReader reader = new(
            services.GetRequiredService<ResiliencePipelineProvider>(),
            services.GetService<HttpResilienceProvider>(),
            services.GetService<IdempotencyGates>(),
            options);
        DashboardRecent recent = new(options.MaxRecent, options.ShowPartitionKeys, time);
        _transitions = events.SubscribeToStateChanges(recent.Changed);
        _feed = new(reader, recent, events, services.GetService<IMeterFactory>(), head, options, time, logger);
        _actions = new(reader, options, logger);
        _page = new(head.Title, _actions.Token, options.EnableActions, options.TraceUrl);
        if (services.GetService<IHostApplicationLifetime>() is not { } host) return;
        _stopping = host.ApplicationStopping;
        host.ApplicationStarted.Register(_feed.Begin);
        host.ApplicationStopped.Register(Dispose);
    }

    internal DashboardFeed Feed => _feed;

    /// <summary>The page is locked or the host has stopped: nothing is measured or remembered.</summary>
    public void Dispose()
    {
        _transitions.Dispose();
        _feed.Dispose();
    }

    /// <summary>No request may see it.</summary>
    internal void Lock(string pattern)
    {
        if (_isLocked) return; // each endpoint of the page comes here
        _isLocked = true;
        EndpointLog.PageLocked(_logger, pattern);
        Dispose();
    }

    internal Task PageAsync(HttpContext context)
    {
        Guard(context.Response);
        context.Response.Headers.ContentSecurityPolicy = _page.ContentSecurityPolicy;
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.ContentLength = _page.Text.Length;
        return context.Response.Body.WriteAsync(_page.Text, context.RequestAborted).AsTask();
    }

    internal Task SnapshotAsync(HttpContext context)
    {
        Guard(context.Response);
        return context.Response.WriteAsJsonAsync(_feed.ReadOnce(), DashboardJson.Default.DashboardAll, cancellationToken: context.RequestAborted);
    }

    internal async Task EventsAsync(HttpContext context)
    {
        Guard(context.Response);
        bool mayAct = await _actions.MayActAsync(context).ConfigureAwait(false);
        if (_feed.TryJoin(ClientOf(context), mayAct, out bool isClientsOwn) is not { } viewer)
        {
            context.Response.StatusCode = isClientsOwn ? StatusCodes.Status429TooManyRequests : StatusCodes.Status503ServiceUnavailable;
            context.Response.Headers.RetryAfter = "30";
            return;
        }

        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping);
        end.CancelAfter(MaxStream);
        try
        {
            context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers["X-Accel-Buffering"] = "no";
            await viewer.WriteAsync(context.Response, end.Token).ConfigureAwait(false);
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException)
        {
            // Left, too slow, told to come again, or we are stopping.
        }
        finally
        {
            _feed.Leave(viewer);
        }
    }

    /// <summary>A user who is signed in, wherever from; otherwise an address.</summary>
    private static string ClientOf(HttpContext context) => context.User.Identity is { IsAuthenticated: true, Name: { Length: > 0 } name }
        ? $"user {name}"
        : $"address {context.Connection.RemoteIpAddress}";

    internal Task ActAsync(HttpContext context)
    {
        Guard(context.Response);
        return _actions.InvokeAsync(context);
    }

    /// <summary>Not kept, not guessed at, not framed, not shared with other sites.</summary>
    private static void Guard(HttpResponse response)
    {
        IHeaderDictionary headers = response.Headers;
        headers.CacheControl = "no-store";
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
    }
}
