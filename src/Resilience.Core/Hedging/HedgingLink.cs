using Resilience.Extensibility;

namespace Resilience;

/// <summary>The passage of one call through hedging. An attempt that succeeds at once costs its copy of the context and nothing else; a
/// race begins only when the first attempt suspends or ends badly.</summary>
internal sealed class HedgingLink<T>(HedgingPolicy policy, PolicyLink<T> next, IOverloadSign[] inside) : PolicyLink<T>
{
    private readonly AttemptReader<T> _reader = new(policy.Environment.Classifier, policy.Environment.TimeProvider);

    internal HedgingPolicy Policy => policy;

    /// <summary>Whether a policy inside shows that the dependency is overloaded.</summary>
    internal bool ShowsOverload
    {
        get
        {
            foreach (IOverloadSign sign in inside)
            {
                if (sign.ShowsOverload) return true;
            }

            return false;
        }
    }

    public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
    {
        // Each call is one deposit, whichever policy makes it: a retry around us or inside us may share the account.
        bool isOursToCredit = !ReferenceEquals(context.CreditedAccount, policy.Budget);
        context.CreditedAccount = policy.Budget;
        foreach (IOverloadSign sign in inside) sign.BeforeAttempts(context);
        long began = policy.Measured is null ? 0 : context.Clock.Timestamp;
        HedgedAttempt<T> first = HedgedAttempt<T>.Begin(context, isFirst: true);
        ValueTask<Outcome<T>> running = next.ExecuteAsync(first.Context);
        if (running.IsCompletedSuccessfully)
        {
            Outcome<T> outcome = running.Result;
            if (outcome.Verdict is Verdict.Success or Verdict.Ignored)
            {
                first.EndAtOnce(context);
                if (outcome.HasResult) policy.Measured?.Answered(context.Clock.ElapsedSince(began));
                if (isOursToCredit && outcome.Verdict == Verdict.Success) policy.Budget.RecordCall();
                return new(outcome.Error is null ? outcome : Cancelled.PutBack(outcome, context.Token));
            }

            running = new(outcome);
        }

        first.Running = running.AsTask();
        return new HedgedRace<T>(this, context, first, began).RunAsync(isOursToCredit);
    }

    /// <summary>Lets an attempt go on down the chain.</summary>
    internal HedgedAttempt<T> Start(HedgedAttempt<T> attempt)
    {
        attempt.Running = next.ExecuteAsync(attempt.Context).AsTask();
        return attempt;
    }

    internal string ReasonOf(in Outcome<T> outcome) => _reader.ReasonOf(outcome);

    internal AttemptResult Read(in Outcome<T> outcome, int number, ResilienceContext context) => _reader.Read(outcome, number, context);
}
