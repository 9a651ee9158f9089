namespace Resilience.Tests.Retry;

/// <summary>What the checks of a budget need to know of it: the real one, its slow twin and the broken ones all are accounts.</summary>
internal interface IAccount
{
    double Balance { get; }

    void RecordCall();

    bool TryWithdraw();

    void Update(RetryBudgetOptions options)
    {
    }
}

/// <summary>The real one.</summary>
internal sealed class RealAccount(RetryBudget budget) : IAccount
{
    public double Balance => budget.Balance;

    public void RecordCall() => budget.RecordCall();

    public bool TryWithdraw() => budget.TryWithdraw();

    public void Update(RetryBudgetOptions options) => budget.Update(options);
}

/// <summary>The slow twin: the same account with a lock and real numbers. Time passes in the same quanta.</summary>
internal class TwinAccount : IAccount
{
    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private long _start;
    private int _quantumMs;
    private double _windowMs;
    private double _ratio;
    private double _resting;
    private long _quantum;
    private double _balance;

    public TwinAccount(RetryBudgetOptions options, TimeProvider time)
    {
        _time = time;
        Take(options);
        _balance = _resting;
    }

    /// <summary>How often time has passed for this account.</summary>
    public int Agings { get; private set; }

    public double Balance
    {
        get
        {
            lock (_gate) return Aged();
        }
    }

    public void RecordCall()
    {
        lock (_gate) _balance = Aged() + _ratio;
    }

    public virtual bool TryWithdraw()
    {
        lock (_gate)
        {
            if (Aged() < 1) return false;
            _balance--;
            return true;
        }
    }

    /// <summary>Takes a token whatever the balance: the comparison follows the real account where both answers are within the tolerance.</summary>
    public void Force()
    {
        lock (_gate) _balance = Aged() - 1;
    }

    /// <summary>The balance stays; from now on it tends to the new resting balance, in the new quanta.</summary>
    public virtual void Update(RetryBudgetOptions options)
    {
        lock (_gate)
        {
            Aged();
            Agings++;
            Take(options);
        }
    }

    private void Take(RetryBudgetOptions options)
    {
        _start = _time.GetTimestamp();
        _quantum = 0;
        _windowMs = options.Window.TotalMilliseconds;
        _quantumMs = 1 << int.Log2((int)_windowMs / 32);
        _ratio = Math.Round(options.Ratio, 3);
        _resting = options.MinRetriesPerSecond * options.Window.TotalSeconds;
    }

    protected virtual double Decay(double resting, double balance, double windows, long quanta) => resting + ((balance - resting) * Math.Exp(-windows));

    private double Aged()
    {
        long quantum = (long)_time.GetElapsedTime(_start).TotalMilliseconds / _quantumMs;
        if (quantum == _quantum) return _balance;
        Agings++;
        _balance = Decay(_resting, _balance, (quantum - _quantum) * _quantumMs / _windowMs, quantum - _quantum);
        _quantum = quantum;
        return _balance;
    }
}

/// <summary>Planted bug: looks first and takes afterwards, as Envoy, failsafe-go and tower do.</summary>
internal sealed class CheckThenActAccount(RetryBudgetOptions options, TimeProvider time) : TwinAccount(options, time)
{
    public override bool TryWithdraw()
    {
        if (Balance < 1) return false;
        Thread.Yield(); // the gap, a little wider
        Force();
        return true;
    }
}

/// <summary>Planted bug: a call brings one and a retry costs ⌊1 ÷ ratio⌋, so that 75 % becomes 100 %.</summary>
internal sealed class TruncatedCostAccount(RetryBudgetOptions options) : IAccount
{
    private readonly int _cost = (int)(1 / options.Ratio);
    private long _balance;

    public double Balance => (double)_balance / _cost;

    public void RecordCall() => _balance++;

    public bool TryWithdraw()
    {
        if (_balance < _cost) return false;
        _balance -= _cost;
        return true;
    }
}

/// <summary>Planted bug: an update opens a new account, full, as a new budget is.</summary>
internal sealed class ReopenedAccount(RetryBudgetOptions options, TimeProvider time) : IAccount
{
    private TwinAccount _twin = new(options, time);

    public double Balance => _twin.Balance;

    public void RecordCall() => _twin.RecordCall();

    public bool TryWithdraw() => _twin.TryWithdraw();

    public void Update(RetryBudgetOptions options) => _twin = new(options, time);
}

/// <summary>Planted bug: an update changes nothing.</summary>
internal sealed class DeafAccount(RetryBudgetOptions options, TimeProvider time) : TwinAccount(options, time)
{
    public override void Update(RetryBudgetOptions options)
    {
    }
}

/// <summary>Planted bug: savings never expire.</summary>
internal sealed class HoardingAccount(RetryBudgetOptions options, TimeProvider time) : TwinAccount(options, time)
{
    protected override double Decay(double resting, double balance, double windows, long quanta) =>
        balance >= resting ? balance : base.Decay(resting, balance, windows, quanta);
}

/// <summary>Planted bug: the account is filled up at once when a quantum begins.</summary>
internal sealed class RefillingAccount(RetryBudgetOptions options, TimeProvider time) : TwinAccount(options, time)
{
    protected override double Decay(double resting, double balance, double windows, long quanta) => resting;
}
