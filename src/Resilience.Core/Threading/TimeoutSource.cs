using System.Diagnostics;

namespace Resilience;

/// <summary>A cancellation source with a deadline, used again and again: arming it is one write, disarming it one compare-and-swap.</summary>
/// <remarks>
/// <code>
/// _due   0: idle     n: armed, due at n ms on the clock     -1: fired, for good
///
///          Arm                 TryFire (scanner, dispatcher)
///   idle ───────► armed(n) ──────────────────────► fired ──► Execute: cancels, on a worker of the dispatcher
///     ▲              │
///     └──────────────┘
///          Disarm
/// </code>
/// <para>
/// Disarming and firing race for the same word, and one of them wins. Whatever cancels a source (its own deadline, the
/// timeout around it, the caller's token) first takes it out of the reach of the one who would put it back into the pool:
/// so a source that has been or will be cancelled is never used again, and a source from the pool is never cancelled by a former life.
/// </para>
/// <para>
/// A timeout inside a timeout does not register on the outer token: it hangs itself below the outer source
/// (<see cref="_child"/>), which passes its own end on.
/// </para>
/// </remarks>
internal sealed class TimeoutSource : TimedWork
{
    private const long Idle = 0;
    private const long Fired = -1;

    private readonly CancellationTokenSource _source;
    private readonly TimeoutScanner? _scanner; // null: the heap of the dispatcher, or with a user's clock a timer of its own
    private readonly bool _isPooled;
    private long _due;
    private int _endedFromOutside;
    private TimeoutSource? _child;
    private TimeoutSource? _parent;
    private CancellationTokenRegistration _registration;

    internal TimeoutSource(TimeoutScanner? scanner, bool isPooled, CancellationTokenSource? source = null)
    {
        _scanner = scanner;
        _isPooled = isPooled;
        _source = source ?? new();
        Token = _source.Token;
    }

    internal CancellationToken Token { get; }

    internal bool IsExact => _scanner is null;

    internal bool IsPooled => _isPooled;

    /// <summary>Where the scanner keeps it.</summary>
    internal int Index { get; set; } = -1;

    /// <summary>Whose limit it is, how long that is, when it is due, and whether it is the caller's own deadline: for the code that is told of the end and
    /// asks by whom. Set by the owner before it can be asked for.</summary>
    internal void Describe(string limitName, TimeSpan length, long dueAtMs, bool isCallersDeadline)
    {
        if (!ReferenceEquals(LimitName, limitName)) LimitName = limitName;
        LimitLength = length;
        DueAtMs = dueAtMs;
        IsCallersDeadline = isCallersDeadline;
    }

    internal string LimitName { get; private set; } = "";

    internal TimeSpan LimitLength { get; private set; }

    internal long DueAtMs { get; private set; }

    internal bool IsCallersDeadline { get; private set; }

    /// <summary>The timeout around it, the token and the deadline that the call had before: put back when the call comes up again.</summary>
    internal TimeoutSource? Around { get; private set; }

    internal CancellationToken OuterToken { get; private set; }

    internal long OuterDeadlineMs { get; set; }

    /// <summary>Whether its own deadline came, and not the end of what is around it.</summary>
    private bool HasFired => !_isPooled
        ? _source.IsCancellationRequested && Volatile.Read(ref _endedFromOutside) == 0
        : Volatile.Read(ref _due) == Fired;

    /// <summary>Of this limit and those around it the outermost whose time was up; null when none was. Asked within the call alone.</summary>
    internal TimeoutSource? FindCut()
    {
        TimeoutSource? cut = null;
        for (TimeoutSource? source = this; source is not null; source = source.Around)
        {
            if (source.HasFired) cut = source;
        }

        return cut;
    }

    /// <summary>Whether the end of this token ends us, through sources of ours alone: it may not have reached us yet.</summary>
    internal bool HangsOn(CancellationToken token)
    {
        TimeoutSource top = this;
        while (top._parent is { } parent) top = parent;
        return top._registration.Token == token;
    }

    /// <summary>Starts the time. Only the owner calls it, on an idle source.</summary>
    internal void Arm(long dueMs)
    {
        Debug.Assert(dueMs > 0, "Zero means idle.");
        if (!_isPooled) return; // the timer of a user's clock runs since it was made
        if (_scanner is null)
        {
            Volatile.Write(ref _due, dueMs);
            Dispatcher.System.Arm(this, dueMs);
            return;
        }

        // Release, without a fence: this is the hot side of an asymmetric pair. The scanner, before its last look at all
        // deadlines, orders every processor to finish its writes (TimeoutScanner.Stop). So either it sees this deadline, or
        // the look at its state just below comes after it has declared itself stopped, and starts it again.
        Volatile.Write(ref _due, dueMs);
        _scanner.EnsureRunning();
    }

    /// <summary>Lets the end of what is around us end us as well.</summary>
    internal void LinkTo(TimeoutSource? around, CancellationToken outer)
    {
        Around = around;
        OuterToken = outer;
        if (!outer.CanBeCanceled) return;
        if (around is not null && around.Token == outer && around.TryAdopt(this))
        {
            _parent = around;
            return;
        }

        _registration = outer.UnsafeRegister(static state => ((TimeoutSource)state!).EndFromOutside(), this);
    }

    /// <summary>A source with the timer of a user's clock is ended by that timer, which knows of no child: its children register on the token.</summary>
    private bool TryAdopt(TimeoutSource child)
    {
        if (!_isPooled) return false;

        // Full fence: the child is visible before we look whether we have ended; pairs with the exchange in PassOn, which
        // comes after the cancellation. So either the thread that ends us finds the child, or we find the end here.
        if (Interlocked.CompareExchange(ref _child, child, null) is not null) return false; // two attempts at once: the second registers
        if (_source.IsCancellationRequested) PassOn();
        return true;
    }

    /// <summary>Takes the child, if it is still there, and ends it. The thread that takes it keeps it from being used again.</summary>
    private void PassOn() => Interlocked.Exchange(ref _child, null)?.EndFromOutside();

    /// <summary>Stops the time. True when this source's own deadline had come first.</summary>
    /// <param name="isReusable">False when it has been or will be cancelled.</param>
    internal bool Disarm(out bool isReusable)
    {
        isReusable = LeaveOuter();
        Around = null;
        OuterToken = default;
        if (!_isPooled)
        {
            StopOwnTimer(isReusable);
            isReusable = false;
            return _source.IsCancellationRequested && Volatile.Read(ref _endedFromOutside) == 0;
        }

        long due = Volatile.Read(ref _due);

        // Pairs with TryFire: the deadline is taken back by us or has fired, never both.
        bool fired = due == Fired || Interlocked.CompareExchange(ref _due, Idle, due) != due;
        if (_scanner is null && !fired) Dispatcher.System.Disarm(this); // before it is used again: in the heap it stands once

        // A child that hangs here still belongs to a part of the call that outlives us: our next life must not end it.
        // Acquire is enough: who hung it there has handed the call on to us since. TryReset drops what users left registered.
        isReusable = isReusable && !fired && Volatile.Read(ref _child) is null && _source.TryReset();
        return fired;
    }

    private void StopOwnTimer(bool isFree)
    {
        if (isFree) _source.Dispose();
        else if (!_source.IsCancellationRequested) _source.CancelAfter(Timeout.InfiniteTimeSpan); // it is about to be cancelled: it must stay alive for that
    }

    private bool LeaveOuter()
    {
        bool isFree = true;
        if (_parent is { } parent)
        {
            // Pairs with PassOn: we take ourselves back, or the parent has us and will end us.
            isFree = Interlocked.CompareExchange(ref parent._child, null, this) == this;
            _parent = null;
        }
        else if (_registration != default)
        {
            isFree = _registration.Unregister(); // false: the callback runs or has run
            _registration = default;
        }

        return isFree;
    }

    /// <summary>The half of the race of the scanner or the dispatcher. The caller queues the source, which then cancels itself where user callbacks
    /// disturb nothing else.</summary>
    internal override bool TryFire(long nowMs)
    {
        long due = Volatile.Read(ref _due);
        return due > 0 && nowMs >= due && Interlocked.CompareExchange(ref _due, Fired, due) == due;
    }

    /// <summary>When it is due; 0 when it is idle, -1 when it has fired.</summary>
    internal long DueMs => Volatile.Read(ref _due);

    public override void Execute() => Cancel();

    /// <summary>The owner ends it. Its token is cancelled, and what registered on it hears of it, on a worker of the dispatcher at once after this; on
    /// a user's clock here.</summary>
    internal void End()
    {
        if (!_isPooled)
        {
            EndFromOutside();
            return;
        }

        Volatile.Write(ref _endedFromOutside, 1); // release: as in EndFromOutside
        Dispatcher.System.Post(this, Clock.System.NowMs);
    }

    /// <summary>What is around us goes on without us. The source must not be used again.</summary>
    internal void Leave()
    {
        LeaveOuter();
        Around = null; // it serves another call when this one has ended
    }

    private void EndFromOutside()
    {
        // Release: a thread that sees the cancellation sees the reason.
        Volatile.Write(ref _endedFromOutside, 1);
        Cancel();
    }

    private void Cancel()
    {
        try
        {
            _source.Cancel();
        }
        catch (Exception error)
        {
            Safely.Report("cancellation callback", error);
        }

        PassOn();
    }
}
