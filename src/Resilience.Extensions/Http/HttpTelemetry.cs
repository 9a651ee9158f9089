using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>What the handlers add to the telemetry of the pipelines.</summary>
internal static class HttpTelemetry
{
    private static readonly Meter Meter = new(ResilienceTelemetry.MeterName, "0.1.0");

    private static readonly Counter<long> CallbackErrors = Meter.CreateCounter<long>(
        "resilience.callback.errors", "{error}", "Exceptions thrown by user callbacks and swallowed.");

    /// <summary>Counts an error of code that is not ours. Never throws, not even when who listens to the count does.</summary>
    internal static void CallbackFailed(string callback, Exception error)
    {
        try
        {
            CallbackErrors.Add(1, new("resilience.callback", callback), new KeyValuePair<string, object?>("error.type", error.GetType().FullName));
        }
        catch (Exception)
        {
            // The listener of the errors is itself in error: there is nobody left to tell.
        }
    }

    /// <summary>Says on the span of the whole operation whom it asks; the spans of the attempts are its children.</summary>
    internal static void DescribeOperation(HttpRequestMessage request)
    {
        Activity? span = Activity.Current;
        if (span?.OperationName == ResilienceTelemetry.AttemptSpanName) span = span.Parent;
        if (span is not { IsAllDataRequested: true } || span.Source.Name != ResilienceTelemetry.ActivitySourceName) return;
        span.SetTag("http.request.method", request.Method.Method);
        if (request.RequestUri is not { IsAbsoluteUri: true } uri) return;
        span.SetTag("server.address", uri.Host);
        span.SetTag("server.port", uri.Port);
    }
}

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
                if (Current.Value > 0) span.SetTag(Tag, Current.Value);
            },
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }
}
