using System.Runtime.CompilerServices;
using Resilience.Events;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>How a call passes an adaptive limit: take a place, go on, tell how it went, give the place back whatever happened.</summary>
internal sealed class AdaptiveConcurrencyLimitPolicy : ResiliencePolicy, IOverloadSign
{
    private readonly AdaptiveConcurrencyLimit _limit;
    private readonly PolicyEnvironment _environment;
    private readonly CarriedState<AdaptiveConcurrencyLimit, AdaptiveConcurrencyLimitOptions>? _carried; // null: shared; an update changes nothing
    private AdaptiveLimitReached? _lastRejected;

    /// <summary>A limit of the pipeline's own, or the one that the policy of this name had before an update.</summary>
    internal AdaptiveConcurrencyLimitPolicy(AdaptiveConcurrencyLimitOptions options, PolicyEnvironment environment)
    {
        _environment = environment;
        _carried = new(
            this, environment, options, static (o, e) => new(o, e), static (l, o, e) => l.Adopt(o, e), static (l, e) => AdaptiveLimitTelemetry.Watch(e, l),
            static (l, e) => l.Abandon(e));
        _limit = _carried.State;
    }

    internal AdaptiveConcurrencyLimitPolicy(AdaptiveConcurrencyLimit limit, PolicyEnvironment environment)
    {
        _limit = limit;
        _environment = environment;
    }

    internal override bool NeverThrows => true;

    public override object? State => _limit;

    /// <summary>While it rejects calls, and while it looks for its baseline with few of them, nothing is hedged.</summary>
    bool IOverloadSign.ShowsOverload => _limit.ShowsOverload;

    protected internal override CarriedState? Carried => _carried;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(this, next);

    public override PolicyDescription Describe()
    {
        AdaptiveConcurrencyLimitOptions options = _carried?.Pending ?? _limit.Options;
        return new(_environment.PolicyName, PolicyRole.ConcurrencyLimit)
        {
            Options = AdaptiveLimitDescription.Of(options),
            QueueWait = options.MaxQueued == 0 ? null : options.MaxWait,
            CheckOrder = check => AdaptiveLimitOrder.Check(check, options.Algorithm, _environment),
        };
    }

    /// <summary>One event for each rejection object and operation, so that reporting allocates as little as rejecting does.</summary>
    private void Report(AdaptiveLimitRejection rejection, ResilienceContext context)
    {
        AdaptiveLimitReached? last = _lastRejected; // a race costs an object
        if (last is null || last.Rejection != rejection || last.Operation != context.NameOfOperation)
        {
            last = new(_environment.PipelineName, _environment.PolicyName, rejection) { Operation = context.NameOfOperation };
            _lastRejected = last;
        }

        _environment.Report(last);
    }

    private sealed class Link<T>(AdaptiveConcurrencyLimitPolicy policy, PolicyLink<T> next) : SuspendingLink<T>
    {
        private readonly AttemptReader<T> _reader = new(policy._environment.Classifier, policy._environment.TimeProvider);
        private Action? _giveBack; // made when first needed; a race costs an object

        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) =>
            policy._limit.TryEnterQuietly(context.CriticalityOfCall) is { EpochOfLimit: not null } permit
                ? GoOn(permit, context)
                : EnterAndGoOnAsync(
                    policy._limit.EnterOrWaitAsync(context.CriticalityOfCall, context.TimeLeft, context.BlocksThread, context.Token), context);

        private ValueTask<Outcome<T>> GoOn(LimitPermit permit, ResilienceContext context)
        {
            ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
            if (!running.IsCompletedSuccessfully) return Suspend(running, context, new(permit.EpochOfLimit, number: permit.StartTicks));
            Outcome<T> outcome = running.Result;
            Leave(permit, outcome, context);
            return new(outcome);
        }

        private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
        {
            Leave(new((LimitEpoch)state.First!, state.Number), outcome, context);
            return true;
        }

        private ValueTask<Outcome<T>> EnterAndGoOnAsync(ValueTask<LimitAdmission> entering, ResilienceContext context)
        {
            if (!entering.IsCompletedSuccessfully) return EnterAndGoOnSlowlyAsync(entering, context);
            LimitAdmission admission = entering.Result;
            return admission.IsAdmitted ? GoOn(admission.Permit, context) : new(Reject(admission.Rejection, context));
        }

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<Outcome<T>> EnterAndGoOnSlowlyAsync(ValueTask<LimitAdmission> entering, ResilienceContext context)
        {
            LimitAdmission admission;
            try
            {
                admission = await entering.ConfigureAwait(false);
            }
            catch (OperationCanceledException cancelled)
            {
                return new(default, cancelled, Verdict.Ignored, OutcomeMarks.None);
            }

            if (!admission.IsAdmitted) return Reject(admission.Rejection, context);

            // Let in at the moment at which it was cancelled: it is not wanted any more, so the next in line gets the place.
            if (context.Token.IsCancellationRequested)
            {
                GiveBack();
                return new(default, new OperationCanceledException(context.Token), Verdict.Ignored, OutcomeMarks.None);
            }

            context.MarkBegun();
            return await GoOn(admission.Permit, context).ConfigureAwait(false);
        }

        /// <summary>The latency ends here, with the headers of a response; the place is given back, or left to a result that is still in use.</summary>
        private void Leave(LimitPermit permit, in Outcome<T> outcome, ResilienceContext context)
        {
            long now = policy._limit.Now;
            if (!outcome.HasResult || !context.TryFind(PlaceHold.Property, out PlaceHold? hold) || !hold.TryAdd(_giveBack ??= GiveBack)) GiveBack();
            policy._limit.Count(permit, outcome.Verdict, outcome.Verdict == Verdict.Failure && IsOverload(outcome, context), now - permit.StartTicks, now);
        }

        /// <summary>Who shares the limit may have given back a place that was not his: ours is gone then, and that must not cost the call.</summary>
        private void GiveBack()
        {
            if (!policy._limit.TryRelease()) Safely.Report("adaptive limit release", policy._limit.GivenBackTwice());
        }

        /// <summary>Contention, such as a lost deadlock, has no mark of overload and is none.</summary>
        private bool IsOverload(in Outcome<T> outcome, ResilienceContext context)
        {
            if ((outcome.Marks & OutcomeMarks.Overload) != 0 || outcome.Error is TimedOutException) return true;
            if (policy._limit.Options.IsOverload is not { } ask) return false;
            try
            {
                return ask(_reader.Read(outcome, context.AttemptNumber, context));
            }
            catch (Exception error)
            {
                Safely.Report("adaptive limit IsOverload", error);
                return false;
            }
        }

        private Outcome<T> Reject(AdaptiveLimitRejection rejection, ResilienceContext context)
        {
            if (policy._environment.IsObserved(AdaptiveLimitReached.Metric)) policy.Report(rejection, context);
            return new(default, rejection, Verdict.Rejected, OutcomeMarks.None);
        }
    }
}
