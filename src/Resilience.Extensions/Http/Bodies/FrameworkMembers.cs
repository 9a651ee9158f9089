using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;

namespace Resilience.Http;

/// <summary>What the framework knows of a message or a content and says nowhere in public. A runtime that has renamed one of these throws
/// <see cref="MissingMemberException"/>.</summary>
internal static class FrameworkMembers
{
    /// <summary>Whether the content has been loaded into its buffer.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_IsBuffered")]
    internal static extern bool IsBuffered(HttpContent content);

    /// <summary>The contract by which a JSON content is written.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_typeInfo")]
    internal static extern ref JsonTypeInfo TypeInfo(JsonContent content);

    /// <summary>The headers of a request; null where they were never asked for, which would make them.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_headers")]
    internal static extern ref HttpRequestHeaders? Headers(HttpRequestMessage request);

    /// <summary>The options of a request; null where they were never asked for, which would make them.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_options")]
    internal static extern ref HttpRequestOptions? Options(HttpRequestMessage request);
}
