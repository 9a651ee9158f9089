using System.Runtime.CompilerServices;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a call passes a timeout: arm, go on, disarm.</summary>
internal sealed class TimeoutPolicy : ResiliencePolicy
{
    private readonly PolicyEnvironment _environment;
    private readonly TimeSpan _timeout;
    private readonly long _timeoutMs;
    private readonly Func<ResilienceContext, TimeSpan?>? _timeoutFor;
    private readonly TimeSpan? _abandonAfter;

    internal TimeoutPolicy(TimeoutOptions options, PolicyEnvironment environment)
    {
        _environment = environment;
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
        List<KeyValuePair<string, string>> options = [new("timeout", TimeText.Of(_timeout))];
        if (_timeoutFor is not null) options.Add(new("per call", "yes"));
        if (_abandonAfter is { } abandon) options.Add(new("abandon after", TimeText.Of(abandon)));
        return new(_environment.PolicyName, PolicyRole.Timeout) { Timeout = _timeout, Options = options };
    }

    private TimeSpan TimeoutOf(ResilienceContext context)
    {
        try
        {
            if (_timeoutFor!(context.Shown()) is not { } own) return _timeout;
            if (own >= TimeoutOptions.Shortest && own <= OptionsCheck.MaxSpan) return own;
            Safely.Report("timeout for call", new InvalidOperationException("TimeoutFor returned a time that is out of range."));
            return _timeout;
        }
        catch (Exception error)
        {
            Safely.Report("timeout for call", error);
            return _timeout;
        }
    }

    /// <summary>How long a call may take, and whether the caller said so.</summary>
    private readonly record struct Limit(TimeSpan Length, bool IsCallersDeadline)
    {
        /// <summary>The caller says that his deadline speaks against the dependency.</summary>
        internal bool DeadlineCounts { get; init; }

        internal Verdict Verdict => IsCallersDeadline && !DeadlineCounts ? Verdict.Ignored : Verdict.Failure;
    }

    /// <summary>Null when the deadline of the call has passed already, so that nothing need be started.</summary>
    private TimeoutSource? Arm(ResilienceContext context, out TimeSpan timeout)
    {
        Clock clock = context.Clock;
        long now = clock.NowMs;
        timeout = _timeout;
        long ms = _timeoutMs;
        if (_timeoutFor is not null)
        {
            timeout = TimeoutOf(context);
            ms = Clock.ToMs(timeout);
        }

        long outerDeadline = context.DeadlineMs;
        if (outerDeadline <= now) return null;
        TimeoutSource? around = context.InnermostTimeout;
        long due = now + ms;

        // A deadline without a timeout around us is the caller's own: nothing else ends the call when it passes.
        bool isCallers = around is null && outerDeadline < due;
        if (isCallers)
        {
            due = outerDeadline;
            timeout = TimeSpan.FromMilliseconds(due - now);
        }

        TimeoutSource source = TimeoutPool.Rent(clock, timeout);
        source.Describe(_environment.PolicyName, timeout, due, isCallers);
        source.Arm(Math.Max(1, due));
        source.LinkTo(around, context.Token);
        source.OuterDeadlineMs = outerDeadline;
        if (due < outerDeadline) context.DeadlineMs = due;
        context.InnermostTimeout = source;
        context.Token = source.Token;
        context.ListenByToken();
        return source;
    }

    /// <summary>Puts back what was there before, and judges what came up.</summary>
    private Outcome<T> Finish<T>(ResilienceContext context, TimeoutSource source, in Outcome<T> outcome)
    {
        CancellationToken outer = source.OuterToken;
        Limit limit = new(source.LimitLength, source.IsCallersDeadline); // read now: back in the pool the source may serve another call
        context.Token = outer;
        context.InnermostTimeout = source.Around;
        context.DeadlineMs = source.OuterDeadlineMs;
        bool fired = source.Disarm(out bool isReusable);
        if (isReusable) TimeoutPool.Return(source);
        else TimeoutPool.Drop(source);

        // A real answer that came late is still the answer.
        return outcome.Error is null ? outcome : FinishBadly(context, limit, source, outcome, fired, outer);
    }

    private Outcome<T> FinishBadly<T>(
        ResilienceContext context, Limit limit, TimeoutSource source, in Outcome<T> outcome, bool fired, CancellationToken outer)
    {
        limit = limit with { DeadlineCounts = context.DeadlineCounts() };
        if (outcome.Error is TimedOutException { CutBy: { } cutBy } cut && ReferenceEquals(cutBy, source))
        {
            Tell(context, limit, isAbandoned: false);
            return new(default, cut, limit.Verdict, outcome.Marks);
        }

        // If those around us ended the call, the end is theirs, and they shall find their token in it.
        if (outer.IsCancellationRequested) return Cancelled.PutBack(outcome, outer);
        return fired && outcome.Error is OperationCanceledException cancelled ? TimedOut<T>(context, limit, cancelled, isAbandoned: false) : outcome;
    }

    /// <summary>Nothing was started: the time was up before.</summary>
    private Outcome<T> TimedOutBefore<T>(ResilienceContext context, TimeSpan timeout) =>
        TimedOut<T>(context, new(timeout, IsCallersDeadline: true), null, isAbandoned: false);

    /// <summary>Our own limit is a failure of what it limits; a deadline that the caller set says nothing about the dependency, and
    /// must not open a circuit that others share.</summary>
    private Outcome<T> TimedOut<T>(ResilienceContext context, Limit limit, Exception? cause, bool isAbandoned)
    {
        Tell(context, limit, isAbandoned);
        return new(default, new TimedOutException(_environment.PolicyName, limit.Length, cause), limit.Verdict, OutcomeMarks.None);
    }

    private void Tell(ResilienceContext context, Limit limit, bool isAbandoned)
    {
        if (!_environment.IsObserved(CallTimedOut.Metric)) return;
        _environment.Report(new CallTimedOut(_environment.PipelineName, _environment.PolicyName, limit.Length, context.AttemptNumber, isAbandoned)
        {
            IsDeadline = limit.IsCallersDeadline,
            Operation = context.NameOfOperation,
        });
    }

    private sealed class Link<T>(TimeoutPolicy policy, PolicyLink<T> next) : SuspendingLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            if (policy.Arm(context, out TimeSpan timeout) is not { } source) return new(policy.TimedOutBefore<T>(context, timeout));
            ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
            return running.IsCompletedSuccessfully ? new(policy.Finish(context, source, running.Result)) : Suspend(running, context, new(source));
        }

        private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
        {
            outcome = policy.Finish(context, Unsafe.As<TimeoutSource>(state.First!), outcome);
            return true;
        }
    }

    /// <summary>As above, and walks away from a delegate that does not end within a grace after it was told to.</summary>
    /// <remarks>What is left behind goes on with a context of its own, so it cannot touch the attempts that follow.</remarks>
    private sealed class AbandoningLink<T>(TimeoutPolicy policy, PolicyLink<T> next, TimeSpan grace) : PolicyLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            if (context.BlocksThread) return new(new Outcome<T>(default, NeedsAThread(), Verdict.Ignored, OutcomeMarks.None));
            ResilienceContext own = context.Copy();
            if (policy.Arm(own, out TimeSpan timeout) is not { } source) return new(policy.TimedOutBefore<T>(context, timeout));
            ValueTask<Outcome<T>> running = next.ExecuteAsync(own);
            return running.IsCompletedSuccessfully
                ? new(FinishCopy(context, own, source, running.Result))
                : AwaitAsync(running.AsTask(), context, own, source);
        }

        private InvalidOperationException NeedsAThread() => ProgramError.Make(
            $"{policy._environment.PolicyName}: {nameof(TimeoutOptions.AbandonAfter)} walks away from a delegate, which the only thread of a synchronous "
            + "call cannot. Call ExecuteAsync, or leave the option out.");

        private Outcome<T> FinishCopy(ResilienceContext context, ResilienceContext own, TimeoutSource source, in Outcome<T> outcome)
        {
            Outcome<T> finished = policy.Finish(own, source, outcome);
            context.Take(own);
            own.EndFork();
            return finished;
        }

        private async ValueTask<Outcome<T>> AwaitAsync(Task<Outcome<T>> running, ResilienceContext context, ResilienceContext own, TimeoutSource source)
        {
            using CancellationTokenSource ended = new();
            Task patience = PatienceAsync(own.Clock, source.Token, ended.Token);
            if (await Task.WhenAny(running, patience).ConfigureAwait(false) == running)
            {
                EndPatience(ended);
                return FinishCopy(context, own, source, await running.ConfigureAwait(false));
            }

            context.JoinUnfinished(own);

            // It is not awaited any more; when it ends, what it brings is thrown away, unless the caller gets the same. Its source was cancelled: never
            // used again.
            if (ResultType<T>.MayBeDisposable) context.HoldLeftovers();
            _ = running.ContinueWith(
                static (late, own) => late.Result.Leave((ResilienceContext)own!),
                own,
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
            CancellationToken outer = source.OuterToken;
            bool isOurs = source.Disarm(out _) && !outer.IsCancellationRequested;
            TimeoutPool.Drop(source);
            return isOurs
                ? policy.TimedOut<T>(own, new(source.LimitLength, source.IsCallersDeadline), null, isAbandoned: true)
                : new(default, new OperationCanceledException(outer), Verdict.Ignored, OutcomeMarks.None);
        }

        /// <summary>At once: what hears of it is ours alone, and <see cref="CancellationTokenSource.CancelAsync"/> would go behind the backlog of the
        /// thread pool.</summary>
        private static void EndPatience(CancellationTokenSource ended) => ended.Cancel();

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
