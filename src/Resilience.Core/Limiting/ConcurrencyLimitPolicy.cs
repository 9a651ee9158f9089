using System.Globalization;
using System.Runtime.CompilerServices;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a call passes a concurrency limit: take a place, go on, give it back whatever happened.</summary>
internal sealed class ConcurrencyLimitPolicy : ResiliencePolicy
{
    private readonly ConcurrencyLimit _limit;
    private readonly PolicyEnvironment _environment;
    private readonly CarriedState<ConcurrencyLimit, ConcurrencyLimitOptions>? _carried; // null: the limit is shared, and an update changes nothing about it

    /// <summary>A limit of the pipeline's own, or the one that the policy of this name had before an update.</summary>
    internal ConcurrencyLimitPolicy(ConcurrencyLimitOptions options, PolicyEnvironment environment)
    {
        _environment = environment;
        _carried = new(
            this, environment, options, static (o, e) => new(o, e), static (l, o, e) => l.Adopt(o, e), static (l, e) => ConcurrencyLimitTelemetry.Watch(e, l),
            static (l, e) => l.Abandon(e));
        _limit = _carried.State;
    }

    internal ConcurrencyLimitPolicy(ConcurrencyLimit limit, PolicyEnvironment environment)
    {
        _limit = limit;
        _environment = environment;
    }

    internal override bool NeverThrows => true;

    public override object? State => _limit;

    protected internal override CarriedState? Carried => _carried;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(_limit, _environment, next);

    public override PolicyDescription Describe()
    {
        ConcurrencyLimitOptions? pending = _carried?.Pending;
        (int queue, TimeSpan wait) = pending is null ? _limit.Queue : (pending.MaxQueued, pending.MaxWait);
        List<KeyValuePair<string, string>> described = [new("limit", (pending?.MaxConcurrent ?? _limit.Limit).ToString(CultureInfo.InvariantCulture))];
        described.Add(new("queue", queue == 0 ? "none" : string.Create(CultureInfo.InvariantCulture, $"{queue}, up to {TimeText.Of(wait)}")));
        return new(_environment.PolicyName, PolicyRole.ConcurrencyLimit) { Options = described, QueueWait = queue == 0 ? null : wait };
    }

    private sealed class Link<T>(ConcurrencyLimit limit, PolicyEnvironment environment, PolicyLink<T> next) : SuspendingLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            if (!limit.TryEnter()) return EnterAndGoOnAsync(limit.EnterAsync(context), context);
            return GoOn(context);
        }

        private ValueTask<Outcome<T>> GoOn(ResilienceContext context)
        {
            bool isCounted = ConcurrencyLimitTelemetry.Entered(environment);
            ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
            if (!running.IsCompletedSuccessfully) return Suspend(running, context, new(null, number: isCounted ? 1 : 0));
            Outcome<T> outcome = running.Result;
            Leave(isCounted, outcome, context);
            return new(outcome);
        }

        private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
        {
            Leave(state.Number != 0, outcome, context);
            return true;
        }

        private ValueTask<Outcome<T>> EnterAndGoOnAsync(ValueTask<LimitRejection?> entering, ResilienceContext context) =>
            entering.IsCompletedSuccessfully && entering.Result is { } rejection
                ? new(Reject(rejection, context))
                : EnterAndGoOnSlowlyAsync(entering.IsCompletedSuccessfully ? default : entering, context);

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<Outcome<T>> EnterAndGoOnSlowlyAsync(ValueTask<LimitRejection?> entering, ResilienceContext context)
        {
            try
            {
                if (await entering.ConfigureAwait(false) is { } rejection) return Reject(rejection, context);
            }
            catch (OperationCanceledException cancelled)
            {
                return new(default, cancelled, Verdict.Ignored, OutcomeMarks.None);
            }

            // Let in at the moment at which it was cancelled: it is not wanted any more, so the next in line gets the place.
            if (context.Token.IsCancellationRequested)
            {
                GiveBack();
                return new(default, new OperationCanceledException(context.Token), Verdict.Ignored, OutcomeMarks.None);
            }

            context.MarkBegun();
            return await GoOn(context).ConfigureAwait(false);
        }

        /// <summary>The place is given back, or left to a result that is still in use.</summary>
        private void Leave(bool isCounted, in Outcome<T> outcome, ResilienceContext context)
        {
            if (!outcome.HasResult || !context.TryFind(PlaceHold.Property, out PlaceHold? hold) || !TryLeaveTo(hold, isCounted)) Leave(isCounted);
        }

        private bool TryLeaveTo(PlaceHold hold, bool isCounted) => hold.TryAdd(() => Leave(isCounted));

        private void Leave(bool isCounted)
        {
            GiveBack();
            if (isCounted) ConcurrencyLimitTelemetry.Left(environment);
        }

        /// <summary>Who shares the limit may have given back a place that was not his: ours is gone then, and that must not cost the call.</summary>
        private void GiveBack()
        {
            if (!limit.TryRelease()) Safely.Report("concurrency limit release", limit.GivenBackTwice());
        }

        private Outcome<T> Reject(LimitRejection rejection, ResilienceContext context)
        {
            if (environment.IsObserved(LimitReached.Metric))
                environment.Report(new LimitReached(environment.PipelineName, environment.PolicyName, rejection) { Operation = context.NameOfOperation });
            return new(default, rejection, Verdict.Rejected, OutcomeMarks.None);
        }
    }
}
