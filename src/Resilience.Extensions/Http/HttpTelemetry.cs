using System.Diagnostics;

namespace Resilience.Http;

/// <summary>What the handlers add to the telemetry of the pipelines.</summary>
internal static class HttpTelemetry
{
    /// <inheritdoc cref="SafeCalls.Report(string, Exception)"/>
    internal static void CallbackFailed(string callback, Exception error) => SafeCalls.Report(callback, error);

    /// <summary>Says on the span of the whole operation whom it asks; the spans of the attempts are its children.</summary>
    internal static void DescribeOperation(HttpRequestMessage request)
    {
        Activity? span = Activity.Current;
        if (span?.OperationName == ResilienceTelemetry.AttemptSpanName) span = span.Parent;
        if (span is not { IsAllDataRequested: true } || span.Source.Name != ResilienceTelemetry.ActivitySourceName) return;
        SafeCalls.Tag(span, "http.request.method", request.Method.Method);
        if (request.RequestUri is not { IsAbsoluteUri: true } uri) return;
        SafeCalls.Tag(span, "server.address", uri.Host);
        SafeCalls.Tag(span, "server.port", uri.Port);
    }
}
