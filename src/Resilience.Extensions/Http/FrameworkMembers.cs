using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;

namespace Resilience.Http;

/// <summary>What the framework knows of a content and says nowhere in public. A runtime that has renamed one of these throws
/// <see cref="MissingMemberException"/>.</summary>
internal static class FrameworkMembers
{
    /// <summary>Whether the content has been loaded into its buffer.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_IsBuffered")]
    internal static extern bool IsBuffered(HttpContent content);

    /// <summary>The contract by which a JSON content is written.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_typeInfo")]
    internal static extern ref JsonTypeInfo TypeInfo(JsonContent content);
}
