namespace Resilience.Tests.Limiting;

/// <summary>What the checks need of a limit, so that a plain one, or a wrong one, can be put in the place of ours.</summary>
internal interface ILimit
{
    int Running { get; }

    int Waiting { get; }

    void SetLimit(int limit);

    void Update(int limit, int queue);

    bool TryEnter();

    Task<LimitReason?> EnterAsync(CancellationToken cancellationToken);

    void Leave();

    /// <summary>The time of all who wait is up.</summary>
    void EndAllWaits();
}

internal enum LimitFlaw
{
    None,
    ServesTheLastFirst,
    ForgetsToLeaveTheQueue,
    LosesThePlaceOfACancelledWaiter,
    WakesNoWaiterWhenRaised,
    LetsNewcomersOvertake,
    GivesUpOneTooEarly,
    ForgetsTheBoundOfTheQueue,
    KeepsItsQueueInAnUpdate,
    SendsThoseWhoWaitAwayInAnUpdate,
}

internal sealed class OurLimit : ILimit
{
    private readonly HeldTimers _timers = new();
    private readonly ConcurrencyLimit _limit;

    internal OurLimit(int limit, int queue) =>
        _limit = new(new() { MaxConcurrent = limit, MaxQueued = queue, MaxWait = TimeSpan.FromMinutes(1) }, _timers);

    public int Running => _limit.Running;

    public int Waiting => _limit.Waiting;

    public void SetLimit(int limit) => _limit.Limit = limit;

    public void Update(int limit, int queue) => _limit.Update(new() { MaxConcurrent = limit, MaxQueued = queue, MaxWait = TimeSpan.FromMinutes(1) });

    public bool TryEnter() => _limit.TryEnter();

    public async Task<LimitReason?> EnterAsync(CancellationToken cancellationToken) => (await _limit.EnterAsync(cancellationToken))?.Why;

    public void Leave() => _limit.Release();

    public void EndAllWaits() => _timers.FireAll();
}

/// <summary>The slow twin: a lock, a number and a list. With a planted flaw it must be found wrong.</summary>
internal sealed class PlainLimit(int limit, int queue, LimitFlaw flaw = LimitFlaw.None) : ILimit
{
    private readonly Lock _gate = new();
    private readonly List<TaskCompletionSource<LimitReason?>> _queue = [];
    private int _limit = limit, _bound = queue, _running, _ghosts;

    public int Running => _running;

    public int Waiting => _queue.Count + _ghosts;

    public void SetLimit(int value)
    {
        lock (_gate)
        {
            _limit = value;
            if (flaw != LimitFlaw.WakesNoWaiterWhenRaised) Admit();
        }
    }

    public void Update(int value, int bound)
    {
        lock (_gate)
        {
            if (flaw == LimitFlaw.SendsThoseWhoWaitAwayInAnUpdate)
            {
                foreach (TaskCompletionSource<LimitReason?> waiter in _queue) waiter.SetResult(LimitReason.QueueFull);
                _queue.Clear();
            }

            if (flaw != LimitFlaw.KeepsItsQueueInAnUpdate) _bound = bound;
        }

        SetLimit(value);
    }

    public bool TryEnter()
    {
        lock (_gate)
        {
            bool enters = _running < _limit && (_queue.Count == 0 || flaw == LimitFlaw.LetsNewcomersOvertake);
            if (enters) _running++;
            return enters;
        }
    }

    public Task<LimitReason?> EnterAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (TryEnter()) return Task.FromResult<LimitReason?>(null);
            if (_queue.Count + _ghosts >= _bound + (flaw == LimitFlaw.ForgetsTheBoundOfTheQueue ? 1 : 0))
                return Task.FromResult<LimitReason?>(LimitReason.QueueFull);
            TaskCompletionSource<LimitReason?> waiter = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _queue.Add(waiter);
            cancellationToken.Register(() => Cancel(waiter, cancellationToken));
            return waiter.Task;
        }
    }

    public void Leave()
    {
        lock (_gate) _running--;
        if (flaw == LimitFlaw.LetsNewcomersOvertake) Thread.SpinWait(500); // so that the check need not wait for a rare moment
        lock (_gate) Admit();
    }

    public void EndAllWaits()
    {
        lock (_gate)
        {
            int keep = flaw == LimitFlaw.GivesUpOneTooEarly && _queue.Count > 1 ? 1 : 0;
            foreach (TaskCompletionSource<LimitReason?> waiter in _queue[keep..]) waiter.SetResult(LimitReason.WaitedTooLong);
            _queue.RemoveRange(keep, _queue.Count - keep);
        }
    }

    private void Cancel(TaskCompletionSource<LimitReason?> waiter, CancellationToken token)
    {
        lock (_gate)
        {
            if (!_queue.Remove(waiter)) return;
            waiter.SetCanceled(token);
            if (flaw == LimitFlaw.ForgetsToLeaveTheQueue) _ghosts++;
            if (flaw == LimitFlaw.LosesThePlaceOfACancelledWaiter) _running++;
        }
    }

    private void Admit()
    {
        while (_running < _limit && _queue.Count > 0)
        {
            int who = flaw == LimitFlaw.ServesTheLastFirst ? _queue.Count - 1 : 0;
            _running++;
            _queue[who].SetResult(null);
            _queue.RemoveAt(who);
        }
    }
}
