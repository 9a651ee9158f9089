using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Resilience.Idempotency;

/// <summary>Where a payload lies: its first cell (any other number than 0 for large ones), and its length.</summary>
internal readonly record struct InMemoryPayload(int First, int Length);

/// <summary>The payloads of one part of an in-memory store: small ones in chains of cells of one size, so that no room is ever too narrow
/// for what comes next; large ones in arrays of their own.</summary>
/// <remarks>Not thread-safe. Cells are used again, so what is read from them is a copy; arrays are not, so they are handed out as they are.</remarks>
internal sealed class InMemoryPayloads
{
    /// <summary>Up to here a copy costs less than an object that the collector has to move.</summary>
    internal const int MaxInCells = 1024;

    /// <summary>What an array of its own takes beside its content: its header, its entry in the table, and its part of free entries.</summary>
    private const int ArrayBytes = 64;

    private const int SlabShift = 10;

    private readonly Slabs<Cell> _cells = new(SlabShift);
    private Dictionary<int, byte[]>? _large;
    private int _lastLarge;

    /// <summary>The bytes of the slabs, and about those of the arrays.</summary>
    internal long Reserved => ((long)_cells.Capacity * Unsafe.SizeOf<Cell>()) + (_large?.Values.Sum(static array => (long)array.Length) ?? 0);

    /// <summary>True when the content needs an array of its own.</summary>
    internal static bool IsLarge(int length) => length > MaxInCells;

    /// <summary>The bytes that a payload takes.</summary>
    internal static int Size(InMemoryPayload payload) =>
        IsLarge(payload.Length) ? payload.Length + ArrayBytes : CellsFor(payload.Length) * Unsafe.SizeOf<Cell>();

    /// <summary>Keeps a content.</summary>
    /// <param name="content">What to keep.</param>
    /// <param name="own">The same in an array of its own, if it is large.</param>
    internal InMemoryPayload Keep(ReadOnlySpan<byte> content, byte[]? own)
    {
        if (own is not null) return KeepLarge(own);
        int length = content.Length;
        _cells.Reserve(CellsFor(length));
        int first = 0, last = 0;
        while (!content.IsEmpty)
        {
            int number = _cells.Take();
            ref Cell cell = ref _cells[number];
            int part = Math.Min(content.Length, Cell.Room);
            content[..part].CopyTo(cell.Content);
            content = content[part..];
            cell.Next = 0;
            if (last == 0) first = number;
            else _cells[last].Next = number;
            last = number;
        }

        return new(first, length);
    }

    /// <summary>The content, which no longer changes.</summary>
    internal ReadOnlyMemory<byte> Read(InMemoryPayload payload)
    {
        if (payload.Length == 0) return default;
        if (IsLarge(payload.Length)) return _large![payload.First];
        byte[] copy = GC.AllocateUninitializedArray<byte>(payload.Length);
        Span<byte> rest = copy;
        for (int number = payload.First; !rest.IsEmpty; number = _cells[number].Next)
        {
            int part = Math.Min(rest.Length, Cell.Room);
            _cells[number].Content[..part].CopyTo(rest);
            rest = rest[part..];
        }

        return copy;
    }

    /// <summary>Frees what a content took.</summary>
    internal void Free(InMemoryPayload payload)
    {
        if (IsLarge(payload.Length))
        {
            _large!.Remove(payload.First);
            return;
        }

        int next;
        for (int number = payload.First; number != 0; number = next)
        {
            next = _cells[number].Next;
            _cells.Free(number);
        }
    }

    private InMemoryPayload KeepLarge(byte[] own)
    {
        _large ??= [];
        do ++_lastLarge;
        while (_lastLarge == 0 || !_large.TryAdd(_lastLarge, own));
        return new(_lastLarge, own.Length);
    }

    private static int CellsFor(int length) => (length + Cell.Room - 1) / Cell.Room;

    /// <summary>A part of a payload: one line of the processor's cache.</summary>
    private struct Cell : ISlabCell
    {
        internal const int Room = 60;

        private Bytes _bytes;

        public int Next { get; set; }

        [UnscopedRef]
        internal Span<byte> Content => _bytes;

        [InlineArray(Room)]
        private struct Bytes
        {
            private byte _first;
        }
    }
}
