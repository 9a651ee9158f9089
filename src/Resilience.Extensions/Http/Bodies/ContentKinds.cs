using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Json;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Resilience.Http;

/// <summary>What is known of a content before it is sent.</summary>
internal enum ContentKind
{
    /// <summary>Nothing: it may write something else the second time, or nothing.</summary>
    Unknown = 0,

    /// <summary>It reads streams that it can rewind.</summary>
    Rewindable,

    /// <summary>It writes the same bytes each time, also to several at once.</summary>
    InMemory,
}

/// <summary>Tells contents that can be sent again from those that cannot. When in doubt they cannot.</summary>
internal static class ContentKinds
{
    private static readonly ConditionalWeakTable<Type, object> Bases = [];

    /// <param name="content">Any content.</param>
    /// <param name="streams">Gets the streams of a content that is not in memory; of use only if all of it can be rewound.</param>
    internal static ContentKind Of(HttpContent content, ref List<RewindableStream>? streams)
    {
        Type type = FrameworkTypeOf(content.GetType());
        if (type == typeof(ByteArrayContent) || type == typeof(ReadOnlyMemoryContent)) return ContentKind.InMemory;
        if (IsBuffered(content)) return ContentKind.InMemory;
        if (type == typeof(JsonContent)) return PlainData.IsPlain((JsonContent)content) ? ContentKind.InMemory : ContentKind.Unknown;
        if (type == typeof(StreamContent)) return OfStream(content, ref streams);
        return type == typeof(MultipartContent) ? OfParts((MultipartContent)content, ref streams) : ContentKind.Unknown;
    }

    /// <summary>Whether its owner has loaded it into its buffer, from which it is then sent, whatever its type.</summary>
    /// <remarks>The framework says it nowhere in public. A runtime that has renamed it makes such a content unknown.</remarks>
    internal static bool IsBuffered(HttpContent content)
    {
        try
        {
            return FrameworkMembers.IsBuffered(content);
        }
        catch (MissingMethodException)
        {
            return false;
        }
    }

    private static ContentKind OfStream(HttpContent content, ref List<RewindableStream>? streams)
    {
        if (RewindableStream.Of(content) is not { } stream) return ContentKind.Unknown;
        (streams ??= []).Add(stream);
        return ContentKind.Rewindable;
    }

    private static ContentKind OfParts(MultipartContent parts, ref List<RewindableStream>? streams)
    {
        ContentKind weakest = ContentKind.InMemory;
        foreach (HttpContent part in parts)
        {
            ContentKind kind = Of(part, ref streams);
            if (kind < weakest) weakest = kind;
            if (weakest == ContentKind.Unknown) break;
        }

        return weakest;
    }

    /// <summary>The framework's type whose way of writing this type has: its own, or that of a type which it derives from without writing
    /// in another way. <see cref="HttpContent"/> when it has a way of its own.</summary>
    private static Type FrameworkTypeOf(Type type)
    {
        if (type == typeof(ByteArrayContent) || type == typeof(StringContent) || type == typeof(FormUrlEncodedContent)) return typeof(ByteArrayContent);
        if (type == typeof(ReadOnlyMemoryContent) || type == typeof(JsonContent) || type == typeof(StreamContent)) return type;
        if (type == typeof(MultipartContent) || type == typeof(MultipartFormDataContent)) return typeof(MultipartContent);
        if (!RuntimeFeature.IsDynamicCodeSupported) return typeof(HttpContent); // where types are compiled ahead, overrides may not be seen
        if (Bases.TryGetValue(type, out object? known)) return (Type)known;
        Type found = typeof(HttpContent);
        for (Type above = type; !WritesByItself(above) && above.BaseType is { } next && next != typeof(HttpContent); above = next)
        {
            if (next.Assembly != typeof(HttpContent).Assembly) continue;
            found = FrameworkTypeOf(next);
            break;
        }

        Bases.TryAdd(type, found);
        return found;
    }

    [UnconditionalSuppressMessage(
        "Trimming", "IL2070", Justification = "Asked only where code is compiled at run time. A trimmer keeps overrides of methods that are called.")]
    private static bool WritesByItself(Type type)
    {
        const BindingFlags Declared = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        foreach (MethodInfo method in type.GetMethods(Declared))
        {
            if (method.IsVirtual && method.Name is "SerializeToStreamAsync" or "SerializeToStream" or "CreateContentReadStream"
                or "CreateContentReadStreamAsync" or "TryComputeLength") return true;
        }

        return false;
    }
}
