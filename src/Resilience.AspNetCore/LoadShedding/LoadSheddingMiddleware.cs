using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;

namespace Resilience.Overload;

/// <summary>Asks the load shedder of each request's group, and answers where there is no place.</summary>
internal sealed class LoadSheddingMiddleware(RequestDelegate next, LoadShedders shedders)
{
    private readonly ConditionalWeakTable<Endpoint, EndpointShedding> _endpoints = [];
    private readonly LoadSheddingOptions _options = shedders.Options;

    public Task InvokeAsync(HttpContext context)
    {
        EndpointShedding endpoint = context.GetEndpoint() is { } known ? _endpoints.GetValue(known, EndpointShedding.Of) : EndpointShedding.None;
        if (endpoint.IsExempt) return next(context);
        LoadShedder shedder = shedders.Of(endpoint.Group);
        RequestContext? request = RequestContext.Current; // of UseRequestDeadlines, which has read what the caller says
        ShedRequest asked = new(request?.Criticality ?? endpoint.Criticality ?? Criticality.Critical)
        {
            FairnessKey = shedder.Level > 0 ? FairnessKeyOf(context) : null,
            IsRepeated = (request?.Attempt ?? DeadlineHeaders.ReadAttempt(context.Request.Headers, static _ => { })) > 0,
            TimeLeft = request?.RemainingTime,
        };
        ValueTask<ShedAdmission> entering = shedder.EnterAsync(asked, context.RequestAborted);
        return entering.IsCompletedSuccessfully ? GoOnAsync(context, shedder, entering.Result) : WaitAsync(context, shedder, entering);
    }

    private async Task WaitAsync(HttpContext context, LoadShedder shedder, ValueTask<ShedAdmission> entering)
    {
        ShedAdmission? admission = null;
        try
        {
            admission = await entering.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Its time is up, or its caller has left. Nothing has begun.
        }

        if (context.Features.Get<IRequestExpiry>() is { IsExpired: true } expiry)
        {
            if (admission is { IsAdmitted: true } late) shedder.Leave(late, Verdict.Ignored);
            await expiry.RejectAsync("queue").ConfigureAwait(false);
        }
        else if (admission is { } answered)
        {
            await GoOnAsync(context, shedder, answered).ConfigureAwait(false);
        }
    }

    private Task GoOnAsync(HttpContext context, LoadShedder shedder, ShedAdmission admission) => admission.IsAdmitted
        ? ServeAsync(context, shedder, admission)
        : RequestProblems.OverloadedAsync(
            context, _options.StatusCode, _options.ProblemTypeBase, admission.Rejection.IsEverywhere ? null : shedder.DrawRetryAfter());

    private async Task ServeAsync(HttpContext context, LoadShedder shedder, ShedAdmission admission)
    {
        ServedRequest served = new(context, shedder, admission);
        context.Response.OnStarting(ServedRequest.Starting, served);
        try
        {
            await next(context).ConfigureAwait(false);
        }
        catch
        {
            served.End(Verdict.Failure);
            throw;
        }

        served.End(ServedRequest.VerdictOf(context.Response.StatusCode));
    }

    private string? FairnessKeyOf(HttpContext context)
    {
        if (_options.FairnessKey is not { } ask) return null;
        try
        {
            return ask(context);
        }
        catch (Exception error)
        {
            SafeCalls.Report("load shedding FairnessKey", error);
            return null;
        }
    }
}
