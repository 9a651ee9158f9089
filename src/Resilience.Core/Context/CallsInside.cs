namespace Resilience;

/// <summary>How a call hears of the calls that its delegate makes, and tells the call around it.</summary>
/// <remarks>See <see cref="CallScope"/> and <see cref="GivenUp"/>.</remarks>
internal static class CallsInside
{
    /// <summary>An attempt begins, and with it perhaps a call inside the one whose delegate runs on this thread.</summary>
    internal static void BeginScope(this ResilienceContext context, ResilienceContext? around)
    {
        context.ListenByToken();
        if (context.State.Scope is { } scope)
        {
            scope.Clear();
        }
        else if (around is not null && context.State.Attempt == 0)
        {
            context.State.Scope = new(around.State.Scope ??= new(null));
            if (context.State.Callers == around.State.CancellationToken) context.State.Remarks |= AttemptRemarks.KnowsAround;
        }
    }

    /// <summary>From now on calls that get this call's token may be inside of it.</summary>
    internal static void ListenByToken(this ResilienceContext context) => context.State.GivenUpBefore = GivenUp.Mark;

    /// <summary>True when a call inside has given up on what came up.</summary>
    /// <param name="context">The call.</param>
    /// <param name="error">What came up.</param>
    /// <param name="token">The token that the delegate was given.</param>
    internal static bool IsMarked(this ResilienceContext context, Exception error, CancellationToken token)
    {
        bool byToken = GivenUp.Take(error, context.State.GivenUpBefore, token); // taken also where the scope says it too: no other call shall find it
        return (context.State.Scope is { } scope && scope.Has(error)) || byToken;
    }

    /// <summary>This call gives up on what it ends with: the call around need not repeat it either.</summary>
    internal static void ReportAround(this ResilienceContext context, object? error)
    {
        if (error is null) return;
        CallsRequest.ReportToRequest(error);
        context.State.Scope?.Around?.Add(error);

        // A delegate that completes another call's task runs its continuation on its own thread: what the thread says is sure only if the token agrees.
        if ((context.State.Remarks & AttemptRemarks.KnowsAround) == 0) GivenUp.Add(error, context.State.Callers);
    }
}
