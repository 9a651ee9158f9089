using Grpc.Core;

namespace Resilience.Grpc;

/// <summary>Reads when to come back from <c>google.rpc.RetryInfo</c> among the details of a status, which travel as a <c>google.rpc.Status</c> in the trailer
/// <c>grpc-status-details-bin</c>.</summary>
/// <remarks>A reader of three messages of a few fields each, so that no package of these types is needed. What cannot be read says nothing.</remarks>
internal static class RetryInfo
{
    internal const string Key = "grpc-status-details-bin";

    private const int DetailsOfStatus = 3, TypeOfAny = 1, ValueOfAny = 2, DelayOfInfo = 1, Seconds = 1, Nanos = 2;

    private static ReadOnlySpan<byte> TypeName => "google.rpc.RetryInfo"u8;

    /// <summary>Null: it is not there, cannot be read, or is not in the future.</summary>
    internal static TimeSpan? Of(Metadata trailers) => trailers.GetValueBytes(Key) is { } bytes ? Of(bytes) : null;

    internal static TimeSpan? Of(ReadOnlySpan<byte> status)
    {
        Fields fields = new(status);
        while (fields.Next())
        {
            if (fields.Number == DetailsOfStatus && OfDetail(fields.Bytes) is { } wait) return wait;
        }

        return null;
    }

    private static TimeSpan? OfDetail(ReadOnlySpan<byte> any)
    {
        bool isOurs = false;
        TimeSpan? wait = null;
        Fields fields = new(any);
        while (fields.Next())
        {
            if (fields.Number == TypeOfAny) isOurs = fields.Bytes[(fields.Bytes.LastIndexOf((byte)'/') + 1)..].SequenceEqual(TypeName);
            else if (fields.Number == ValueOfAny) wait = OfInfo(fields.Bytes);
        }

        return isOurs ? wait : null;
    }

    private static TimeSpan? OfInfo(ReadOnlySpan<byte> info)
    {
        Fields fields = new(info);
        while (fields.Next())
        {
            if (fields.Number == DelayOfInfo) return OfDuration(fields.Bytes);
        }

        return null;
    }

    private static TimeSpan? OfDuration(ReadOnlySpan<byte> duration)
    {
        long seconds = 0, nanos = 0;
        Fields fields = new(duration);
        while (fields.Next())
        {
            if (fields.Number == Seconds) seconds = (long)fields.Value;
            else if (fields.Number == Nanos) nanos = (long)fields.Value;
        }

        if (seconds < 0 || nanos is < 0 or >= 1_000_000_000 || seconds > TimeSpan.MaxValue.Ticks / TimeSpan.TicksPerSecond - 1) return null;
        TimeSpan wait = new(seconds * TimeSpan.TicksPerSecond + (nanos + 99) / 100);
        return wait > TimeSpan.Zero ? wait : null;
    }

    /// <summary>The fields of a message, one after the other. A message that is cut off, or has what we do not know, ends there.</summary>
    private ref struct Fields(ReadOnlySpan<byte> rest)
    {
        private ReadOnlySpan<byte> _rest = rest;

        internal int Number { get; private set; }

        /// <summary>Of a field that is a number.</summary>
        internal ulong Value { get; private set; }

        /// <summary>Of a field that is text, bytes or a message.</summary>
        internal ReadOnlySpan<byte> Bytes { get; private set; }

        internal bool Next()
        {
            Value = 0;
            Bytes = default;
            if (_rest.IsEmpty || !TryReadNumber(out ulong tag)) return false;
            Number = (int)(tag >> 3);
            switch (tag & 7)
            {
                case 0:
                    bool isRead = TryReadNumber(out ulong value);
                    Value = value;
                    return isRead;
                case 1:
                    return TrySkip(8);
                case 2:
                    return TryReadNumber(out ulong length) && length <= (ulong)_rest.Length && TrySkip((int)length);
                case 5:
                    return TrySkip(4);
                default:
                    return false;
            }
        }

        private bool TrySkip(int length)
        {
            if (length > _rest.Length) return false;
            Bytes = _rest[..length];
            _rest = _rest[length..];
            return true;
        }

        private bool TryReadNumber(out ulong value)
        {
            value = 0;
            for (int i = 0; i < 10 && i < _rest.Length; i++)
            {
                value |= (ulong)(_rest[i] & 0x7F) << (7 * i);
                if (_rest[i] >= 0x80) continue;
                _rest = _rest[(i + 1)..];
                return true;
            }

            return false;
        }
    }
}
