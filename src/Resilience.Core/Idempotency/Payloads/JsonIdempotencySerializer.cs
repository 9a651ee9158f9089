using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Resilience.Idempotency;

/// <summary>Results as JSON (System.Text.Json), by generated code: give it your <c>JsonSerializerContext</c>. Works when trimmed and in native
/// programs.</summary>
public sealed class JsonIdempotencySerializer : IIdempotencySerializer
{
    private readonly JsonSerializerOptions _options;

    /// <summary>Serializes what the resolver knows, and simple types: text, numbers, truth values, identifiers, dates, bytes.</summary>
    /// <param name="resolver">A <c>JsonSerializerContext</c> of yours, <c>MyJson.Default</c>.</param>
    /// <exception cref="ArgumentNullException"><paramref name="resolver"/> is null.</exception>
    public JsonIdempotencySerializer(IJsonTypeInfoResolver resolver)
    {
        ArgumentNullException.ThrowIfNull(resolver);
        _options = new() { TypeInfoResolver = JsonTypeInfoResolver.Combine(resolver, new SimpleTypes()) };
        _options.MakeReadOnly();
    }

    private JsonIdempotencySerializer()
    {
        _options = new() { TypeInfoResolver = new SimpleTypes() };
        _options.MakeReadOnly();
    }

    /// <summary>Serializes simple types only: text, numbers, truth values, identifiers, dates, bytes.</summary>
    public static JsonIdempotencySerializer Simple { get; } = new();

    /// <inheritdoc/>
    public bool CanSerialize(Type type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return _options.TryGetTypeInfo(type, out _);
    }

    /// <inheritdoc/>
    public void Serialize<T>(IBufferWriter<byte> destination, T value)
    {
        ArgumentNullException.ThrowIfNull(destination);
        using Utf8JsonWriter writer = new(destination);
        JsonSerializer.Serialize(writer, value, (JsonTypeInfo<T>)_options.GetTypeInfo(typeof(T)));
    }

    /// <inheritdoc/>
    public T? Deserialize<T>(ReadOnlySpan<byte> bytes) => JsonSerializer.Deserialize(bytes, (JsonTypeInfo<T>)_options.GetTypeInfo(typeof(T)));

    private sealed class SimpleTypes : IJsonTypeInfoResolver
    {
        public JsonTypeInfo? GetTypeInfo(Type type, JsonSerializerOptions options) => type switch
        {
            _ when type == typeof(string) => JsonMetadataServices.CreateValueInfo<string>(options, JsonMetadataServices.StringConverter),
            _ when type == typeof(bool) => JsonMetadataServices.CreateValueInfo<bool>(options, JsonMetadataServices.BooleanConverter),
            _ when type == typeof(int) => JsonMetadataServices.CreateValueInfo<int>(options, JsonMetadataServices.Int32Converter),
            _ when type == typeof(long) => JsonMetadataServices.CreateValueInfo<long>(options, JsonMetadataServices.Int64Converter),
            _ when type == typeof(double) => JsonMetadataServices.CreateValueInfo<double>(options, JsonMetadataServices.DoubleConverter),
            _ when type == typeof(decimal) => JsonMetadataServices.CreateValueInfo<decimal>(options, JsonMetadataServices.DecimalConverter),
            _ when type == typeof(Guid) => JsonMetadataServices.CreateValueInfo<Guid>(options, JsonMetadataServices.GuidConverter),
            _ when type == typeof(DateTimeOffset) =>
                JsonMetadataServices.CreateValueInfo<DateTimeOffset>(options, JsonMetadataServices.DateTimeOffsetConverter),
            _ when type == typeof(byte[]) => JsonMetadataServices.CreateValueInfo<byte[]>(options, JsonMetadataServices.ByteArrayConverter),
            _ => null,
        };
    }
}
