using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Checks terms that belong to some operations of a gate, without knowing the gate.</summary>
internal static class TermsCheck
{
    /// <summary>Says what is wrong with them by themselves; together with what the gate has they are checked at the start.</summary>
    internal static void Check(OptionsCheck check, IdempotencyTerms terms)
    {
        foreach (OptionProblem problem in terms.ApplyTo(Roomy(terms)).FindProblems()) check.Require(false, problem.Option, problem.Value, problem.Allowed);
    }

    /// <summary>Options of a gate with which these terms are only wrong if they are so by themselves.</summary>
    private static IdempotencyOptions Roomy(IdempotencyTerms terms)
    {
        TimeSpan min = TimeSpan.FromMilliseconds(50), lease = TimeSpan.FromSeconds(30);
        if (terms.Retention < lease) lease = terms.Retention.Value;
        if (terms.MaxExecution < lease) lease = terms.MaxExecution.Value;
        if (lease < min) lease = min;
        return new() { Lease = lease, Retention = IdempotencyStoreArguments.MaxRetention, MaxExecution = TimeSpan.FromDays(1) };
    }
}
