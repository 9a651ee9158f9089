using System.Buffers;
using Grpc.Core;

namespace Resilience.Grpc;

/// <summary>Messages as bytes, by whatever writes and reads those of the method.</summary>
internal static class MessageBytes
{
    internal static ReadOnlyMemory<byte> Write<T>(Marshaller<T> marshaller, T message)
    {
        Writing writing = new();
        marshaller.ContextualSerializer(message, writing);
        return writing.Written;
    }

    internal static T Read<T>(Marshaller<T> marshaller, ReadOnlyMemory<byte> bytes) => marshaller.ContextualDeserializer(new Reading(bytes));

    private sealed class Writing : SerializationContext
    {
        private ArrayBufferWriter<byte>? _buffer;
        private ReadOnlyMemory<byte>? _whole;

        internal ReadOnlyMemory<byte> Written => _whole ?? _buffer?.WrittenMemory ?? default;

        public override void Complete(byte[] payload) => _whole = payload;

        public override IBufferWriter<byte> GetBufferWriter() => _buffer ??= new();

        public override void SetPayloadLength(int payloadLength)
        {
            if (payloadLength > 0) _buffer ??= new(payloadLength);
        }

        public override void Complete()
        {
        }
    }

    private sealed class Reading(ReadOnlyMemory<byte> bytes) : DeserializationContext
    {
        public override int PayloadLength => bytes.Length;

        public override byte[] PayloadAsNewBuffer() => bytes.ToArray();

        public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => new(bytes);
    }
}
