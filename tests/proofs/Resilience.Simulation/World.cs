namespace Resilience.Simulations;

/// <summary>Runs one scenario in virtual time and checks, at every attempt and at the end, what the library promises.</summary>
internal sealed class World
{
    private readonly Scenario _scenario;
    private readonly Planted _planted;
    private readonly Simulation _simulation;
    private readonly SimulatedDependency _dependency;
    private readonly ResiliencePipeline _pipeline;
    private readonly CircuitBreaker? _breaker;
    private readonly ConcurrencyLimit? _limit;
    private readonly IdempotencyGate? _gate;
    private readonly Dictionary<string, long> _receipts = [];
    private readonly List<string> _violations = [];
    private readonly Dictionary<long, int> _probes = []; // out, by epoch
    private long _begun, _retries;
    private long _operation;
    private int _running;

    internal World(int seed, Planted planted, bool keepTrace)
    {
        _scenario = new(seed);
        _planted = planted;
        _simulation = new(seed, keepTrace);
        _dependency = _simulation.AddDependency("dependency", Scenario.Healthy);
        foreach ((TimeSpan at, DependencyBehaviour behaviour) in _scenario.Faults) _dependency.From(at, behaviour);
        _dependency.From(Scenario.FaultsEnd, Scenario.Healthy);
        _pipeline = Builder().Build();
        _breaker = _pipeline.Find<CircuitBreaker>();
        _limit = _pipeline.Find<ConcurrencyLimit>();
        _pipeline.Find<ChaosSwitch>()?.TurnOn(Scenario.FaultsEnd);
        if (_scenario.HasKeys)
            _gate = new(new InMemoryIdempotencyStore(null, _simulation.Time), new() { Lease = Scenario.Lease, WhenInFlight = WhenInFlight.Wait }, _simulation.Time, _simulation.Randomness);
        foreach ((TimeSpan at, TimeSpan by) in _scenario.ClockSteps) _simulation.At(at, () => _simulation.Time.StepWallClock(by));
        if (_scenario.UpdateAt is { } update) _simulation.At(update, () => _pipeline.Update(Builder()));
        if (_scenario.Clients > 0) _simulation.AddClients("client", _scenario.Clients, TimeSpan.FromMilliseconds(200), _ => CallAsync());
        else _simulation.AddArrivals("call", _scenario.PerSecond, _ => CallAsync());
    }

    private ResiliencePipelineBuilder Builder() => _scenario.Build(_simulation.Attach(new ResiliencePipelineBuilder { Name = "simulated" }));

    internal async Task<(SimulationReport Report, IReadOnlyList<string> Violations)> RunAsync()
    {
        SimulationReport report = await _simulation.RunAsync(Scenario.RunEnds).ConfigureAwait(false);
        if (_gate is { Waiting: > 0 }) Violated($"{_gate.Waiting} wait at the gate though nothing runs");
        _gate?.Dispose();
        if (report.Stuck > 0) Violated($"{report.Stuck} calls never ended");
        if (_running > 0) Violated($"{_running} attempts still run though no call does");
        if (_simulation.Time.ArmedTimers > 0) Violated($"{_simulation.Time.ArmedTimers} timers leaked");
        if (_limit is { } limit && (limit.Running != 0 || limit.Waiting != 0)) Violated($"limit: {limit.Running} places and {limit.Waiting} waits leaked");
        if (_breaker?.TakeSnapshot() is { } circuit && (circuit.ProbesOut != 0 || circuit.OverdueCalls != 0))
            Violated($"breaker: {circuit.ProbesOut} probes out and {circuit.OverdueCalls} overdue calls though nothing runs");
        CheckRecovery(report);
        return (report, _violations);
    }

    /// <summary>After the faults have ended and the bound has passed, nothing fails but what a limit crowds out.</summary>
    private void CheckRecovery(SimulationReport report)
    {
        TimeSpan healed = Scenario.FaultsEnd + _scenario.RecoveryBound;
        if (_limit is not null || healed + TimeSpan.FromSeconds(10) > Scenario.RunEnds) return;
        double share = report.SuccessShare(healed, Scenario.RunEnds);
        if (share < 1 && report.Timeline.Where(i => i.Start >= healed).Sum(i => i.Started) > 0) Violated($"only {share:P1} succeed after {healed:c}, though nothing fails any more");
    }

    private void Violated(string what)
    {
        if (_violations.Count < 5) _violations.Add($"{_simulation.Time.Elapsed:c} {what}");
    }

    private async ValueTask CallAsync()
    {
        Call call = new(_simulation.Time.Elapsed, _simulation.Randomness.NextDouble() < _scenario.BugRate && _simulation.Time.Elapsed < Scenario.FaultsEnd);
        _begun++;
        using CancellationTokenSource caller = Caller();
        try
        {
            if (_gate is null) await ExecuteAsync(call, caller.Token).ConfigureAwait(false);
            else await OnceAsync(_gate, call, caller.Token).ConfigureAwait(false);
        }
        catch (Exception error) when (_planted != Planted.None)
        {
            await MisbehaveAsync(call, error).ConfigureAwait(false);
            throw;
        }
        finally
        {
            TimeSpan took = _simulation.Time.Elapsed - call.Start;
            if (_gate is null && _scenario.Total is { } total && took > total + TimeSpan.FromMilliseconds(5)) Violated($"a call took {took}, its deadline was {total}");
        }
    }

    private ValueTask ExecuteAsync(Call call, CancellationToken token) =>
        _pipeline.ExecuteAsync(static (c, t) => c.World.AttemptAsync(c.State, t), (World: this, State: call), token);

    /// <summary>Some calls share a key: all of them must receive the outcome of one operation, the first that was recorded.</summary>
    private async ValueTask OnceAsync(IdempotencyGate gate, Call call, CancellationToken token)
    {
        string key = $"order {(int)(_simulation.Time.Elapsed.TotalSeconds / 5)}-{(int)(_simulation.Randomness.NextDouble() * 20)}";
        long receipt = await gate.GetOrAddAsync(
            IdempotencyKey.Shared(key),
            async (_, t) =>
            {
                call.Start = _simulation.Time.Elapsed; // the deadline of the pipeline begins here
                await ExecuteAsync(call, t).ConfigureAwait(false);
                return ++_operation;
            },
            cancellationToken: token).ConfigureAwait(false);
        if (_planted == Planted.ForgetsReceipts && _simulation.Randomness.NextDouble() < 0.01) receipt = ++_operation;
        if (!_receipts.TryAdd(key, receipt) && _receipts[key] != receipt) Violated($"{key} has two receipts: {_receipts[key]} and {receipt}");
    }

    private CancellationTokenSource Caller()
    {
        bool cancels = _simulation.Randomness.NextDouble() < _scenario.CancelRate && _simulation.Time.Elapsed < Scenario.FaultsEnd;
        return cancels ? new(TimeSpan.FromMilliseconds(1 + _simulation.Randomness.NextDouble() * 5000), _simulation.Time) : new();
    }

    private async ValueTask AttemptAsync(Call call, CancellationToken token)
    {
        call.Attempts++;
        CheckAttempt(call);
        long epoch = EnterProbe();
        _running++;
        try
        {
            if (_scenario.Limit is { } limit && _running > Math.Max(limit.MaxConcurrent, 0)) Violated($"{_running} run at once, the limit is {limit.MaxConcurrent}");
            if (call.IsBroken)
            {
                await _dependency.CallAsync(token).ConfigureAwait(false);
                call.SawBug = true;
                throw new ArgumentException("The program is wrong.");
            }

            await _dependency.CallAsync(token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_planted == Planted.LosersNeverEnd && _scenario.Hedging is not null)
        {
            await new TaskCompletionSource().Task.ConfigureAwait(false);
        }
        finally
        {
            _running--;
            if (epoch > 0) _probes[epoch]--;
        }
    }

    private void CheckAttempt(Call call)
    {
        TimeSpan now = _simulation.Time.Elapsed;
        int max = (1 + (_scenario.Retry?.MaxRetries ?? 0)) * (_scenario.Hedging?.MaxAttempts ?? 1);
        if (call.Attempts > max) Violated($"attempt {call.Attempts}, though {max - 1} retries are allowed");
        if (_scenario.Total is { } total && now > call.Start + total) Violated($"attempt {call.Attempts} begins {now - call.Start} into a call of {total}");
        if (call.SawBug) Violated("an error of the program was repeated");
        if (call.Attempts == 1) return;
        _retries++;
        CheckBudget(now);
    }

    /// <summary>withdrawn ≤ ratio × calls + floor × (elapsed + window), at every instant. Calls rejected before they reached us were deposited too
    /// at most once each, so the calls that began are the bound.</summary>
    private void CheckBudget(TimeSpan now)
    {
        if (_scenario.Budget is not { } budget) return;
        int accounts = _scenario.Hedging is null ? 1 : 2; // of the retry and of the hedging
        double max = accounts * (budget.Ratio * _begun + budget.MinRetriesPerSecond * (now + budget.Window).TotalSeconds + 1);
        if (_retries > max) Violated($"{_retries} retries, the budget allows {max:0.0}");
    }

    /// <summary>Nothing lies between breaker and dependency that could wait, so at the moment of an attempt the circuit must let it pass.</summary>
    private long EnterProbe()
    {
        if (_breaker?.TakeSnapshot() is not { } circuit) return 0;
        if (circuit.State == CircuitState.Open) Violated("an attempt begins though the circuit is open");
        if (circuit.State != CircuitState.HalfOpen) return 0;
        int probesOut = _probes[circuit.Epoch] = _probes.GetValueOrDefault(circuit.Epoch) + 1;
        if (probesOut > _scenario.Breaker!.Probes) Violated($"{probesOut} probes at once in epoch {circuit.Epoch}, {_scenario.Breaker.Probes} are allowed");
        return circuit.Epoch;
    }

    private async ValueTask MisbehaveAsync(Call call, Exception error)
    {
        switch (_planted)
        {
            case Planted.IgnoresOpenCircuit when error is CircuitOpenException && _simulation.Randomness.NextDouble() < 0.1:
            case Planted.OneAttemptMore when error is HttpRequestException:
                await AttemptAsync(call, default).ConfigureAwait(false);
                break;
            case Planted.OverspendsBudget when error is HttpRequestException:
                while (call.Attempts <= (_scenario.Retry?.MaxRetries ?? 0)) await Quietly(AttemptAsync(call, default)).ConfigureAwait(false);
                break;
            case Planted.RepeatsProgramErrors when error is ArgumentException:
                await AttemptAsync(call, default).ConfigureAwait(false);
                break;
            case Planted.IgnoresDeadline when error is TimedOutException:
                await Task.Delay(TimeSpan.FromMilliseconds(10), _simulation.Time).ConfigureAwait(false);
                await AttemptAsync(call, default).ConfigureAwait(false);
                break;
            case Planted.LeaksPermit when _limit is not null && _simulation.Time.Elapsed < Scenario.FaultsEnd:
                _limit.TryEnter();
                break;
            case Planted.LeaksTimer when _simulation.Time.Elapsed < Scenario.FaultsEnd:
                _ = new CancellationTokenSource(TimeSpan.FromDays(1), _simulation.Time);
                break;
            case Planted.NeverEnds when error is ResilienceException:
                await new TaskCompletionSource().Task.ConfigureAwait(false);
                break;
            case Planted.KeepsTheCircuitOpen when error is CircuitOpenException:
                SpoilProbe();
                break;
        }
    }

    private void SpoilProbe()
    {
        TimeSpan rest = _breaker!.TakeSnapshot().RetryAfter ?? TimeSpan.Zero;
        _simulation.At(_simulation.Time.Elapsed + rest, () =>
        {
            _breaker.TryEnter(out CircuitPermit probe);
            _breaker.Exit(probe, Verdict.Failure);
        });
    }

    private static async ValueTask Quietly(ValueTask attempt)
    {
        try
        {
            await attempt.ConfigureAwait(false);
        }
        catch (Exception)
        {
            // The planted bug looks at attempts, not at their ends.
        }
    }

    private sealed class Call(TimeSpan start, bool isBroken)
    {
        internal TimeSpan Start { get; set; } = start;

        internal bool IsBroken { get; } = isBroken;

        internal int Attempts { get; set; }

        internal bool SawBug { get; set; }
    }
}
