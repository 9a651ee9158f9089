namespace Resilience.Idempotency;

/// <summary>What <see cref="Slabs{T}"/> holds: it can name another one of its kind.</summary>
internal interface ISlabCell
{
    /// <summary>The number of another cell, 0 for none. While the cell is free it is the slabs' own.</summary>
    int Next { get; set; }
}

/// <summary>Cells that are known by a number, in few large arrays without references: the collector neither looks into them nor moves them.</summary>
/// <remarks>
/// <para>Not thread-safe. Numbers begin at 1, so that 0 can mean none. A cell that is taken holds what was in it before.</para>
/// <para>The first array begins small and is copied until it has its full length, so references to cells end with the next
/// <see cref="Take"/>. Of the arrays in which nothing is in use one is kept and the others are given back.</para>
/// </remarks>
internal sealed class Slabs<T>
    where T : unmanaged, ISlabCell
{
    private const int FirstLength = 8;

    private readonly int _shift;
    private T[][] _cells = [];
    private Slab?[] _slabs = []; // beside _cells; null where an array was given back
    private Slab? _withRoom; // the first of those that have a free cell
    private Slab? _spare; // has no cell in use; it is also among those that have room
    private int _free; // in all of them, room to grow not counted

    /// <param name="shift">An array of full length has 2 to the power of this many cells.</param>
    internal Slabs(int shift) => _shift = shift;

    /// <summary>How many cells there are, in use and free.</summary>
    internal int Capacity => _cells.Sum(static cells => cells.Length);

    /// <summary>The cell of a number that was taken.</summary>
    internal ref T this[int number] => ref _cells[(number - 1) >> _shift][(number - 1) & ((1 << _shift) - 1)];

    /// <summary>Makes sure that so many can be taken without more memory.</summary>
    internal void Reserve(int count)
    {
        while (_free < count) Grow();
    }

    /// <summary>The number of a cell that was free.</summary>
    internal int Take()
    {
        if (_free == 0) Grow();
        Slab slab = _withRoom!;
        if (slab == _spare) _spare = null;
        int number = slab.FirstFree;
        if (number != 0) slab.FirstFree = this[number].Next;
        else number = NumberOf(slab, slab.Fresh++);
        slab.InUse++;
        _free--;
        if (!HasRoom(slab)) Unlink(slab);
        return number;
    }

    /// <summary>Frees a cell that was taken.</summary>
    internal void Free(int number)
    {
        Slab slab = _slabs[(number - 1) >> _shift]!;
        if (!HasRoom(slab)) Link(slab);
        this[number].Next = slab.FirstFree;
        slab.FirstFree = number;
        _free++;
        if (--slab.InUse > 0) return;
        if (_spare is null) _spare = slab;
        else GiveBack(slab);
    }

    private int NumberOf(Slab slab, int offset) => (slab.Index << _shift) + offset + 1;

    private bool HasRoom(Slab slab) => slab.FirstFree != 0 || slab.Fresh < _cells[slab.Index].Length;

    private void Grow()
    {
        int full = 1 << _shift;
        if (_slabs is [{ } only] && _cells[0].Length < full)
        {
            int length = _cells[0].Length;
            bool hadRoom = HasRoom(only);
            Array.Resize(ref _cells[0], Math.Min(2 * length, full));
            _free += _cells[0].Length - length;
            if (!hadRoom) Link(only);
            return;
        }

        int index = Array.IndexOf(_slabs, null);
        if (index < 0)
        {
            index = _slabs.Length;
            int max = index == 0 ? 1 : 2 * index;
            T[][] cells = new T[max][];
            Array.Fill(cells, []);
            _cells.CopyTo(cells, 0);
            Array.Resize(ref _slabs, max);
            _cells = cells;
        }

        // Not cleared: a cell is written after it is taken, before it is read.
        _cells[index] = GC.AllocateUninitializedArray<T>(index == 0 && _slabs.Length == 1 ? Math.Min(FirstLength, full) : full);
        _slabs[index] = new(index);
        _free += _cells[index].Length;
        Link(_slabs[index]!);
    }

    private void GiveBack(Slab slab)
    {
        Unlink(slab);
        _free -= _cells[slab.Index].Length;
        _cells[slab.Index] = [];
        _slabs[slab.Index] = null;
    }

    private void Link(Slab slab)
    {
        slab.Later = _withRoom;
        if (_withRoom is not null) _withRoom.Earlier = slab;
        _withRoom = slab;
    }

    private void Unlink(Slab slab)
    {
        if (slab.Earlier is { } earlier) earlier.Later = slab.Later;
        else _withRoom = slab.Later;
        if (slab.Later is { } later) later.Earlier = slab.Earlier;
        (slab.Earlier, slab.Later) = (null, null);
    }

    /// <summary>What is known about one array.</summary>
    private sealed class Slab(int index)
    {
        internal readonly int Index = index;

        /// <summary>The first free cell of those that were in use before, 0 for none.</summary>
        internal int FirstFree;

        /// <summary>The offset of the first cell that was never in use.</summary>
        internal int Fresh;

        internal int InUse;

        /// <summary>Neighbours among those that have room.</summary>
        internal Slab? Earlier, Later;
    }
}
