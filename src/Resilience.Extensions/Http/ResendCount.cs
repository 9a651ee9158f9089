using System.Diagnostics;

namespace Resilience.Http;

/// <summary>Puts <c>http.request.resend_count</c> on the client spans of repeated attempts, without a dependency on any SDK.</summary>
/// <remarks>The spans are started deep inside the inner handler; the number travels with the flow of the call, and a listener that asks for
/// no spans itself hears of those that others asked for. Nothing is registered before the first repetition.</remarks>
internal static class ResendCount
{
    private const string Tag = "http.request.resend_count";

    private static readonly AsyncLocal<int> Current = new();
    private static readonly ActivityListener Listener = Listen();

    /// <summary>The attempt that this flow of control sends from now on is the n-th repetition.</summary>
    internal static void Set(int count)
    {
        if (Listener is not null) Current.Value = count; // names the listener so that it exists
    }

    private static ActivityListener Listen()
    {
        ActivityListener listener = new()
        {
            ShouldListenTo = static source => source.Name == "System.Net.Http",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.None,
            ActivityStarted = static span =>
            {
                if (Current.Value > 0) SafeCalls.Tag(span, Tag, Current.Value);
            },
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
