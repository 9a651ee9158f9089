using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>How a call passes a timeout: arm, go on, disarm.</summary>
internal sealed class TimeoutPolicy : ResiliencePolicy
{
    private readonly PolicyEnvironment _environment;
    private readonly TimeoutTelemetry _telemetry;
    private readonly TimeSpan _timeout;
    private readonly long _timeoutMs;
    private readonly Func<ResilienceContext, TimeSpan?>? _timeoutFor;
    private readonly TimeSpan? _abandonAfter;

    internal TimeoutPolicy(TimeoutOptions options, PolicyEnvironment environment)
    {
        _environment = environment;
        _telemetry = TimeoutTelemetry.For(environment.Meter);
        _timeout = options.Timeout;
        _timeoutMs = Clock.ToMs(options.Timeout);
        _timeoutFor = options.TimeoutFor;
        _abandonAfter = options.AbandonAfter;
    }

    internal override bool NeverThrows => true;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) =>
        _abandonAfter is { } grace ? new AbandoningLink<T>(this, next, grace) : new Link<T>(this, next);

    public override PolicyDescription Describe()
    {
        List<KeyValuePair<string, string>> options = [new("timeout", PolicyDescription.Format(_timeout))];
        if (_timeoutFor is not null) options.Add(new("per call", "yes"));
        if (_abandonAfter is { } abandon) options.Add(new("abandon after", PolicyDescription.Format(abandon)));
        return new(_environment.PolicyName, PolicyRole.Timeout) { Timeout = _timeout, Options = options };
    }

    private TimeSpan TimeoutOf(ResilienceContext context)
    {
        try
        {
            if (_timeoutFor!(context.Shown()) is not { } own) return _timeout;
            if (own >= TimeoutOptions.Shortest && own <= OptionsCheck.LongestSpan) return own;
            Safely.Report("timeout for call", new InvalidOperationException("The answer is out of range."));
            return _timeout;
        }
        catch (Exception error)
        {
            Safely.Report("timeout for call", error);
            return _timeout;
        }
    }

    /// <summary>What must be put back when the call comes up again.</summary>
    private readonly struct Armed(TimeoutSource source, object? around, long outerDeadlineMs, TimeSpan timeout, bool isCallersDeadline, CancellationToken outer)
    {
        internal readonly TimeoutSource Source = source;
        internal readonly CancellationToken Outer = outer;
        internal readonly object? Around = around;
        internal readonly long OuterDeadlineMs = outerDeadlineMs;
        internal readonly TimeSpan Timeout = timeout;
        internal readonly bool IsCallersDeadline = isCallersDeadline;

        /// <summary>The same after a suspension: the source knows its limit.</summary>
        internal Armed(TimeoutSource source, object? around, long outerDeadlineMs, CancellationToken outer)
            : this(source, around, outerDeadlineMs, source.LimitLength, source.IsCallersDeadline, outer)
        {
        }
    }

    /// <summary>False when the deadline of the call has passed already, so that nothing need be started.</summary>
    private bool TryArm(ResilienceContext context, out Armed armed)
    {
        Clock clock = context.Clock;
        long now = clock.NowMs;
        TimeSpan timeout = _timeout;
        long ms = _timeoutMs;
        if (_timeoutFor is not null)
        {
            timeout = TimeoutOf(context);
            ms = Clock.ToMs(timeout);
        }

        long outerDeadline = context.DeadlineMs;
        CancellationToken outer = context.Token;
        if (outerDeadline <= now)
        {
            armed = new(null!, null, outerDeadline, timeout, isCallersDeadline: true, outer);
            return false;
        }

        long due = now + ms;
        object? around = context.InnermostTimeout;

        // A deadline without a timeout around us is the caller's own: nobody else ends the call when it passes.
        bool isCallers = around is null && outerDeadline < due;
        if (isCallers)
        {
            due = outerDeadline;
            timeout = TimeSpan.FromMilliseconds(due - now);
        }

        TimeoutSource source = TimeoutPool.Rent(clock, timeout);
        source.Describe(_environment.PolicyName, timeout, due, isCallers);
        source.Arm(Math.Max(1, due));
        source.LinkTo(around as TimeoutSource, outer);
        armed = new(source, around, outerDeadline, timeout, isCallers, outer);
        if (due < outerDeadline) context.DeadlineMs = due;
        context.InnermostTimeout = source;
        context.Token = source.Token;
        context.ListenByToken();
        return true;
    }

    private Outcome<T> Finish<T>(ResilienceContext context, in Armed armed, Outcome<T> outcome)
    {
        context.Token = armed.Outer;
        context.InnermostTimeout = armed.Around;
        context.DeadlineMs = armed.OuterDeadlineMs;
        bool fired = armed.Source.Disarm(out bool isReusable);
        if (isReusable) TimeoutPool.Return(armed.Source);
        else TimeoutPool.Drop(armed.Source);

        // A real answer that came late is still the answer.
        return outcome.Error is null ? outcome : FinishBadly(context, armed, outcome, fired);
    }

    private Outcome<T> FinishBadly<T>(ResilienceContext context, in Armed armed, in Outcome<T> outcome, bool fired)
    {
        if (outcome.Error is TimedOutException { CutBy: { } cutBy } cut && ReferenceEquals(cutBy, armed.Source)) return TimedOut(context, armed, outcome, cut);

        // If those around us ended the call, the end is theirs, and they shall find their token in it.
        if (armed.Outer.IsCancellationRequested) return Cancelled.PutBack(outcome, armed.Outer);
        return fired && outcome.Error is OperationCanceledException cancelled ? TimedOut<T>(context, armed, cancelled, isAbandoned: false) : outcome;
    }

    private Outcome<T> TimedOut<T>(ResilienceContext context, in Armed armed, in Outcome<T> outcome, TimedOutException cut)
    {
        Tell(context, armed, isAbandoned: false);
        return new(default, cut, VerdictOf(armed), outcome.Marks);
    }

    private static Verdict VerdictOf(in Armed armed) => armed.IsCallersDeadline ? Verdict.Ignored : Verdict.Failure;

    /// <summary>Our own limit is a failure of what it limits; a deadline that the caller set says nothing about the dependency, and
    /// must not open a circuit that others share.</summary>
    private Outcome<T> TimedOut<T>(ResilienceContext context, in Armed armed, Exception? cause, bool isAbandoned)
    {
        Tell(context, armed, isAbandoned);
        return new(default, new TimedOutException(_environment.PolicyName, armed.Timeout, cause), VerdictOf(armed), OutcomeMarks.None);
    }

    private void Tell(ResilienceContext context, in Armed armed, bool isAbandoned)
    {
        TimeSpan timeout = armed.Timeout;
        string reason = isAbandoned ? "abandoned" : armed.IsCallersDeadline ? "deadline" : "timeout";
        _telemetry.Ended(_environment, reason, timeout);
        if (_environment.HasListeners)
        {
            _environment.Publish(new CallTimedOut(_environment.PipelineName, _environment.PolicyName, timeout, context.AttemptNumber, isAbandoned)
            {
                Operation = context.NameOfOperation,
            });
        }
    }

    private sealed class Link<T>(TimeoutPolicy policy, PolicyLink<T> next) : SuspendingLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            if (!policy.TryArm(context, out Armed armed)) return new(policy.TimedOut<T>(context, armed, null, isAbandoned: false));
            ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
            return running.IsCompletedSuccessfully
                ? new(policy.Finish(context, armed, running.Result))
                : Suspend(running, context, new(armed.Source, armed.Around, armed.OuterDeadlineMs, armed.Outer));
        }

        private protected override ValueTask<Outcome<T>> Resume(ResilienceContext context, in FrameState state, in Outcome<T> outcome) =>
            new(policy.Finish(context, new Armed(Unsafe.As<TimeoutSource>(state.First!), state.Second, state.Number, state.Token), outcome));
    }

    /// <summary>As above, and walks away from a delegate that does not end within a grace after it was told to.</summary>
    /// <remarks>What is left behind goes on with a context of its own, so it cannot touch the attempts that follow.</remarks>
    private sealed class AbandoningLink<T>(TimeoutPolicy policy, PolicyLink<T> next, TimeSpan grace) : PolicyLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            ResilienceContext own = context.Copy();
            if (!policy.TryArm(own, out Armed armed)) return new(policy.TimedOut<T>(context, armed, null, isAbandoned: false));
            ValueTask<Outcome<T>> running = next.ExecuteAsync(own);
            return running.IsCompletedSuccessfully
                ? new(FinishCopy(context, own, armed, running.Result))
                : AwaitAsync(running.AsTask(), context, own, armed);
        }

        private Outcome<T> FinishCopy(ResilienceContext context, ResilienceContext own, in Armed armed, Outcome<T> outcome)
        {
            Outcome<T> finished = policy.Finish(own, armed, outcome);
            context.Take(own);
            own.EndFork();
            return finished;
        }

        private async ValueTask<Outcome<T>> AwaitAsync(Task<Outcome<T>> running, ResilienceContext context, ResilienceContext own, Armed armed)
        {
            using CancellationTokenSource ended = new();
            Task patience = PatienceAsync(own.Clock, armed.Source.Token, ended.Token);
            if (await Task.WhenAny(running, patience).ConfigureAwait(false) == running)
            {
                await ended.CancelAsync().ConfigureAwait(false);
                return FinishCopy(context, own, armed, await running.ConfigureAwait(false));
            }

            context.JoinUnfinished(own);

            // Nobody waits for it any more; when it ends, what it brings is thrown away, unless the next attempt brings the same. Its source was
            // cancelled: never used again.
            _ = running.ContinueWith(
                static (late, left) => ((Leftovers)left!).Add(late.Result.RawValue),
                context.HoldLeftovers(),
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
            bool isOurs = armed.Source.Disarm(out _) && !armed.Outer.IsCancellationRequested;
            TimeoutPool.Drop(armed.Source);
            return isOurs
                ? policy.TimedOut<T>(own, armed, null, isAbandoned: true)
                : new(default, new OperationCanceledException(armed.Outer), Verdict.Ignored, OutcomeMarks.None);
        }

        /// <summary>It goes on inside of the cancellation, but only to wait: then what waits for it goes on elsewhere.</summary>
        private async Task PatienceAsync(Clock clock, CancellationToken told, CancellationToken ended)
        {
            TaskCompletionSource heard = new();
            using CancellationTokenRegistration onTold = told.UnsafeRegister(static s => ((TaskCompletionSource)s!).TrySetResult(), heard);
            using CancellationTokenRegistration onEnded = ended.UnsafeRegister(static s => ((TaskCompletionSource)s!).TrySetResult(), heard);
            await heard.Task.ConfigureAwait(false);
            await (grace > TimeSpan.Zero ? ClockWait.ForAsync(clock, grace, ended) : ClockWait.HopAsync(clock)).ConfigureAwait(false);
        }
    }
}
