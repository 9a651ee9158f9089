using Resilience.Overload;

namespace Resilience;

/// <summary>How calls wait for a place of an <see cref="AdaptiveConcurrencyLimit"/>, under a lock that runs no user code and that callers who find a place
/// never touch.</summary>
internal sealed class LimitQueue(AdaptiveConcurrencyLimit limit)
{
    private readonly Lock _gate = new();
    private readonly ClassQueue<WaitingCall> _queue = new();

    internal int Count
    {
        get
        {
            lock (_gate) return _queue.Count;
        }
    }

    /// <summary>How many of each class wait.</summary>
    internal int[] CountByClass()
    {
        int[] counts = new int[AdaptiveConcurrencyLimit.Classes];
        lock (_gate)
        {
            for (int i = 0; i < counts.Length; i++) counts[i] = _queue.CountOf((Criticality)i);
        }

        return counts;
    }

    internal ValueTask<LimitAdmission> WaitAsync(Criticality criticality, long wait, bool blocksThread, CancellationToken cancellationToken)
    {
        long now = limit.Now;
        WaitingCall waiter = new(this, criticality, blocksThread);
        WaitingCall? evicted;
        lock (_gate)
        {
            while (true)
            {
                LimitPeriod period = limit.Period; // acquire, and before the word, as in TryEnter
                AdaptiveLimitWord seen = new(Volatile.Read(ref limit.Word)); // acquire: pairs with the compare-and-swaps on this word
                int max = period.Setup.Queue.MaxOf(seen.Limit);
                bool enters = seen.MayEnter(seen.Limit);
                if (!enters && !_queue.HasRoom(criticality, max)) return new(limit.Reject(period, AdaptiveLimitReason.QueueFull, criticality));
                AdaptiveLimitWord next = enters ? seen.Entered : seen.WithWaiting(true);
                if (Interlocked.CompareExchange(ref limit.Word, next.Bits, seen.Bits) != seen.Bits) continue;
                if (enters) return new(new LimitAdmission(new LimitPermit(period.Epoch, now)));
                waiter.Node = _queue.Add(waiter, criticality, now, now + wait, max, out evicted);
                if (evicted is not null) evicted.Node = null;
                break;
            }
        }

        evicted?.End(AdaptiveLimitReason.Evicted);
        return AwaitTurnAsync(waiter, TimeSpan.FromTicks(wait), cancellationToken);
    }

    private async ValueTask<LimitAdmission> AwaitTurnAsync(WaitingCall waiter, TimeSpan wait, CancellationToken cancellationToken)
    {
        using ITimer? timer = StartTimer(waiter, wait);
        using CancellationTokenRegistration cancelled = cancellationToken.UnsafeRegister(static (w, token) => ((WaitingCall)w!).Cancel(token), waiter);
        if (waiter.BlocksThread) _ = SynchronousWait.For(waiter.Task);
        AdaptiveLimitRejection? rejection = await waiter.Task.ConfigureAwait(false);
        return rejection is null ? new(new LimitPermit(waiter.Epoch!, limit.Now)) : new(rejection); // the time in the queue is no latency
    }

    /// <summary>Without a timer nothing would end the wait, so it ends at once.</summary>
    private ITimer? StartTimer(WaitingCall waiter, TimeSpan wait)
    {
        try
        {
            return limit.Clock.CreateTimer(static w => ((WaitingCall)w!).GiveUp(), waiter, wait, Timeout.InfiniteTimeSpan);
        }
        catch (Exception error)
        {
            Safely.Report("time provider", error);
            waiter.GiveUp();
            return null;
        }
    }

    /// <summary>Lets in as many of those who wait as there are places, and sends away those that come up too late. Their continuations run elsewhere, after the
    /// lock.</summary>
    internal void AdmitWaiting()
    {
        if (!new AdaptiveLimitWord(Volatile.Read(ref limit.Word)).HasWaiting) return; // acquire; who sets it sees the place that became free
        while (true)
        {
            long now = limit.Now; // before the lock: the clock may be the user's
            WaitingCall next;
            AdaptiveLimitReason? rejected;
            lock (_gate)
            {
                LimitPeriod period = limit.Period; // acquire, and before the word, as in TryEnter
                AdaptiveLimitWord seen = new(Volatile.Read(ref limit.Word)); // acquire: pairs with the compare-and-swaps on this word
                if (!seen.MayAdmitWaiting || _queue.Next(now, period.Setup.Queue, out rejected) is not { } first) return;
                AdaptiveLimitWord after = (rejected is null ? seen.Entered : seen).WithWaiting(_queue.Count > 1);
                if (Interlocked.CompareExchange(ref limit.Word, after.Bits, seen.Bits) != seen.Bits) continue;
                next = first.Value.Waiter;
                next.Epoch = period.Epoch;
                next.Node = null;
                _queue.Remove(first, now);
            }

            if (rejected is { } why) next.End(why);
            else next.Admit();
        }
    }

    /// <summary>Takes a waiter out of the queue. False when it is not there any more: the thread that took it out says how its wait ended.</summary>
    private bool TryLeaveQueue(WaitingCall waiter)
    {
        long now = limit.Now;
        lock (_gate)
        {
            if (waiter.Node is not { } node) return false;
            _queue.Remove(node, now);
            waiter.Node = null;
            if (_queue.Count == 0) ClearWaiting();
            return true;
        }
    }

    private void ClearWaiting()
    {
        AdaptiveLimitWord seen = new(Volatile.Read(ref limit.Word)); // acquire: pairs with the compare-and-swaps on this word
        while (true)
        {
            long found = Interlocked.CompareExchange(ref limit.Word, seen.WithWaiting(false).Bits, seen.Bits);
            if (found == seen.Bits) return;
            seen = new(found);
        }
    }

    private Clock Clock => limit.Clock;

    private AdaptiveLimitRejection CountRejection(AdaptiveLimitReason why, Criticality criticality) => limit.CountRejection(limit.Period, why, criticality);

    /// <summary>A caller who waits. The thread that takes it out of the queue, under the lock, says how the wait ended. It goes on elsewhere: not in the
    /// leaving of another call, nor in a timer, nor in a cancellation.</summary>
    private sealed class WaitingCall(LimitQueue queue, Criticality criticality, bool blocksThread)
        : TaskCompletionSource<AdaptiveLimitRejection?>, IThreadPoolWorkItem
    {
        private AdaptiveLimitRejection? _rejection;
        private CancellationToken _cancelled; // not the default: it was

        internal LinkedListNode<ClassQueue<WaitingCall>.Waiting>? Node { get; set; }

        /// <summary>That in which it was let in.</summary>
        internal LimitEpoch? Epoch { get; set; }

        internal bool BlocksThread => blocksThread;

        /// <summary>The lock is not held. A thread that waits is woken at once: nothing runs on this one for it.</summary>
        internal void Admit()
        {
            if (blocksThread) Execute();
            else queue.Clock.Hop(this);
        }

        internal void GiveUp()
        {
            if (queue.TryLeaveQueue(this)) End(AdaptiveLimitReason.WaitedTooLong);
        }

        internal void Cancel(CancellationToken token)
        {
            if (!queue.TryLeaveQueue(this)) return;
            _cancelled = token;
            GoOnElsewhere();
        }

        /// <summary>It was taken out of the queue, and has no place.</summary>
        internal void End(AdaptiveLimitReason why)
        {
            _rejection = queue.CountRejection(why, criticality);
            GoOnElsewhere();
        }

        private void GoOnElsewhere()
        {
            if (blocksThread) Execute();
            else queue.Clock.Post(this);
        }

        void IThreadPoolWorkItem.Execute() => Execute();

        private void Execute()
        {
            if (_cancelled.CanBeCanceled) TrySetCanceled(_cancelled);
            else TrySetResult(_rejection);
        }
    }
}
