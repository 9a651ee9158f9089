namespace Resilience.Testing;

/// <summary>Requests that are served at once and share a capacity evenly. Each is done when all have come forward by its work since it began, so one line of
/// progress and one timer serve for any number.</summary>
/// <param name="time">The world's time.</param>
/// <param name="speedOf">How fast each of so many goes on. Code of the simulation, not of its users.</param>
internal sealed class SharedProcessor(VirtualTime time, Func<int, double> speedOf)
{
    private readonly Lock _gate = new(); // what is done ends outside it
    private readonly PriorityQueue<Work, double> _work = new();
    private ITimer? _timer;
    private double _progress; // in seconds of one that is served alone
    private TimeSpan _since;
    private double _speed = 1; // since then
    private int _served;

    /// <summary>Begins with a request.</summary>
    /// <param name="work">How long it would take alone.</param>
    /// <param name="done">Called when it is done.</param>
    internal Work Begin(TimeSpan work, Action done)
    {
        lock (_gate)
        {
            Advance();
            Work begun = new(done);
            _work.Enqueue(begun, _progress + work.TotalSeconds);
            _served++;
            SetTimer();
            return begun;
        }
    }

    /// <summary>A request ends before it is done.</summary>
    internal void Drop(Work work)
    {
        lock (_gate)
        {
            if (work.IsOver) return;
            Advance();
            work.IsOver = true;
            _served--;
            SetTimer();
        }
    }

    /// <summary>The speed is another from now on.</summary>
    internal void Renew()
    {
        lock (_gate)
        {
            Advance();
            SetTimer();
        }
    }

    private void Fire()
    {
        while (true)
        {
            Work next;
            lock (_gate)
            {
                Advance();

                // A tick of the clock is 100 ns: what would be done within one is done.
                if (!_work.TryPeek(out next!, out double end) || (!next.IsOver && end > _progress + 1e-7))
                {
                    SetTimer();
                    return;
                }

                _work.Dequeue();
                if (next.IsOver) continue;
                next.IsOver = true;
                _served--;
                SetTimer();
            }

            next.Done();
        }
    }

    private void Advance()
    {
        TimeSpan now = time.Elapsed;
        _progress += (now - _since).TotalSeconds * _speed;
        _since = now;
    }

    private void SetTimer()
    {
        _speed = speedOf(_served);
        _timer ??= time.CreateWorldTimer(_ => Fire(), Timeout.InfiniteTimeSpan);
        while (_work.TryPeek(out Work? next, out _) && next.IsOver) _work.Dequeue();
        TimeSpan due = _work.TryPeek(out _, out double end)
            ? new TimeSpan((long)Math.Ceiling(Math.Max(0, end - _progress) / _speed * TimeSpan.TicksPerSecond))
            : Timeout.InfiniteTimeSpan;
        _timer.Change(due, Timeout.InfiniteTimeSpan);
    }

    /// <summary>One request.</summary>
    internal sealed class Work(Action done)
    {
        internal Action Done => done;

        internal bool IsOver; // guarded by the processor's lock
    }
}
