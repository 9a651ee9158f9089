using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a call passes a fallback: down untouched; up, a failure or a rejection is replaced.</summary>
internal sealed class FallbackPolicy<TResult>(FallbackOptions<TResult> options, PolicyEnvironment environment) : ResiliencePolicy
{
    private readonly LastGood<TResult>? _lastGood = options.LastGood;
    private readonly Func<FallbackArguments<TResult>, ValueTask<TResult>>? _call = options.Call;
    private readonly Func<FallbackArguments<TResult>, bool>? _shouldHandle = options.ShouldHandle;
    private readonly bool _hasValue = options.HasValue;
    private readonly TResult? _value = options.Value;

    internal override bool NeverThrows => true;

    protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) =>
        next is PolicyLink<TResult> mine ? (PolicyLink<T>)(object)new Link(this, mine) : next;

    public override PolicyDescription Describe()
    {
        List<KeyValuePair<string, string>> described = [];
        if (_lastGood is not null) described.Add(new("last good", $"up to {TimeText.Of(_lastGood.MaxAge)} old"));
        if (_call is not null) described.Add(new("substitute call", "yes"));
        if (_hasValue) described.Add(new("substitute value", $"{_value}"));
        PolicyDescription.AddIfOwn(described, "should handle", _shouldHandle);
        return new(environment.PolicyName, PolicyRole.Fallback) { Options = described };
    }

    private sealed class Link(FallbackPolicy<TResult> policy, PolicyLink<TResult> next) : SuspendingLink<TResult>
    {
        public override ValueTask<Outcome<TResult>> ExecuteAsync(ResilienceContext context)
        {
            ValueTask<Outcome<TResult>> running = next.ExecuteAsync(context);
            if (!running.IsCompletedSuccessfully) return Suspend(running, context);
            Outcome<TResult> outcome = running.Result;
            return policy.Handles(outcome, context) ? policy.SubstituteAsync(outcome, context) : new(policy.Kept(outcome, context));
        }

        private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<TResult> outcome)
        {
            if (policy.Handles(outcome, context)) return false;
            outcome = policy.Kept(outcome, context);
            return true;
        }

        private protected override ValueTask<Outcome<TResult>> ContinueAsync(ResilienceContext context, Outcome<TResult> outcome) =>
            policy.SubstituteAsync(outcome, context);
    }

    private Outcome<TResult> Kept(Outcome<TResult> outcome, ResilienceContext context)
    {
        if (_lastGood is not null && outcome.IsSuccess) _lastGood.Store(context, outcome.RawValue!);
        return outcome;
    }

    private bool Handles(Outcome<TResult> outcome, ResilienceContext context)
    {
        if (outcome.Verdict is not (Verdict.Failure or Verdict.Rejected)) return false;
        if (_shouldHandle is null) return true;
        try
        {
            return _shouldHandle(new(outcome, context));
        }
        catch (Exception error)
        {
            Safely.Report("fallback condition", error);
            return false;
        }
    }

    private async ValueTask<Outcome<TResult>> SubstituteAsync(Outcome<TResult> outcome, ResilienceContext context)
    {
        if (_lastGood is not null && _lastGood.TryGet(context, out TResult? last, out TimeSpan age))
            return Substitute(outcome, last!, FallbackSource.LastGood, age, context);

        // A caller who has left needs no substitute call; a value that lies ready costs nothing.
        if (_call is not null && !context.Token.IsCancellationRequested)
        {
            try
            {
                ValueTask<TResult> running = context.BeginSettled(
                    (_call, Arguments: new FallbackArguments<TResult>(outcome, context)), static begun => begun._call(begun.Arguments));
                return Substitute(outcome, await running.ConfigureAwait(false), FallbackSource.Call, null, context);
            }
            catch (Exception error)
            {
                Failed(outcome.Verdict, error, context);
            }
        }

        return _hasValue ? Substitute(outcome, _value!, FallbackSource.Value, null, context) : outcome;
    }

    private Outcome<TResult> Substitute(
        Outcome<TResult> replaced, TResult value, FallbackSource source, TimeSpan? age, ResilienceContext context)
    {
        Used(replaced.Verdict, source, age, context);
        if (!ReferenceEquals(replaced.RawValue, value)) replaced.Discard(context);
        return new(value, null, Verdict.Success, source == FallbackSource.Call ? OutcomeMarks.None : OutcomeMarks.IsShared);
    }

    private void Failed(Verdict kept, Exception error, ResilienceContext context)
    {
        Safely.Report("fallback call", error);
        if (!environment.IsObserved()) return;
        environment.Report(new FallbackFailed(environment.PipelineName, environment.PolicyName, kept, error) { Operation = context.NameOfOperation });
    }

    private void Used(Verdict replaced, FallbackSource source, TimeSpan? age, ResilienceContext context)
    {
        if (!environment.IsObserved(FallbackUsed.Metric)) return;
        environment.Report(new FallbackUsed(environment.PipelineName, environment.PolicyName, replaced, source, age) { Operation = context.NameOfOperation });
    }
}
