namespace Resilience;

/// <summary>What is due next: a binary heap in which everything knows its place, so that what is withdrawn leaves at once.</summary>
/// <remarks>Most waits are withdrawn before they are due; a heap that only marked them would keep those of a day for a day. Not thread-safe.</remarks>
internal sealed class TimerHeap
{
    private TimedWork[] _works = new TimedWork[16];

    internal int Count { get; private set; }

    /// <summary>When the first is due; <see cref="Clock.Never"/> when there is none.</summary>
    internal long EarliestMs => Count == 0 ? Clock.Never : _works[0].HeapDueMs;

    internal void Add(TimedWork work, long dueMs)
    {
        if (Count == _works.Length) Array.Resize(ref _works, Count * 2);
        work.HeapDueMs = dueMs;
        Rise(work, Count++);
    }

    internal void Remove(TimedWork work)
    {
        int hole = work.HeapIndex;
        if (hole < 0) return;
        work.HeapIndex = -1;
        TimedWork last = _works[--Count];
        _works[Count] = null!;
        if (ReferenceEquals(last, work)) return;
        if (hole > 0 && last.HeapDueMs < _works[Parent(hole)].HeapDueMs) Rise(last, hole);
        else Sink(last, hole);
    }

    /// <summary>Takes the first out if it is due.</summary>
    internal TimedWork? TakeDue(long nowMs)
    {
        if (EarliestMs > nowMs) return null;
        TimedWork first = _works[0];
        Remove(first);
        return first;
    }

    private static int Parent(int index) => (index - 1) / 2;

    private void Rise(TimedWork work, int hole)
    {
        for (int parent = Parent(hole); hole > 0 && work.HeapDueMs < _works[parent].HeapDueMs; parent = Parent(hole))
        {
            Put(_works[parent], hole);
            hole = parent;
        }

        Put(work, hole);
    }

    private void Sink(TimedWork work, int hole)
    {
        for (int child; (child = (2 * hole) + 1) < Count; hole = child)
        {
            if (child + 1 < Count && _works[child + 1].HeapDueMs < _works[child].HeapDueMs) child++;
            if (_works[child].HeapDueMs >= work.HeapDueMs) break;
            Put(_works[child], hole);
        }

        Put(work, hole);
    }

    private void Put(TimedWork work, int index)
    {
        _works[index] = work;
        work.HeapIndex = index;
    }
}
