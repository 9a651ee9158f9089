using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Resilience.Overload;

/// <summary>How a request passes: read, rejected or begun, cancelled when its time is up, and its answer marked where that is due.</summary>
internal sealed class RequestDeadlines
{
    private const int MaxDepth = 8; // of exceptions inside exceptions

    private readonly RequestDeadlineOptions _options;
    private readonly RequestDeadlineTelemetry _telemetry;
    private readonly ILogger? _log;
    private readonly TimeProvider _time;
    private readonly Action<string> _malformed;

    internal RequestDeadlines(RequestDeadlineOptions options, IServiceProvider services)
    {
        _options = options;
        _telemetry = new(services.GetService<IMeterFactory>());
        _log = SafeLogger.Of(services.GetService<ILoggerFactory>(), "Resilience.Deadlines");
        _time = SafeCalls.Time(services.GetService<TimeProvider>() ?? TimeProvider.System);
        _malformed = _telemetry.Malformed;
    }

    internal async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (!context.Items.TryAdd(this, null)) // a handler of exceptions sends it through once more: its time has not begun anew
        {
            await next(context).ConfigureAwait(false);
            return;
        }

        TimeSpan? timeout = TimeoutOf(context);
        using RequestScope scope = RequestContext.Begin(new()
        {
            Timeout = timeout,
            Criticality = CriticalityOf(context),
            Attempt = DeadlineHeaders.ReadAttempt(context.Request.Headers, _malformed),
            TimeProvider = _time,
            IsIndependent = true,
        });
        Passage passage = new(this, context, scope.Request!);
        context.Features.Set<IRequestExpiry>(passage);
        context.Response.OnStarting(static state => ((Passage)state).MarkAsync(), passage);
        if (timeout is { } left)
        {
            _telemetry.Arrived(left);
            if (left <= TimeSpan.Zero || left < MinimumOf(context))
            {
                await passage.RejectAsync("arrival").ConfigureAwait(false);
                return;
            }
        }

        using DeadlineSource? source = timeout is { } time && _options.Cancel ? new(context, time, _time) : null;
        if (timeout is not null) UpgradeWatch.Watch(context, () => passage.Upgraded(source));
        try
        {
            await next(context).ConfigureAwait(false);
        }
        catch (Exception error) when (passage.IsCutBy(error, source) && !context.Response.HasStarted)
        {
            passage.HasExpired = true;
            await RequestProblems.ExpiredAsync(context, _options, hasBegun: true).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            passage.Error = error;
            throw;
        }
        finally
        {
            passage.End();
        }
    }

    private TimeSpan? TimeoutOf(HttpContext context)
    {
        RequestDeadlineAttribute? endpoint = context.GetEndpoint()?.Metadata.GetMetadata<RequestDeadlineAttribute>();
        if (endpoint is { IsDisabled: true }) return null;
        TimeSpan max = endpoint is { MaxMilliseconds: > 0 } ? TimeSpan.FromMilliseconds(endpoint.MaxMilliseconds) : _options.MaxTimeout;
        TimeSpan? usual = endpoint is { DefaultMilliseconds: > 0 } ? TimeSpan.FromMilliseconds(endpoint.DefaultMilliseconds) : _options.DefaultTimeout;
        TimeSpan? said = DeadlineHeaders.ReadTimeout(context.Request.Headers, _malformed) ?? usual;
        return said > max ? max : said;
    }

    private TimeSpan MinimumOf(HttpContext context)
    {
        if (_options.MinimumTimeFor is not { } find) return _options.MinimumTime;
        try
        {
            return find(context) is { } found && found >= TimeSpan.Zero ? found : _options.MinimumTime;
        }
        catch (Exception error)
        {
            SafeCalls.Report("request MinimumTimeFor", error);
            return _options.MinimumTime;
        }
    }

    /// <summary>What the caller says, up to its bound and to what the endpoint says: a caller may only ask for less.</summary>
    private Criticality? CriticalityOf(HttpContext context)
    {
        Criticality? endpoint = context.GetEndpoint()?.Metadata.GetMetadata<RequestCriticalityAttribute>()?.Criticality;
        if (_options.MaxInboundCriticality is not { } max) return endpoint;
        if (DeadlineHeaders.ReadCriticality(context.Request.Headers, _malformed) is not { } said) return endpoint;
        return (Criticality)Math.Min((int)said, Math.Min((int)max, (int)(endpoint ?? max)));
    }

    private void Expired(HttpContext context, string stage)
    {
        _telemetry.Expired(stage);
        if (_log is { } log) EndpointLog.DeadlineExpired(log, context.GetEndpoint()?.DisplayName ?? "(no endpoint)", stage);
    }

    /// <summary>One request on its way.</summary>
    private sealed class Passage(RequestDeadlines deadlines, HttpContext context, RequestContext request) : IRequestExpiry
    {
        private bool _isUpgraded;
        private bool _isMarked;
        private bool _isRejected;

        /// <summary>What came up through the middleware; a handler of exceptions that stands before it answers.</summary>
        internal Exception? Error { get; set; }

        /// <summary>The answer is ours, because the time was up.</summary>
        internal bool HasExpired { get; set; }

        internal void Upgraded(DeadlineSource? source)
        {
            _isUpgraded = true;
            source?.Stop();
        }

        /// <summary>Whether the request ends with an exception because its time is up, and its caller is there to hear it.</summary>
        internal bool IsCutBy(Exception error, DeadlineSource? source)
        {
            if (_isUpgraded || !request.IsExpired || (source?.IsAborted ?? context.RequestAborted.IsCancellationRequested)) return false;
            int depth = 0;
            for (Exception? cause = error; cause is not null && depth < MaxDepth; cause = cause.InnerException, depth++)
            {
                if (cause is OperationCanceledException or TimedOutException) return true;
            }

            return false;
        }

        public bool IsExpired => request.IsExpired;

        public Task RejectAsync(string stage)
        {
            HasExpired = _isRejected = true;
            deadlines.Expired(context, stage);
            return RequestProblems.ExpiredAsync(context, deadlines._options, hasBegun: false);
        }

        internal void End()
        {
            if (!_isUpgraded && !_isRejected && request.IsExpired) deadlines.Expired(context, "running");
            if (!RequestProblems.IsGrpc(context.Request) || context.Features.Get<IHttpResponseTrailersFeature>() is not { } trailers) return;
            if (trailers.Trailers.IsReadOnly || !RequestProblems.IsGrpcError(trailers.Trailers[HeaderStatus])) return;
            if (ReasonOf() is { } reason) Write(trailers.Trailers, RequestProblems.PushbackHeader, "-1", reason);
        }

        private const string HeaderStatus = "grpc-status";

        /// <summary>The answer begins. What the application says itself stays.</summary>
        internal Task MarkAsync()
        {
            HttpResponse response = context.Response;
            if (RequestProblems.IsGrpc(context.Request))
            {
                if (RequestProblems.IsGrpcError(response.Headers.GrpcStatus) && ReasonOf() is { } cause)
                    Write(response.Headers, RequestProblems.PushbackHeader, "-1", cause);
                return Task.CompletedTask;
            }

            if (!HasExpired && !RequestProblems.MayBeRepeated(response.StatusCode)) return Task.CompletedTask;
            bool isSaid = response.Headers.TryGetValue(RequestProblems.ShouldRetryHeader, out Microsoft.Extensions.Primitives.StringValues said);
            if (isSaid ? !string.Equals(said, "false", StringComparison.OrdinalIgnoreCase) : ReasonOf() is null) return Task.CompletedTask;
            Write(response.Headers, RequestProblems.ShouldRetryHeader, "false", ReasonOf() ?? "said");
            foreach (string name in deadlines._options.AlsoWrite)
                response.Headers.TryAdd(name, name.Equals(RequestProblems.NackHeader, StringComparison.OrdinalIgnoreCase) ? "true" : "false");
            if (!isSaid) response.Headers.RetryAfter = default; // it would say the opposite
            if (deadlines._options.StopStatusCode is { } stop) response.StatusCode = stop;
            return Task.CompletedTask;
        }

        private void Write(IHeaderDictionary headers, string name, string value, string reason)
        {
            headers[name] = value;
            if (_isMarked) return;
            _isMarked = true;
            deadlines._telemetry.Marked(reason);
        }

        /// <summary>Why the caller shall not repeat the request; null: it may.</summary>
        private string? ReasonOf()
        {
            if (request.IsDoNotRetry) return "said";
            if (HasExpired || (!_isUpgraded && request.IsExpired)) return "deadline";
            Exception? error = Error ?? context.Features.Get<IExceptionHandlerFeature>()?.Error;
            return error is not null && request.HasGivenUpOn(error) ? "gave_up" : null;
        }
    }
}
