using Resilience.Overload;

namespace Resilience.Experiments;

/// <summary>How a <see cref="ClassQueueModel"/> decides who is next.</summary>
internal enum QueueOrder
{
    /// <summary>By class; within a class the oldest, up to the longest wait.</summary>
    OldestFirst,

    /// <summary>By class, with a controlled delay for each: the design.</summary>
    DelayForEachClass,

    /// <summary>By class, with one controlled delay for all, as the peers have it: a planted fault.</summary>
    OneDelay,
}

/// <summary>A fixed limit with a queue of 64 for four classes: a plain model of waiting, for comparisons. Times are those of the design: 100 ms to wait,
/// standing after 100 ms, then 5 ms.</summary>
internal sealed class ClassQueueModel(EventWorld world, int limit, QueueOrder order) : Gate
{
    private const int Most = 64;
    private const long MaxWait = 100 * TimeSpan.TicksPerMillisecond, StandingWait = 5 * TimeSpan.TicksPerMillisecond;
    private readonly List<Call>[] _waiting = [[], [], [], []];
    private readonly long[] _emptyAt = new long[4];
    private long _allEmptyAt;
    private int _running;

    internal override double Limit => limit;

    private int Waiting => _waiting.Sum(w => w.Count);

    internal override void Enter(Call call)
    {
        int waiting = Waiting;
        if (waiting == 0 && _running < limit)
        {
            Begin(call);
            return;
        }

        if (waiting >= Most)
        {
            int lowest = Array.FindIndex(_waiting, w => w.Count > 0);
            if (lowest < 0 || lowest >= (int)call.Criticality)
            {
                Owner.Reject(call);
                return;
            }

            Owner.Reject(Take(lowest, newest: true));
        }

        if (_waiting[(int)call.Criticality].Count == 0) _emptyAt[(int)call.Criticality] = world.Now;
        if (waiting == 0) _allEmptyAt = world.Now;
        _waiting[(int)call.Criticality].Add(call);
    }

    internal override void Leave(Call call, CallEnd end)
    {
        _running--;
        while (_running < limit)
        {
            int next = Array.FindLastIndex(_waiting, w => w.Count > 0);
            if (next < 0) return;
            long empty = order == QueueOrder.OneDelay ? _allEmptyAt : _emptyAt[next];
            bool isStanding = order != QueueOrder.OldestFirst && world.Now - empty > MaxWait;
            Call first = Take(next, newest: isStanding && order == QueueOrder.DelayForEachClass);
            if (world.Now - first.ArrivedAt > (isStanding ? StandingWait : MaxWait)) Owner.Reject(first);
            else Begin(first);
        }
    }

    private Call Take(int line, bool newest)
    {
        List<Call> calls = _waiting[line];
        int index = newest ? calls.Count - 1 : 0;
        Call call = calls[index];
        calls.RemoveAt(index);
        if (calls.Count == 0) _emptyAt[line] = world.Now;
        if (Waiting == 0) _allEmptyAt = world.Now;
        return call;
    }

    private void Begin(Call call)
    {
        _running++;
        Owner.Begin(call);
    }
}
