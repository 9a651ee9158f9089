using System.Net.Http.Json;

namespace Resilience;

/// <summary>What is known of the body of a response from the class of its content.</summary>
internal static class ResponseContent
{
    private static readonly Type Empty = TypeOfEmpty();

    /// <summary>It was never on its way: a handler that answers by itself, a stub, made it. It holds no connection, cannot stall, and may be
    /// returned again.</summary>
    internal static bool IsInMemory(HttpContent content) =>
        content is ByteArrayContent or ReadOnlyMemoryContent or JsonContent || content.GetType() == Empty;

    private static Type TypeOfEmpty()
    {
        using HttpResponseMessage response = new();
        return response.Content.GetType();
    }
}
