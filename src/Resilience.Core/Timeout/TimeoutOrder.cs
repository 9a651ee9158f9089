using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What can be wrong about where a timeout stands, and about its time.</summary>
internal static class TimeoutOrder
{
    internal static void Check(OrderCheck check)
    {
        if (check.Policy.Timeout is not { } total) return;
        foreach (PolicyDescription inner in check.InsideAs(PolicyRole.Timeout))
        {
            // Only what no outcome of a call could make untrue: a retry that hardly ever fits is made where it fits, and a server may ask for less.
            if (inner.Timeout >= total)
                check.Contradict("RES007", $"the inner timeout ({TimeText.Of(inner.Timeout.Value)}) is not shorter than the outer one ({TimeText.Of(total)}), "
                    + "so it can never be the one that ends a call.", inner);
        }

        foreach (PolicyDescription retry in check.InsideAs(PolicyRole.Retry))
        {
            if (retry.FirstDelay >= total)
                check.Warn("RES001", $"the total timeout ({TimeText.Of(total)}) is not longer than the first delay of the retry "
                    + $"(up to {TimeText.Of(retry.FirstDelay.Value)}), so retries seldom or never happen.", retry);
        }

        if (Plan.Of(check.Chain, check.Index) is { } plan && !Enumerable.Range(0, check.Index).Any(i => Plan.Of(check.Chain, i) is not null))
            CheckPlan(check, plan);
    }

    /// <summary>Total timeout against what the attempts inside it may take: the budget that cannot be used up. Asked of the outermost only.</summary>
    private static void CheckPlan(OrderCheck check, Plan plan)
    {
        (double attempt, double delays) = (plan.Attempt.Timeout!.Value.TotalSeconds, plan.Retry.TotalDelay!.Value.TotalSeconds);
        double total = check.Policy.Timeout!.Value.TotalSeconds;
        double needed = (plan.Retry.MaxAttempts!.Value * attempt) + delays;
        if (needed <= total) return;
        check.Warn(
            "RES008",
            string.Create(
                CultureInfo.InvariantCulture,
                $"{plan.Retry.MaxAttempts} attempts of {attempt:0.###} s and delays of up to {delays:0.###} s need {needed:0.###} s, "
                + $"but the total is {total:0.###} s: against a dependency that hangs, the last attempts never start."),
            plan.Retry, plan.Attempt);
    }

    /// <summary>A retry inside of a total timeout, and a shorter timeout for each attempt inside of that: what can be added up.</summary>
    private readonly record struct Plan(PolicyDescription Retry, PolicyDescription Attempt)
    {
        internal static Plan? Of(IReadOnlyList<PolicyDescription> chain, int place)
        {
            if (chain[place] is not { Role: PolicyRole.Timeout, Timeout: { } total }) return null;
            PolicyDescription? retry = chain.Skip(place).FirstOrDefault(p => p.Role == PolicyRole.Retry);
            if (retry is not { MaxAttempts: not null, TotalDelay: not null } || retry.FirstDelay >= total) return null;
            PolicyDescription? attempt = chain.SkipWhile(p => !ReferenceEquals(p, retry)).FirstOrDefault(p => p.Role == PolicyRole.Timeout);
            return attempt?.Timeout < total ? new(retry, attempt) : null;
        }
    }
}
