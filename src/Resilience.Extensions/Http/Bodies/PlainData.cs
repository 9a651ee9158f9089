using System.CodeDom.Compiler;
using System.Collections;
using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Net.Http.Json;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Resilience.Http;

/// <summary>Tells values that are written as the same JSON each time from those that may be computed while they are written: sequences,
/// properties with code of their own, converters.</summary>
/// <remarks>Decided by the type, once, and by the options of the serializer, once for each. A <see cref="JsonNode"/> is not plain: a value in it may be any
/// object.</remarks>
internal static class PlainData
{
    private static readonly ConditionalWeakTable<object, object> Known = [];
    private static readonly object Yes = new(), No = new();

    private static readonly FrozenSet<Type> Simple = new[]
    {
        typeof(string), typeof(decimal), typeof(DateTime), typeof(DateTimeOffset), typeof(DateOnly), typeof(TimeOnly), typeof(TimeSpan), typeof(Guid),
        typeof(Uri), typeof(Version), typeof(Int128), typeof(UInt128), typeof(Half), typeof(JsonElement), typeof(JsonDocument),
    }.ToFrozenSet();

    /// <summary>Of these the serializer asks nothing that a derived class could answer in another way.</summary>
    private static readonly FrozenSet<Type> Collections = new[]
    {
        typeof(List<>), typeof(Dictionary<,>), typeof(KeyValuePair<,>), typeof(ImmutableArray<>), typeof(ImmutableList<>), typeof(ImmutableDictionary<,>),
        typeof(ImmutableHashSet<>), typeof(ImmutableSortedDictionary<,>), typeof(ImmutableSortedSet<>), typeof(Nullable<>),
    }.ToFrozenSet();

    /// <summary>These it reads as sequences, which a derived class may give anew: plain where they are the value itself, whose class is known.</summary>
    private static readonly FrozenSet<Type> Sequences = new[]
    {
        typeof(HashSet<>), typeof(Queue<>), typeof(Stack<>), typeof(LinkedList<>), typeof(SortedSet<>), typeof(SortedDictionary<,>), typeof(SortedList<,>),
    }.ToFrozenSet();

    /// <summary>Whether the content writes the same bytes each time.</summary>
    internal static bool IsPlain(JsonContent content)
    {
        if (TypeInfoOf(content) is not { } typeInfo || !IsOfOptions(typeInfo) || !IsPlain(typeInfo.Options)) return false;
        if (content.Value is not { } value) return true;
        Type type = value.GetType();

        // A sequence is written by its items, whatever it is declared as; an object by the properties of the declared type.
        bool isWrittenAsItself = content.ObjectType == type || content.ObjectType == typeof(object) || value is IEnumerable;
        return isWrittenAsItself && IsPlain(type);
    }

    /// <summary>Whether only the serializer, or code that it has generated, writes or reads members.</summary>
    private static bool IsPlain(JsonSerializerOptions options)
    {
        if (Known.TryGetValue(options, out object? known)) return known == Yes;
        bool isPlain = options.Converters.All(static converter => IsOfSerializer(converter))
            && (options.ReferenceHandler is null || IsOfSerializer(options.ReferenceHandler))
            && options.TypeInfoResolverChain.All(static resolver => resolver is JsonSerializerContext
                ? resolver.GetType().IsDefined(typeof(GeneratedCodeAttribute), inherit: false)
                : resolver is DefaultJsonTypeInfoResolver { Modifiers.Count: 0 } && IsOfSerializer(resolver));
        Known.TryAdd(options, isPlain ? Yes : No);
        return isPlain;
    }

    /// <summary>Whether the contract is the one that the options have for all. One that was given with the value may be changed, or made, by hand.</summary>
    private static bool IsOfOptions(JsonTypeInfo typeInfo)
    {
        try
        {
            return typeInfo.Options.IsReadOnly && ReferenceEquals(typeInfo.Options.GetTypeInfo(typeInfo.Type), typeInfo);
        }
        catch (Exception)
        {
            return false; // the options do not know it: the sending will say what is wrong
        }
    }

    private static bool IsOfSerializer(object part) => part.GetType().Assembly == typeof(JsonSerializer).Assembly;

    /// <summary>The framework says it nowhere in public. Null where a runtime has renamed it: such a content is unknown.</summary>
    private static JsonTypeInfo? TypeInfoOf(JsonContent content)
    {
        try
        {
            return FrameworkMembers.TypeInfo(content);
        }
        catch (MissingFieldException)
        {
            return null;
        }
    }

    private static bool IsPlain(Type type)
    {
        if (Known.TryGetValue(type, out object? known)) return known == Yes;
        bool isPlain = IsPlain(type, []);
        Known.TryAdd(type, isPlain ? Yes : No);
        return isPlain;
    }

    /// <param name="type">The type.</param>
    /// <param name="asked">The types around it that are being looked at: a type that contains itself is as plain as the rest of it.</param>
    private static bool IsPlain(Type type, HashSet<Type> asked)
    {
        if (type.IsPrimitive || type.IsEnum || Simple.Contains(type) || !asked.Add(type)) return true;
        if (type.IsArray) return IsPlain(type.GetElementType()!, asked);
        if (type.IsGenericType && type.GetGenericTypeDefinition() is var kind && (Collections.Contains(kind) || (asked.Count == 1 && Sequences.Contains(kind))))
            return Array.TrueForAll(type.GetGenericArguments(), a => IsPlain(a, asked));
        bool hasNoCode = JsonSerializer.IsReflectionEnabledByDefault && RuntimeFeature.IsDynamicCodeSupported
            && (type.IsClass || type.IsValueType) && !type.IsAbstract && type != typeof(object) && !typeof(Delegate).IsAssignableFrom(type)
            && !typeof(IEnumerable).IsAssignableFrom(type) && !IsAsyncSequence(type) && !typeof(IJsonOnSerializing).IsAssignableFrom(type)
            && !IsWrittenByOthers(type);
        return hasNoCode && HasPlainMembers(type, asked);
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Asked only where the serializer itself may reflect on the type.")]
    private static bool IsAsyncSequence(Type type) =>
        Array.Exists(type.GetInterfaces(), i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IAsyncEnumerable<>));

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "Asked only where the serializer itself may reflect on the type.")]
    private static bool HasPlainMembers(Type type, HashSet<Type> asked)
    {
        const BindingFlags All = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
        foreach (PropertyInfo property in type.GetProperties(All))
        {
            if (property.GetMethod is not { } get || (!get.IsPublic && !property.IsDefined(typeof(JsonIncludeAttribute)))) continue;
            bool isStored = get.IsDefined(typeof(CompilerGeneratedAttribute)) || type.IsDefined(typeof(CompilerGeneratedAttribute));
            bool isFinal = !get.IsVirtual || get.IsFinal || type.IsSealed;
            if (!isStored || !isFinal || IsWrittenByOthers(property) || !IsPlain(property.PropertyType, asked)) return false;
        }

        foreach (FieldInfo field in type.GetFields(All))
        {
            if (!field.IsPublic && !field.IsDefined(typeof(JsonIncludeAttribute))) continue;
            if (IsWrittenByOthers(field) || !IsPlain(field.FieldType, asked)) return false;
        }

        return true;
    }

    /// <summary>Whether an attribute gives the writing to other code.</summary>
    private static bool IsWrittenByOthers(MemberInfo member) =>
        member.IsDefined(typeof(JsonConverterAttribute), inherit: true) || member.IsDefined(typeof(JsonPolymorphicAttribute), inherit: true)
        || member.IsDefined(typeof(JsonDerivedTypeAttribute), inherit: true);
}
