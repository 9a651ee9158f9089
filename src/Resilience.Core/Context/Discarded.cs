namespace Resilience;

/// <summary>What becomes of results that a link does not pass on.</summary>
internal static class Discarded
{
    /// <summary>Throws the result away when the call has ended, unless it is what the caller gets, because a delegate may return an object again.</summary>
    internal static void Leave<T>(this in Outcome<T> outcome, ResilienceContext context)
    {
        if (outcome.Error is null && outcome.RawValue is IDisposable or IAsyncDisposable && (outcome.Marks & OutcomeMarks.IsShared) == 0)
            context.HoldLeftovers().Add(outcome.RawValue);
    }

    /// <summary>The same, but throws away at once what holds a connection, which others may need while the call goes on: such a response is made anew
    /// each time.</summary>
    internal static void Discard<T>(this in Outcome<T> outcome, ResilienceContext context)
    {
        if (outcome.Error is null && outcome.RawValue is System.Net.Http.HttpResponseMessage response && !ResponseContent.IsInMemory(response.Content))
            outcome.Discard();
        else outcome.Leave(context);
    }
}
