namespace Resilience.Verification.Coyote;

/// <summary>A breaker as the scenarios use it: the real one, or one with a planted flaw.</summary>
internal interface ISubject
{
    CircuitState State { get; }

    /// <summary>What can be seen at rest: failures in a row, probes out, probes that succeeded.</summary>
    (int Run, int Out, int Good) Words { get; }

    long Epoch { get; }

    (CircuitAdmission Answer, Receipt Receipt) Enter();

    CircuitExit Exit(Receipt receipt, Verdict verdict);

    void Isolate();

    void Close();

    void Update();

    /// <summary>An update to one failure in a row.</summary>
    void Lower();

    /// <summary>How many failures in a row open the circuit now.</summary>
    int Limit { get; }
}

/// <summary>A permit of either kind of breaker.</summary>
internal readonly record struct Receipt(long Epoch, CircuitPermit Permit, object? Token = null);

/// <summary>What every subject is made with.</summary>
internal static class Rules
{
    internal const int Failures = 2;
    internal const int BreakMs = 50;
    internal const int LeaseMs = 100;
    internal const int RampMs = 40;

    internal static CircuitBreakerOptions Options(int probes, bool ramps, Action<CircuitChanged>? onChange, int failures = Failures) => new()
    {
        FailureRatio = null,
        ConsecutiveFailures = failures,
        BreakDuration = TimeSpan.FromMilliseconds(BreakMs),
        BreakJitter = 0,
        BreakGrowth = 1,
        Probes = probes,
        ProbeLease = TimeSpan.FromMilliseconds(LeaseMs),
        RampDuration = ramps ? TimeSpan.FromMilliseconds(RampMs) : TimeSpan.Zero,
        OnChange = onChange,
    };
}

/// <summary>The breaker of src/Resilience.</summary>
internal sealed class RealBreaker(ScenarioClock clock, int probes, bool ramps, Action<CircuitChanged> onChange) : ISubject
{
    private readonly CircuitBreaker _breaker = new(Rules.Options(probes, ramps, onChange), clock);

    public CircuitState State => _breaker.State;

    public long Epoch => _breaker.TakeSnapshot().Epoch;

    public (int Run, int Out, int Good) Words
    {
        get
        {
            CircuitSnapshot seen = _breaker.TakeSnapshot();
            return (seen.ConsecutiveFailures, seen.ProbesOut, seen.ProbesSucceeded);
        }
    }

    public (CircuitAdmission Answer, Receipt Receipt) Enter()
    {
        CircuitAdmission answer = _breaker.TryEnter(out CircuitPermit permit);
        return (answer, new(permit.Epoch, permit));
    }

    public CircuitExit Exit(Receipt receipt, Verdict verdict) => _breaker.Exit(receipt.Permit, verdict);

    public void Isolate() => _breaker.Isolate();

    public void Close() => _breaker.Close();

    public void Update() => _breaker.Update(Rules.Options(probes, ramps, onChange));

    public void Lower() => _breaker.Update(Rules.Options(probes, ramps, onChange, 1));

    public int Limit => _breaker.TakeSnapshot().OpensAtConsecutiveFailures!.Value;
}
