using Resilience.Overload;

namespace Resilience;

/// <summary>What a call takes over from the request in which it begins, and what the request hears of it.</summary>
internal static class CallsRequest
{
    /// <summary>The call begins, and its options have been heard.</summary>
    internal static void TakeUpRequest(this ResilienceContext context)
    {
        if (RequestContext.Current is not { } request) return;
        if (!context.State.SaysCriticality) context.SetCriticality(request.Criticality);
        long due = request.DeadlineOn(context.Clock);
        if (due >= context.DeadlineMs) return;
        context.DeadlineMs = due;
        context.State.Remarks &= ~AttemptRemarks.DeadlineCounts; // the caller says that of its own one
    }

    /// <summary>A call gives up on what it ends with.</summary>
    internal static void ReportToRequest(object cause)
    {
        if (RequestUse.HasBegun) RequestContext.Current?.GiveUpOn(cause);
    }

    /// <summary>The same for an outcome, which may be a result.</summary>
    internal static void ReportToRequest<T>(this in Outcome<T> outcome)
    {
        if (!RequestUse.HasBegun) return;
        if (outcome.Error is { } error) RequestContext.Current?.GiveUpOn(error);
        else if (!typeof(T).IsValueType && outcome.RawValue is { } result) RequestContext.Current?.GiveUpOn(result);
    }
}
