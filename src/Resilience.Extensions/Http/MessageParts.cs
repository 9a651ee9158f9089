using System.Net.Http.Headers;

namespace Resilience.Http;

/// <summary>The headers and options of a request, without making those that no code has asked for: most requests have none, and they would cost 150
/// bytes.</summary>
internal static class MessageParts
{
    private static readonly bool AreKnown = Look();

    /// <summary>Null: the request has none.</summary>
    internal static HttpRequestHeaders? HeadersOf(HttpRequestMessage request) => AreKnown ? FrameworkMembers.Headers(request) : request.Headers;

    /// <summary>Null: the request has none.</summary>
    internal static HttpRequestOptions? OptionsOf(HttpRequestMessage request) => AreKnown ? FrameworkMembers.Options(request) : request.Options;

    /// <summary>False on a runtime that has renamed them.</summary>
    private static bool Look()
    {
        using HttpRequestMessage request = new();
        try
        {
            return FrameworkMembers.Headers(request) is null && FrameworkMembers.Options(request) is null
                && ReferenceEquals(request.Headers, FrameworkMembers.Headers(request)) && ReferenceEquals(request.Options, FrameworkMembers.Options(request));
        }
        catch (MissingFieldException)
        {
            return false;
        }
    }
}
