using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Bounds how many calls run at once, usable alone. Thread-safe.</summary>
/// <remarks>
/// Taking and giving back a place is lock-free while no call waits. Those who find no place wait in a bounded queue, first come
/// first served, each no longer than <see cref="ConcurrencyLimitOptions.MaxWait"/>; the queue is kept under a short lock
/// that runs no user code and that callers who find a place never touch (decision 0005).
/// </remarks>
public sealed class ConcurrencyLimit : IPolicyStatus
{
    private readonly Lock _changing = new(); // one change of the options at a time; runs no user code, and no call touches it
    private PolicyEnvironment _environment; // changes when the pipeline is updated; the clock stays
    private Queueing _queueing; // who may wait, and how long; replaced as a whole
    private readonly Lock _gate = new();
    private readonly LinkedList<Waiter> _queue = [];
    private long _word;
    private LimitRejection _full;
    private LimitRejection _waited;

    /// <summary>Makes a limit to be used alone or shared between pipelines.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    public ConcurrencyLimit(ConcurrencyLimitOptions options, TimeProvider? timeProvider = null)
        : this(options, PolicyEnvironment.Standalone(NameOf(options), timeProvider)) => ConcurrencyLimitTelemetry.Watch(_environment, this);

    internal ConcurrencyLimit(ConcurrencyLimitOptions options, PolicyEnvironment environment)
    {
        options.ThrowIfInvalid();
        _environment = environment;
        _queueing = new(options.MaxQueued, options.MaxWait);
        _word = new LimitWord(options.MaxConcurrent, 0, false).Bits;
        (_full, _waited) = MakeRejections(options.MaxConcurrent);
    }

    /// <summary>The name, as in rejections and telemetry.</summary>
    public string Name => _environment.PolicyName;

    /// <summary>How many may wait, and how long each.</summary>
    internal (int MaxQueued, TimeSpan MaxWait) Queue
    {
        get
        {
            Queueing queueing = Volatile.Read(ref _queueing);
            return (queueing.MaxQueued, queueing.MaxWait);
        }
    }

    /// <summary>The pipeline that it was made for, empty when it was made alone.</summary>
    internal string PipelineName => _environment.PipelineName;

    /// <summary>Calls that run now.</summary>
    public int Running => new LimitWord(Volatile.Read(ref _word)).Running;

    /// <summary>Calls that wait now.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate) return _queue.Count;
        }
    }

    /// <summary>How many may wait at once.</summary>
    public int MaxQueued => Volatile.Read(ref _queueing).MaxQueued;

    /// <summary>How many may run at once, 1 or more. May be changed at any time: raised, those who wait go in at once; lowered,
    /// those who run are left to end.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than 1 or more than a million.</exception>
    public int Limit
    {
        get => new LimitWord(Volatile.Read(ref _word)).Limit;
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(value, ConcurrencyLimitOptions.Max);
            lock (_changing) ChangeLimit(value);
            AdmitWaiting();
        }
    }

    /// <inheritdoc/>
    PolicyStatus IPolicyStatus.GetStatus()
    {
        (int running, int limit, int waiting, int maxQueued) = (Running, Limit, Waiting, MaxQueued);
        string queue = maxQueued > 0 ? string.Create(CultureInfo.InvariantCulture, $" · {waiting} of {maxQueued} waiting") : "";
        string text = string.Create(CultureInfo.InvariantCulture, $"{running} of {limit} running{queue}{(running >= limit ? ": full" : "")}");
        return new(waiting > 0 ? PolicyCondition.Warning : PolicyCondition.Ok, text)
        {
            Readings = [new("running", running, "calls") { Max = limit }, new("waiting", waiting, "calls") { Max = maxQueued > 0 ? maxQueued : null }],
        };
    }

    /// <summary>Changes the options of a living limit. Places that are taken stay taken, and those who wait go on waiting as long as they
    /// were told; a shorter queue keeps who is in it.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range; the old ones stay in effect.</exception>
    public void Update(ConcurrencyLimitOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.ThrowIfInvalid();
        (int limit, Queueing queueing) = (options.MaxConcurrent, new(options.MaxQueued, options.MaxWait));
        lock (_changing)
        {
            Volatile.Write(ref _queueing, queueing); // release: whole before it can be seen
            ChangeLimit(limit);
        }

        AdmitWaiting();
    }

    private void ChangeLimit(int limit)
    {
        (_full, _waited) = MakeRejections(limit);
        Change(static (word, limit) => word.WithLimit(limit), limit);
    }

    /// <summary>As <see cref="Update"/>, and it goes by the names of another environment from now on.</summary>
    internal void Adopt(ConcurrencyLimitOptions options, PolicyEnvironment environment)
    {
        // Full fence: the environment is whole before a rejection can name it.
        PolicyEnvironment former = Interlocked.Exchange(ref _environment, environment);
        Update(options);
        if (ReferenceEquals(former.Meter, environment.Meter)) return;
        ConcurrencyLimitTelemetry.Unwatch(former, this);
        ConcurrencyLimitTelemetry.Watch(environment, this);
    }

    /// <summary>An update has left its policy out: its limit is shown no more, unless another policy has adopted it.</summary>
    internal void Abandon(PolicyEnvironment environment)
    {
        if (ReferenceEquals(Volatile.Read(ref _environment), environment)) ConcurrencyLimitTelemetry.Unwatch(environment, this);
    }

    /// <summary>Takes a place if one is free and no call waits for it. If true, give it back with <see cref="Release"/>, exactly once.</summary>
    public bool TryEnter()
    {
        // Acquire: pairs with the compare-and-swaps on this word; what the call before us did in its place is visible.
        LimitWord seen = new(Volatile.Read(ref _word));
        while (seen.MayEnter)
        {
            long found = Interlocked.CompareExchange(ref _word, seen.Entered.Bits, seen.Bits);
            if (found == seen.Bits)
            {
                Debug.Assert(seen.Running < seen.Limit && !seen.HasWaiting, "No call goes in past the limit or past those that wait.");
                return true;
            }

            seen = new(found);
        }

        return false;
    }

    /// <summary>Takes a place, waiting for one if need be. Null: yes, give it back with <see cref="Release"/>, exactly once; otherwise why not.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled while waiting.</exception>
    public ValueTask<LimitRejection?> EnterAsync(CancellationToken cancellationToken = default)
    {
        if (TryEnter()) return default;
        Queueing queueing = Volatile.Read(ref _queueing);
        return queueing.MaxQueued == 0 ? new(_full) : WaitAsync(queueing.MaxWait, blocksThread: false, cancellationToken);
    }

    internal ValueTask<LimitRejection?> EnterAsync(ResilienceContext context)
    {
        if (TryEnter()) return default;
        Queueing queueing = Volatile.Read(ref _queueing);
        if (queueing.MaxQueued == 0) return new(_full);
        TimeSpan wait = context.TimeLeft is { } left && left < queueing.MaxWait ? left : queueing.MaxWait;
        return wait == TimeSpan.Zero ? new(_waited) : WaitAsync(wait, context.BlocksThread, context.Token);
    }

    /// <summary>Gives a place back; the first of those who wait gets it.</summary>
    /// <exception cref="InvalidOperationException">No place is held: one was given back twice.</exception>
    public void Release()
    {
        if (!TryRelease()) throw GivenBackTwice();
    }

    internal InvalidOperationException GivenBackTwice() => new($"{Name}: a place was given back twice.");

    /// <summary>As <see cref="Release"/>; false when no place is held.</summary>
    internal bool TryRelease()
    {
        LimitWord seen = new(Volatile.Read(ref _word));
        while (true)
        {
            if (seen.Running == 0) return false;

            // Full fence: what we did in our place is visible before the place is free.
            long found = Interlocked.CompareExchange(ref _word, seen.Left.Bits, seen.Bits);
            if (found == seen.Bits) break;
            seen = new(found);
        }

        if (seen.HasWaiting) AdmitWaiting();
        return true;
    }

    /// <summary>Lets in as many of those who wait as there are places. Their continuations run elsewhere, after the lock.</summary>
    private void AdmitWaiting()
    {
        while (true)
        {
            Waiter? admitted = null;
            lock (_gate)
            {
                LimitWord seen = new(Volatile.Read(ref _word));
                if (_queue.First is not { } first || !seen.MayAdmitWaiting) return;
                LimitWord next = seen.Entered.WithWaiting(_queue.Count > 1);
                if (Interlocked.CompareExchange(ref _word, next.Bits, seen.Bits) != seen.Bits) continue;
                _queue.RemoveFirst();
                admitted = first.Value;
                admitted.Node = null;
            }

            admitted.Admit();
        }
    }

    private ValueTask<LimitRejection?> WaitAsync(TimeSpan wait, bool blocksThread, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<LimitRejection?>(cancellationToken);
        Waiter waiter = new(this, blocksThread);
        lock (_gate)
        {
            while (true)
            {
                LimitWord seen = new(Volatile.Read(ref _word));
                bool enters = seen.MayEnter;
                if (!enters && _queue.Count >= _queueing.MaxQueued) return new(_full);
                LimitWord next = enters ? seen.Entered : seen.WithWaiting(true);
                if (Interlocked.CompareExchange(ref _word, next.Bits, seen.Bits) != seen.Bits) continue;
                if (enters) return default;
                waiter.Node = _queue.AddLast(waiter);
                break;
            }
        }

        return AwaitTurnAsync(waiter, wait, cancellationToken);
    }

    private async ValueTask<LimitRejection?> AwaitTurnAsync(Waiter waiter, TimeSpan wait, CancellationToken cancellationToken)
    {
        bool isCounted = ConcurrencyLimitTelemetry.Queued(_environment);
        long start = _environment.Clock.Timestamp;
        try
        {
            using ITimer? timer = StartTimer(waiter, wait);
            using CancellationTokenRegistration cancelled = cancellationToken.UnsafeRegister(static (w, token) => ((Waiter)w!).Cancel(token), waiter);
            if (waiter.BlocksThread) _ = SynchronousWait.For(waiter.Task);
            return await waiter.Task.ConfigureAwait(false);
        }
        finally
        {
            if (isCounted) ConcurrencyLimitTelemetry.LeftQueue(_environment);
            ConcurrencyLimitTelemetry.Waited(_environment, _environment.Clock.ElapsedSince(start));
        }
    }

    /// <summary>Without a timer nothing would end the wait, so it ends at once.</summary>
    private ITimer? StartTimer(Waiter waiter, TimeSpan wait)
    {
        try
        {
            return _environment.Clock.CreateTimer(static w => ((Waiter)w!).GiveUp(), waiter, wait, Timeout.InfiniteTimeSpan);
        }
        catch (Exception error)
        {
            Safely.Report("time provider", error);
            waiter.GiveUp();
            return null;
        }
    }

    /// <summary>Takes a waiter out of the queue. False when it has been let in already: then it has a place, and uses it.</summary>
    private bool TryLeaveQueue(Waiter waiter)
    {
        lock (_gate)
        {
            if (waiter.Node is not { } node) return false;
            _queue.Remove(node);
            waiter.Node = null;
            if (_queue.Count == 0) Change(static (word, _) => word.WithWaiting(false), 0);
            return true;
        }
    }

    /// <summary>The one loop that changes the word by a rule.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Change(Func<LimitWord, int, LimitWord> rule, int argument)
    {
        LimitWord seen = new(Volatile.Read(ref _word));
        while (true)
        {
            long found = Interlocked.CompareExchange(ref _word, rule(seen, argument).Bits, seen.Bits);
            if (found == seen.Bits) return;
            seen = new(found);
        }
    }

    private (LimitRejection Full, LimitRejection Waited) MakeRejections(int limit) =>
    (
        new(_environment, LimitReason.QueueFull, limit, _queueing.MaxQueued, _queueing.MaxWait),
        new(_environment, LimitReason.WaitedTooLong, limit, _queueing.MaxQueued, _queueing.MaxWait));

    private sealed record Queueing(int MaxQueued, TimeSpan MaxWait);

    private static string NameOf(ConcurrencyLimitOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.Name ?? options.Kind;
    }

    /// <summary>A caller who waits. The thread that takes it out of the queue, under the lock, says how the wait ended. It goes on elsewhere:
    /// not in the release of another call, nor in a timer, nor in a cancellation.</summary>
    private sealed class Waiter(ConcurrencyLimit limit, bool blocksThread) : TaskCompletionSource<LimitRejection?>, IThreadPoolWorkItem
    {
        private LimitRejection? _rejection;
        private CancellationToken _cancelled; // not the default: it was

        internal LinkedListNode<Waiter>? Node { get; set; }

        internal bool BlocksThread => blocksThread;

        /// <summary>The lock is not held. A thread that waits is woken at once: nothing runs on this one for it.</summary>
        internal void Admit()
        {
            if (blocksThread) Execute();
            else limit._environment.Clock.Hop(this);
        }

        internal void GiveUp()
        {
            if (!limit.TryLeaveQueue(this)) return;
            _rejection = limit._waited;
            GoOnElsewhere();
        }

        internal void Cancel(CancellationToken token)
        {
            if (!limit.TryLeaveQueue(this)) return;
            _cancelled = token;
            GoOnElsewhere();
        }

        private void GoOnElsewhere()
        {
            if (blocksThread) Execute();
            else limit._environment.Clock.Post(this);
        }

        void IThreadPoolWorkItem.Execute() => Execute();

        private void Execute()
        {
            if (_cancelled.CanBeCanceled) TrySetCanceled(_cancelled);
            else TrySetResult(_rejection);
        }
    }
}
