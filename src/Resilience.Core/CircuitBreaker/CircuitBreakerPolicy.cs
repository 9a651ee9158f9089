using System.Runtime.CompilerServices;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a call passes a circuit breaker: enter, go on, exit.</summary>
internal sealed class CircuitBreakerPolicy : ResiliencePolicy
{
    private readonly CircuitBreaker _breaker;
    private readonly PolicyEnvironment _environment;
    private readonly CarriedState<CircuitBreaker, CircuitBreakerOptions>? _carried; // null: the breaker is shared, and an update changes nothing about it

    /// <summary>A breaker of the pipeline's own, or the one that the policy of this name had before an update.</summary>
    internal CircuitBreakerPolicy(CircuitBreakerOptions options, PolicyEnvironment environment)
    {
        _environment = environment;
        _carried = new(
            this, environment, options, static (o, e) => new(o, e), static (b, o, e) => b.Adopt(o, e), static (b, e) => CircuitBreakerTelemetry.Watch(e, b),
            static (b, e) => b.Abandon(e));
        _breaker = _carried.State;
    }

    internal CircuitBreakerPolicy(CircuitBreaker breaker, PolicyEnvironment environment)
    {
        _breaker = breaker;
        _environment = environment;
    }

    internal override bool NeverThrows => true;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(_breaker, _environment, next);

    public override object? State => _breaker;

    protected internal override CarriedState? Carried => _carried;

    public override PolicyDescription Describe() => _carried?.Pending is { } options
        ? CircuitDescription.Of(_environment.PolicyName, BreakerSettings.From(options, null, null, 0))
        : _breaker.Describe(_environment.PolicyName);

    protected internal override void TakeEffect()
    {
        if (_carried is null) _breaker.Attach(_environment); // not before: an update that is rejected is told nothing
    }

    protected internal override void Retire()
    {
        if (_carried is null) _breaker.Detach(_environment);
    }

    private sealed class Link<T>(CircuitBreaker breaker, PolicyEnvironment environment, PolicyLink<T> next) : BreakerLink<T>(environment, next)
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => Through(breaker, context);
    }
}

/// <summary>The same with a breaker for each key.</summary>
internal sealed class PartitionedBreakerPolicy : ResiliencePolicy
{
    private readonly CircuitBreakerPartitions _breakers;
    private readonly Func<ResilienceContext, string?> _keyOf;
    private readonly PolicyEnvironment _environment;

    internal PartitionedBreakerPolicy(CircuitBreakerPartitions breakers, Func<ResilienceContext, string?> keyOf, PolicyEnvironment environment)
    {
        _breakers = breakers;
        _keyOf = keyOf;
        _environment = environment;
    }

    internal override bool NeverThrows => true;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(this, next);

    public override object? State => _breakers;

    public override PolicyDescription Describe() => _breakers.Describe(_environment.PolicyName);

    protected internal override void TakeEffect() => _breakers.Attach(_environment);

    protected internal override void Retire() => _breakers.Detach(_environment);

    private CircuitBreaker BreakerFor(ResilienceContext context)
    {
        try
        {
            return _breakers.Get(_keyOf(context.Shown()) ?? "");
        }
        catch (Exception error)
        {
            Safely.Report("circuit breaker key", error);
            return _breakers.Get("");
        }
    }

    private sealed class Link<T>(PartitionedBreakerPolicy policy, PolicyLink<T> next) : BreakerLink<T>(policy._environment, next)
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => Through(policy.BreakerFor(context), context);
    }
}

/// <summary>How calls of one result type pass a breaker, whichever it is.</summary>
internal abstract class BreakerLink<T>(PolicyEnvironment environment, PolicyLink<T> next) : SuspendingLink<T>
{
    private readonly AttemptReader<T> _reader = new(environment.Classifier, environment.TimeProvider);
    private CircuitRejected? _lastRejected;

    private protected ValueTask<Outcome<T>> Through(CircuitBreaker breaker, ResilienceContext context)
    {
        CircuitAdmission entry = breaker.TryEnter(out CircuitPermit permit, out CircuitRejection? rejection);
        if (entry >= CircuitAdmission.AdmittedInDryRun)
        {
            CircuitBreakerTelemetry.Rejected(environment, entry, rejection, context, ref _lastRejected);
            if (entry != CircuitAdmission.AdmittedInDryRun) return new(new Outcome<T>(default, rejection!, Verdict.Rejected, OutcomeMarks.None));
        }

        ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
        if (!running.IsCompletedSuccessfully) return Suspend(running, context, new(breaker, permit.CircuitEpoch, permit.Packed));
        Outcome<T> outcome = running.Result;
        Exit(breaker, permit, outcome, context);
        return new(outcome);
    }

    private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
    {
        Exit(Unsafe.As<CircuitBreaker>(state.First!), CircuitPermit.Unpack(Unsafe.As<CircuitEpoch>(state.Second), state.Number), outcome, context);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Exit(CircuitBreaker breaker, CircuitPermit permit, in Outcome<T> outcome, ResilienceContext context)
    {
        Verdict verdict = outcome.Verdict;
        long asked = 0;
        if (verdict == Verdict.Failure)
        {
            if (!Counts(breaker, outcome, context)) verdict = Verdict.Ignored; // it says nothing of the dependency
            else asked = Note(breaker, permit, outcome);
        }

        if (breaker.Exit(permit, verdict, asked) == CircuitExit.Stale) CircuitBreakerTelemetry.Stale(environment);
    }

    /// <summary>What a failure leaves behind before it is counted, because it may open the circuit: what it was, and when it has asked to be called
    /// again.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private long Note(CircuitBreaker breaker, in CircuitPermit permit, in Outcome<T> outcome)
    {
        // Release: before the count of the failure, which is a full fence. Of failures at the same instant any may be the last.
        if (breaker.WantsLastFailure && permit.CircuitEpoch is { } epoch) Volatile.Write(ref epoch.LastFailure, outcome.Error ?? _reader.ReasonOf(outcome));
        return breaker.Settings.HearsRetryAfter ? AskedMs(outcome) : 0;
    }

    /// <summary>When the dependency has asked to be called again, in milliseconds from now; 0 when it did not say. Code of the user, so it is
    /// asked before anything is changed.</summary>
    private long AskedMs(in Outcome<T> outcome)
    {
        try
        {
            TimeSpan? asked = outcome.HasResult
                ? environment.Classifier.BindRetryAfter<T>()?.Invoke(outcome.RawValue!, environment.TimeProvider)
                : outcome.RetryAfter;
            return asked is { } span && span > TimeSpan.Zero ? Clock.ToMs(span) : 0;
        }
        catch (Exception error)
        {
            Safely.Report("circuit breaker RetryAfter", error);
            return 0;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool Counts(CircuitBreaker breaker, in Outcome<T> outcome, ResilienceContext context)
    {
        if (!outcome.Counts) return false;
        if (breaker.ShouldCount is not { } ask) return true;
        try
        {
            return ask(_reader.Read(outcome, context.AttemptNumber, context));
        }
        catch (Exception error)
        {
            Safely.Report("circuit breaker ShouldCount", error);
            return true;
        }
    }
}
