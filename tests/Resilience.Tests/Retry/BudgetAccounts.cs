namespace Resilience.Tests.Retry;

/// <summary>What the checks of a budget need to know of it: the real one, its slow twin and the broken ones all are accounts.</summary>
internal interface IAccount
{
    double Balance { get; }

    void RecordCall();

    bool TryWithdraw();
}

/// <summary>The real one.</summary>
internal sealed class RealAccount(RetryBudget budget) : IAccount
{
    public double Balance => budget.Balance;

    public void RecordCall() => budget.RecordCall();

    public bool TryWithdraw() => budget.TryWithdraw();
}

/// <summary>The slow twin: the same account with a lock and real numbers. Time passes in the same quanta.</summary>
internal class TwinAccount(RetryBudgetOptions options, TimeProvider time) : IAccount
{
    private readonly Lock _gate = new();
    private readonly long _start = time.GetTimestamp();
    private readonly int _quantumMs = 1 << int.Log2((int)options.Window.TotalMilliseconds / 32);
    private readonly double _ratio = Math.Round(options.Ratio, 3);
    private readonly double _resting = options.MinRetriesPerSecond * options.Window.TotalSeconds;
    private long _quantum;
    private double _balance = options.MinRetriesPerSecond * options.Window.TotalSeconds;

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

    protected virtual double Decay(double resting, double balance, double windows, long quanta) => resting + ((balance - resting) * Math.Exp(-windows));

    private double Aged()
    {
        long quantum = (long)time.GetElapsedTime(_start).TotalMilliseconds / _quantumMs;
        if (quantum == _quantum) return _balance;
        Agings++;
        _balance = Decay(_resting, _balance, (quantum - _quantum) * _quantumMs / options.Window.TotalMilliseconds, quantum - _quantum);
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
