using System.Globalization;
using System.Runtime.CompilerServices;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience.Chaos;

/// <summary>How a call passes chaos: untouched while it is off, which is one read; otherwise as the rules decide.</summary>
internal sealed class ChaosPolicy : ResiliencePolicy, IChaosListener
{
    private readonly PolicyEnvironment _environment;
    private readonly ChaosState _state;
    private readonly ChaosSwitch _switch;
    private readonly ChaosRates _rates;
    private readonly ChaosPlan? _plan;
    private readonly long _seed;
    private readonly bool _isOnAtStart;
    private readonly TimeSpan _latency;
    private readonly TimeSpan _maxLatency;
    private readonly string _host;
    private readonly string? _schedule;
    private readonly Func<ResilienceContext, Exception?>? _fault;
    private readonly Func<ResilienceContext, Exception?>? _lostReply;
    private readonly Func<ResilienceContext, ValueTask>? _behaviour;
    private readonly Func<ResilienceContext, bool>? _filter;
    private readonly Dictionary<Type, Delegate> _results;
    private FormerSwitch? _pending;

    /// <summary>A policy with a switch of its own, a shared one, or the one that the policy of this name had before an update.</summary>
    internal ChaosPolicy(ChaosOptions options, PolicyEnvironment environment)
    {
        _host = ChaosEnvironment.Require(options, environment);
        _environment = environment;
        ChaosPolicy? former = environment.Former as ChaosPolicy;
        bool isSameSwitch = former is not null
            && (options.Switch is null ? former._switch.IsOf(environment.TimeProvider) && !former.IsShared : options.Switch == former._switch);
        _pending = former is null ? null : new(former, former._isOnAtStart != options.IsOn || !isSameSwitch);
        _state = isSameSwitch
            ? former!._state
            : new(options.Switch ?? new(environment.Clock), (long)(SafeRandomness.Draw(environment.Randomness, 0) * (1L << 53)));
        _switch = _state.Switch;
        IsShared = options.Switch is not null;
        _seed = options.Seed ?? _state.DrawnSeed;
        _isOnAtStart = options.IsOn;
        _rates = options.Rates;
        _plan = options.Schedule?.ToPlan();
        _schedule = options.Schedule?.ToString();
        _latency = options.Latency;
        _maxLatency = options.MaxLatency ?? options.Latency;
        _fault = options.Fault;
        _lostReply = options.LostReply;
        _behaviour = options.Behaviour;
        _filter = options.Filter;
        _results = new(options.Results);
    }

    private bool IsShared { get; }

    internal override bool NeverThrows => true;

    public override object? State => _switch;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(this, next);

    public override PolicyDescription Describe()
    {
        List<KeyValuePair<string, string>> options =
        [
            new("switch", _switch.ToString()),
            new("rates", RatesOf(_switch.Run).ToString()),
            new("seed", _seed.ToString(CultureInfo.InvariantCulture)),
            new("environment", _host),
        ];
        if (_rates.Latency > 0)
            options.Add(new("latency", _maxLatency > _latency
                ? $"{TimeText.Of(_latency)} to {TimeText.Of(_maxLatency)}"
                : TimeText.Of(_latency)));
        if (_schedule is not null) options.Add(new("schedule", _schedule));
        if (_filter is not null) options.Add(new("filter", "yes"));
        return new(_environment.PolicyName, PolicyRole.Chaos) { Options = options };
    }

    /// <summary>The switch stays as it was set by hand, unless the update is what changed the setting.</summary>
    protected internal override void TakeEffect()
    {
        FormerSwitch? pending = _pending;
        _pending = null; // lets go of the former policy
        pending?.Policy._switch.Detach(pending.Policy); // before the switch is turned: the former policy does not tell of it
        _switch.Attach(this);
        bool follows = pending?.Follows ?? true;
        if (follows && _isOnAtStart && !_switch.IsOn) _switch.TurnOn();
        else if (follows && pending is not null && !_isOnAtStart && !IsShared && _switch.IsOn) _switch.TurnOff();
        else if (_switch.IsOn) Switched(_switch.Run);
    }

    protected internal override void Retire() => _switch.Detach(this);

    public void Switched(ChaosRun? run)
    {
        if (!_environment.HasAnyListener) return;
        TimeSpan? left = run is null || run.EndsMs == Clock.Never ? null : TimeSpan.FromMilliseconds(Math.Max(0, run.EndsMs - _switch.NowMs));
        _environment.Report(new ChaosSwitched(
            _environment.PipelineName, _environment.PolicyName, run is not null, RatesOf(run), _seed, left, _host));
    }

    private void Report(ChaosKind kind, long number, TimeSpan? latency, ResilienceContext context)
    {
        if (!_environment.IsObserved(ChaosInjected.Metric)) return;
        _environment.Report(new ChaosInjected(_environment.PipelineName, _environment.PolicyName, kind, number, latency, context.AttemptNumber)
        {
            Operation = context.NameOfOperation,
        });
    }

    private ChaosRates RatesOf(ChaosRun? run) => run?.Rates ?? _rates;

    /// <summary>What is to be done to this call, and its number.</summary>
    private ChaosDecision Decide(ChaosRun run, ResilienceContext context, out long number)
    {
        number = -1;
        long now = run.EndsMs == Clock.Never && _plan is null ? 0 : _switch.NowMs;
        if (now >= run.EndsMs)
        {
            _switch.End(run);
            return default;
        }

        ChaosRates rates = RatesOf(run);
        if (_plan is not null) rates = ChaosRules.RatesAt(_plan, run.SinceStartOf(_plan, now), rates);
        return !rates.IsNone && MayDisturb(context) && _state.TryNumber(run, out number) ? ChaosRules.Decide(_seed, number, rates) : default;
    }

    private bool MayDisturb(ResilienceContext context)
    {
        if (_filter is null) return true;
        try
        {
            return _filter(context); // asked for every call: it gets the context itself, and must not keep it
        }
        catch (Exception error)
        {
            Safely.Report("chaos filter", error);
            return false;
        }
    }

    /// <summary>Null when the user's code wants the call left alone.</summary>
    private Exception? MakeFault(ChaosKind kind, ResilienceContext context)
    {
        Func<ResilienceContext, Exception?>? make = kind == ChaosKind.Fault ? _fault : _lostReply;
        Exception? made = null;
        if (make is not null)
        {
            try
            {
                made = make(context.Shown());
                if (made is null && kind == ChaosKind.Fault) return null;
            }
            catch (Exception error)
            {
                Safely.Report("chaos fault", error);
            }
        }

        made ??= new ChaosInjectedException(_environment.PolicyName, kind);
        ChaosInjectedException.MarkInjected(made);
        return made;
    }

    private Outcome<T> Failed<T>(Exception error, ResilienceContext context) =>
        AttemptJudge.Of<T>(error, context, _environment.Classifier, context.Token);

    private sealed record FormerSwitch(ChaosPolicy Policy, bool Follows);

    private sealed class Link<T>(ChaosPolicy policy, PolicyLink<T> next) : PolicyLink<T>
    {
        private readonly ChaosSwitch _switch = policy._switch;
        private readonly Func<ResilienceContext, T>? _result = policy._results.GetValueOrDefault(typeof(T)) as Func<ResilienceContext, T>;
        private readonly Func<T, Classification>? _resultRule = policy._environment.Classifier.BindResult<T>();
        private readonly Func<T, string?>? _nameOf = policy._environment.Classifier.BindName<T>();

        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) =>
            _switch.Run is { } run ? PassAsync(run, context) : next.ExecuteAsync(context);

        private ValueTask<Outcome<T>> PassAsync(ChaosRun run, ResilienceContext context)
        {
            ChaosDecision decision = policy.Decide(run, context, out long number);
            return decision.IsNothing ? next.ExecuteAsync(context) : DisturbAsync(decision, number, context);
        }

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<Outcome<T>> DisturbAsync(ChaosDecision decision, long number, ResilienceContext context)
        {
            try
            {
                if (decision.Behaviour && policy._behaviour is { } behaviour)
                {
                    Tell(ChaosKind.Behaviour, number, context);
                    ValueTask running = SynchronousWait.Begin(
                        context.BlocksThread, (behaviour, context), static begun => begun.behaviour(begun.context.Shown()));
                    await context.Settle(running).ConfigureAwait(false);
                }

                if (decision.Latency) await context.Settle(WaitAsync(decision.LatencyShare, number, context)).ConfigureAwait(false);
                context.Token.ThrowIfCancellationRequested();
            }
            catch (Exception error)
            {
                return policy.Failed<T>(error, context);
            }

            if (decision.Outcome is ChaosOutcome.Fault or ChaosOutcome.Result
                && TryReplace(decision.Outcome, number, context, out Outcome<T> replaced)) return replaced;
            Outcome<T> outcome = await next.ExecuteAsync(context).ConfigureAwait(false);
            return decision.Outcome == ChaosOutcome.LostReply ? Lose(outcome, number, context) : outcome;
        }

        private Task WaitAsync(double share, long number, ResilienceContext context)
        {
            TimeSpan latency = ChaosRules.LatencyOf(policy._latency, policy._maxLatency, share);
            policy.Report(ChaosKind.Latency, number, latency, context);
            return ClockWait.ForAsync(context.Clock, latency, context.Token);
        }

        /// <summary>The outcome in the place of the call, counted as an attempt like the real one that it stands for.</summary>
        private bool TryReplace(ChaosOutcome outcome, long number, ResilienceContext context, out Outcome<T> replaced)
        {
            replaced = default;
            if (outcome == ChaosOutcome.Fault)
            {
                if (policy.MakeFault(ChaosKind.Fault, context) is not { } fault) return false;
                Tell(ChaosKind.Fault, number, context);
                replaced = policy.Failed<T>(fault, context);
            }
            else
            {
                if (!TryMakeResult(context, out T? result)) return false;
                Tell(ChaosKind.Result, number, context);
                Classification judged = _resultRule?.Invoke(result!) ?? Verdict.Success;
                if (judged.RetryAfter is { } wait) context.StatedRetryAfter = wait;
                replaced = new(result, null, judged.Verdict, judged.EffectiveMarks);
            }

            CountAttempt(replaced);
            return true;
        }

        private bool TryMakeResult(ResilienceContext context, out T? result)
        {
            result = default;
            if (_result is null) return false; // nothing to give to calls of this type
            try
            {
                result = _result(context.Shown());
                return true;
            }
            catch (Exception error)
            {
                Safely.Report("chaos result", error);
                return false;
            }
        }

        /// <summary>The operation is done and its reply is lost. Where the call itself has failed there is no reply to lose.</summary>
        private Outcome<T> Lose(in Outcome<T> outcome, long number, ResilienceContext context)
        {
            if (!outcome.HasResult) return outcome;
            outcome.Discard(context);
            Tell(ChaosKind.LostReply, number, context);
            return policy.Failed<T>(policy.MakeFault(ChaosKind.LostReply, context)!, context);
        }

        private void Tell(ChaosKind kind, long number, ResilienceContext context) =>
            policy.Report(kind, number, null, context);

        private void CountAttempt(in Outcome<T> outcome)
        {
            CallInstruments instruments = CallInstruments.For(policy._environment.Meter);
            if (!instruments.Attempts.Enabled) return;
            string? name = outcome.Error is { } error
                ? policy._environment.Classifier.ErrorTypeOf(error)
                : outcome.IsSuccess ? null : _nameOf?.Invoke(outcome.RawValue!);
            instruments.CountAttempt(policy._environment.PipelineName, outcome.Verdict, name);
        }
    }
}
