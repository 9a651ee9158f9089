using System.Buffers;

namespace Resilience.Idempotency;

/// <summary>Turns results into bytes and back. Implementations are thread-safe.</summary>
/// <remarks>The bytes are stored for as long as the retention: a newer version of your program must be able to read them.</remarks>
public interface IIdempotencySerializer
{
    /// <summary>True when values of this type can be written and read. Asked before anything is executed.</summary>
    bool CanSerialize(Type type);

    /// <summary>Writes a value.</summary>
    void Serialize<T>(IBufferWriter<byte> destination, T value);

    /// <summary>Reads a value; throws when the bytes are not one.</summary>
    T? Deserialize<T>(ReadOnlySpan<byte> bytes);
}
