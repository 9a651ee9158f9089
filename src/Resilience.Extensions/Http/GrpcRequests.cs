using System.Net.Http.Headers;

namespace Resilience.Http;

/// <summary>Requests of gRPC: their status is in the trailers, behind the body, so that a handler can neither judge nor repeat them.</summary>
internal static class GrpcRequests
{
    private const string ContentType = "application/grpc", Library = "Grpc.Net.Client";

    /// <summary>By the class of the content, or by its type. A content whose headers nothing has touched is not asked for them
    /// where it cannot be one.</summary>
    internal static bool IsOne(HttpRequestMessage request)
    {
        if (request.Content is not { } content || request.Method != HttpMethod.Post) return false;
        return content.GetType().Namespace?.StartsWith(Library, StringComparison.Ordinal) == true
            || (request.Version.Major >= 2 && content.Headers.NonValidated.TryGetValues("Content-Type", out HeaderStringValues type)
                && type.ToString().StartsWith(ContentType, StringComparison.OrdinalIgnoreCase));
    }
}
