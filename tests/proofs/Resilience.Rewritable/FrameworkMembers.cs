using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;

namespace Resilience.Http;

/// <summary>Stands in for the accessors of the package, which have no body that could be rewritten. No scenario sends a content.</summary>
internal static class FrameworkMembers
{
    internal static bool IsBuffered(HttpContent content) => throw new NotSupportedException(content.GetType().Name);

    internal static ref JsonTypeInfo TypeInfo(JsonContent content) => throw new NotSupportedException(content.GetType().Name);

    internal static ref HttpRequestHeaders? Headers(HttpRequestMessage request) => throw new MissingFieldException(request.GetType().Name);

    internal static ref HttpRequestOptions? Options(HttpRequestMessage request) => throw new MissingFieldException(request.GetType().Name);
}
