using System.Globalization;
using Resilience.Events;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>How a call passes a throttle: drawn at the door, counted at its end.</summary>
internal sealed class AdaptiveThrottlePolicy : ResiliencePolicy, IOverloadSign
{
    private readonly AdaptiveThrottle _throttle;
    private readonly PolicyEnvironment _environment;
    private readonly CarriedState<AdaptiveThrottle, AdaptiveThrottleOptions>? _carried; // null: the throttle is shared, and an update changes nothing about it
    private CallThrottled? _lastThrottled;

    /// <summary>A throttle of the pipeline's own, or the one that the policy of this name had before an update.</summary>
    internal AdaptiveThrottlePolicy(AdaptiveThrottleOptions options, PolicyEnvironment environment)
    {
        _environment = environment;
        _carried = new(
            this, environment, options, static (o, e) => new(o, e), static (t, o, e) => t.Adopt(o, e), static (t, e) => AdaptiveThrottleTelemetry.Watch(e, t),
            static (t, e) => t.Abandon(e));
        _throttle = _carried.State;
    }

    internal AdaptiveThrottlePolicy(AdaptiveThrottle throttle, PolicyEnvironment environment)
    {
        _throttle = throttle;
        _environment = environment;
    }

    internal override bool NeverThrows => true;

    public override object? State => _throttle;

    bool IOverloadSign.ShowsOverload => _throttle.IsRejecting;

    protected internal override CarriedState? Carried => _carried;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(this, next);

    public override PolicyDescription Describe()
    {
        AdaptiveThrottleOptions options = _carried?.Pending ?? _throttle.Options;
        List<KeyValuePair<string, string>> described =
        [
            new(nameof(AdaptiveThrottleOptions.K), options.K.ToString(CultureInfo.InvariantCulture)),
            new(nameof(AdaptiveThrottleOptions.Window), TimeText.Of(options.Window)),
            new(nameof(AdaptiveThrottleOptions.MaxRejection), string.Create(CultureInfo.InvariantCulture, $"{options.MaxRejection * 100:0.##} %")),
            new(nameof(AdaptiveThrottleOptions.Padding), options.Padding.ToString(CultureInfo.InvariantCulture)),
            new(nameof(AdaptiveThrottleOptions.Counts), options.Counts.ToString()),
        ];
        PolicyDescription.AddIfOwn(described, nameof(AdaptiveThrottleOptions.IsOverload), options.IsOverload);
        return new(_environment.PolicyName, PolicyRole.Throttle)
        {
            Options = described,
            CheckOrder = check => CountedOverload.Check(check, "adaptive throttle", _environment.Classifier),
        };
    }

    /// <summary>One event for each tick, class and operation, so that reporting allocates as little as rejecting does.</summary>
    private void Report(ThrottleRejection rejection, ResilienceContext context)
    {
        CallThrottled? last = _lastThrottled; // a race costs an object
        if (last is null || last.Rejection != rejection || last.Operation != context.NameOfOperation)
        {
            last = new(_environment.PipelineName, _environment.PolicyName, rejection) { Operation = context.NameOfOperation };
            _lastThrottled = last;
        }

        _environment.Report(last);
    }

    private sealed class Link<T>(AdaptiveThrottlePolicy policy, PolicyLink<T> next) : SuspendingLink<T>
    {
        private readonly AttemptReader<T> _reader = new(policy._environment.Classifier, policy._environment.TimeProvider);

        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            if (policy._throttle.TryEnter(context.CriticalityOfCall) is { } rejection)
            {
                if (policy._environment.IsObserved(CallThrottled.Metric)) policy.Report(rejection, context);
                return new(new Outcome<T>(default, rejection, Verdict.Rejected, OutcomeMarks.None));
            }

            ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
            if (!running.IsCompletedSuccessfully) return Suspend(running, context);
            Outcome<T> outcome = running.Result;
            Count(outcome, context);
            return new(outcome);
        }

        private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
        {
            Count(outcome, context);
            return true;
        }

        /// <summary>A call that a policy inside rejected was not sent, and one that was cancelled says nothing.</summary>
        private void Count(in Outcome<T> outcome, ResilienceContext context)
        {
            bool isAnswer = outcome.Verdict is Verdict.Success or Verdict.Failure || (outcome.Verdict == Verdict.Ignored && outcome.HasResult);
            if (isAnswer) policy._throttle.Record(context.CriticalityOfCall, outcome.Verdict != Verdict.Failure || !IsOverload(outcome, context));
        }

        private bool IsOverload(in Outcome<T> outcome, ResilienceContext context)
        {
            AdaptiveThrottleOptions options = policy._throttle.Options;
            if (options.Counts == ThrottleCounts.AllFailures) return true;
            if ((outcome.Marks & OutcomeMarks.Overload) != 0 || outcome.Error is TimedOutException) return true;
            if (options.IsOverload is not { } ask) return false;
            try
            {
                return ask(_reader.Read(outcome, context.AttemptNumber, context));
            }
            catch (Exception error)
            {
                Safely.Report("throttle IsOverload", error);
                return false;
            }
        }
    }
}
