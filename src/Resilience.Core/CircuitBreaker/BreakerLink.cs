using System.Runtime.CompilerServices;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

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
