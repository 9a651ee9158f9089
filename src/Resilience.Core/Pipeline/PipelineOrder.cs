using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Finds orders of policies, and arithmetic of their options, that cannot do what their author wants. Pure; knows policies
/// by their role only.</summary>
internal static class PipelineOrder
{
    internal static IReadOnlyList<PipelineWarning> Check(IReadOnlyList<PolicyDescription> chain)
    {
        PolicyDescription[] flat = [.. Flatten(chain)];
        List<PipelineWarning> found = [];
        for (int outer = 0; outer < flat.Length; outer++)
        {
            for (int inner = outer + 1; inner < flat.Length; inner++) CheckPair(flat[outer], flat[inner], found);
        }

        CheckTime(flat, found);
        CheckEnd(flat, found);
        CheckChaos(flat, found);
        return found;
    }

    /// <summary>Things with a memory that stand twice in one chain: each call then counts twice.</summary>
    internal static IEnumerable<PipelineWarning> CheckShared(IEnumerable<ResiliencePolicy> policies)
    {
        (PolicyDescription Policy, object? State)[] flat = [.. Flatten(policies).Select(p => (p.DescribeSafely(), p.StateSafely()))];
        for (int outer = 0; outer < flat.Length; outer++)
        {
            for (int inner = outer + 1; inner < flat.Length; inner++)
            {
                if (flat[outer].State is not { } state || !ReferenceEquals(state, flat[inner].State)) continue;
                if (flat[outer].Policy is not { Role: PolicyRole.CircuitBreaker or PolicyRole.ConcurrencyLimit or PolicyRole.RateLimit } policy) continue;
                string effect = policy.Role == PolicyRole.CircuitBreaker
                    ? "each call is judged twice, and one probe takes two places"
                    : "each call takes two places, and with one place left it waits for itself";
                yield return new(
                    "RES013", $"{policy.Name} > {flat[inner].Policy.Name}: the same object stands twice in the chain, so {effect}. Keep one.",
                    [policy.Name, flat[inner].Policy.Name]);
            }
        }
    }

    private static IEnumerable<ResiliencePolicy> Flatten(IEnumerable<ResiliencePolicy> policies) =>
        policies.SelectMany(p => p is NestedPipelinePolicy nested ? Flatten(nested.Inner.Policies) : [p]);

    private static IEnumerable<PolicyDescription> Flatten(IEnumerable<PolicyDescription> chain) =>
        chain.SelectMany(p => p.Role == PolicyRole.Pipeline ? Flatten(p.Inner) : [p]);

    private static void CheckPair(PolicyDescription outer, PolicyDescription inner, List<PipelineWarning> found)
    {
        switch (outer.Role, inner.Role)
        {
            case (PolicyRole.CircuitBreaker, PolicyRole.Retry):
                Add("RES002", "the circuit breaker stands outside the retry, so it sees one outcome per call instead of one per attempt, "
                    + "and an open circuit does not stop retries that are under way. Put it inside.");
                break;
            case (PolicyRole.Retry or PolicyRole.Hedging, PolicyRole.Fallback):
                Add("RES003", "the fallback stands inside the retry, which therefore never sees a failure and never retries. Put it outside.");
                break;
            case (PolicyRole.CircuitBreaker, PolicyRole.Fallback):
                Add("RES004", "the fallback stands inside the circuit breaker, which therefore never sees a failure and never opens. Put it outside.");
                break;
            case (PolicyRole.Retry, PolicyRole.Retry):
                Add("RES005", string.Create(
                    CultureInfo.InvariantCulture, $"two retries multiply: up to {Attempts(outer)} × {Attempts(inner)} attempts for one call. Keep one."));
                break;
            case (PolicyRole.ConcurrencyLimit, PolicyRole.Retry):
                Add("RES006", "the concurrency limit stands outside the retry, so a call keeps its permit while it waits between attempts. "
                    + "Put it inside, unless you mean to count calls in waiting.");
                break;
            case (PolicyRole.Timeout, PolicyRole.Timeout) when inner.Timeout >= outer.Timeout:
                Contradict("RES007", $"the inner timeout ({Show(inner.Timeout)}) is not shorter than the outer one ({Show(outer.Timeout)}), "
                    + "so it can never be the one that ends a call.");
                break;
            case (PolicyRole.CircuitBreaker, PolicyRole.Timeout) when inner.Timeout > outer.SamplingWindow:
                Add("RES009", $"the window of the circuit breaker ({Show(outer.SamplingWindow)}) is shorter than the timeout inside it "
                    + $"({Show(inner.Timeout)}): when the dependency hangs, "
                    + "a caller's failure has left the window before its next one arrives. Make the window longer.");
                break;
            case (PolicyRole.Retry or PolicyRole.Hedging, PolicyRole.Idempotency):
                Add("RES010", "the retry stands outside the idempotency, so each attempt asks for the key anew, and after one that broke off it is rejected "
                    + "as under way. Put the idempotency outside: then all attempts are one claim.");
                break;
            case (PolicyRole.Timeout, PolicyRole.ConcurrencyLimit) when inner.QueueWait >= outer.Timeout:
                Add("RES014", $"a call may wait {Show(inner.QueueWait)} in the queue, and the timeout around it is {Show(outer.Timeout)}: in an overload calls "
                    + "spend all their time waiting and none is left to run. Wait a small part of the timeout.");
                break;
            case (PolicyRole.RateLimit, PolicyRole.Retry):
                Add("RES016", string.Create(
                    CultureInfo.InvariantCulture,
                    $"the rate limit stands outside the retry and counts calls, so the dependency may get {Times(inner)} the rate. Put it inside."));
                break;
            case (PolicyRole.Hedging, PolicyRole.Retry or PolicyRole.Hedging):
                Add("RES011", string.Create(
                    CultureInfo.InvariantCulture, $"each hedged attempt repeats by itself: up to {Attempts(outer)} × {Attempts(inner)} attempts for one call. "
                    + $"Put the retry outside the hedging, and keep one hedging."));
                break;
            case (PolicyRole.CircuitBreaker, PolicyRole.Hedging):
                Add("RES011", "the circuit breaker stands outside the hedging, so a failure that a hedge mended is a success to it, and an open circuit "
                    + "does not stop hedges. Put it inside.");
                break;
            case (PolicyRole.ConcurrencyLimit, PolicyRole.Hedging):
                Add("RES011", $"the concurrency limit stands outside the hedging, so one permit stands for up to {Attempts(inner)} attempts at once. "
                    + "Put it inside.");
                break;
            case (PolicyRole.Timeout, PolicyRole.Hedging) when inner.FirstDelay >= outer.Timeout:
                Add("RES011", $"the total timeout ({Show(outer.Timeout)}) is not longer than the delay of the hedging ({Show(inner.FirstDelay)}), "
                    + "so no hedge ever starts beside a slow attempt. Make the delay shorter.");
                break;
            case (PolicyRole.Hedging, PolicyRole.Timeout) when inner.Timeout <= outer.FirstDelay:
                Add("RES011", $"the timeout inside ({Show(inner.Timeout)}) ends an attempt before the delay of the hedging ({Show(outer.FirstDelay)}) is over, "
                    + "so no hedge ever runs beside a slow attempt. Make the delay shorter.");
                break;
            case (PolicyRole.Timeout, PolicyRole.Retry) when inner.FirstDelay >= outer.Timeout:
                Add("RES001", $"the total timeout ({Show(outer.Timeout)}) is not longer than the first delay of the retry (up to {Show(inner.FirstDelay)}), "
                    + "so retries seldom or never happen.");
                break;
        }

        void Add(string code, string message) => found.Add(new(code, $"{outer.Name} > {inner.Name}: {message}", [outer.Name, inner.Name]));

        // Only what no outcome of a call could make untrue: a retry that hardly ever fits is made where it fits, and a server may ask for less.
        void Contradict(string code, string message) =>
            found.Add(new(code, $"{outer.Name} > {inner.Name}: {message}", [outer.Name, inner.Name]) { IsContradiction = true });
    }

    /// <summary>Total timeout against what the attempts inside it may take: the budget that cannot be used up.</summary>
    private static void CheckTime(PolicyDescription[] flat, List<PipelineWarning> found)
    {
        for (int i = 0; i < flat.Length; i++)
        {
            if (flat[i] is not { Role: PolicyRole.Timeout, Timeout: { } total }) continue;
            int retry = Array.FindIndex(flat, i, p => p.Role == PolicyRole.Retry);
            if (retry < 0 || flat[retry] is not { MaxAttempts: { } attempts, TotalDelay: { } delays } || flat[retry].FirstDelay >= total) continue;
            int attempt = Array.FindIndex(flat, retry, p => p.Role == PolicyRole.Timeout);
            if (attempt < 0 || flat[attempt].Timeout is not { } each || each >= total) continue;

            double needed = (attempts * each.TotalSeconds) + delays.TotalSeconds;
            if (needed > total.TotalSeconds)
            {
                string message = string.Create(
                    CultureInfo.InvariantCulture,
                    $"{attempts} attempts of {each.TotalSeconds:0.###} s and delays of up to {delays.TotalSeconds:0.###} s need {needed:0.###} s, "
                    + $"but the total is {total.TotalSeconds:0.###} s: against a dependency that hangs, the last attempts never start.");
                string[] policies = [flat[i].Name, flat[retry].Name, flat[attempt].Name];
                found.Add(new("RES008", $"{string.Join(" > ", policies)}: {message}", policies));
            }

            return;
        }
    }

    /// <summary>A retry without a number and without a time around it.</summary>
    private static void CheckEnd(PolicyDescription[] flat, List<PipelineWarning> found)
    {
        for (int i = 0; i < flat.Length; i++)
        {
            if (flat[i] is not { Role: PolicyRole.Retry, MaxAttempts: null, FirstDelay: not null }) continue;
            if (flat.Take(i).Any(p => p.Role == PolicyRole.Timeout)) continue;
            found.Add(new(
                "RES015", $"{flat[i].Name}: the retries are unlimited and no timeout stands around them, so only the caller's token or deadline ends a call "
                    + "to a dependency that is gone. Add a total timeout.",
                [flat[i].Name]));
        }
    }

    /// <summary>Chaos outside of all that could handle it rehearses nothing but the caller.</summary>
    private static void CheckChaos(PolicyDescription[] flat, List<PipelineWarning> found)
    {
        int chaos = Array.FindIndex(flat, p => p.Role == PolicyRole.Chaos);
        int handler = Array.FindIndex(flat, p => p.Role
            is PolicyRole.Timeout or PolicyRole.Retry or PolicyRole.CircuitBreaker or PolicyRole.Fallback or PolicyRole.Hedging);
        if (chaos < 0 || handler < chaos) return;
        string[] policies = [flat[chaos].Name, flat[handler].Name];
        found.Add(new("RES012", $"{string.Join(" > ", policies)}: chaos stands outside of everything that should handle what it injects, so none of it "
            + "is rehearsed. Put it inside, usually last.", policies));
    }

    private static string Attempts(PolicyDescription policy) => policy.MaxAttempts?.ToString(CultureInfo.InvariantCulture) ?? "unlimited";

    private static string Times(PolicyDescription policy) => policy.MaxAttempts is null ? "any number of times" : $"{Attempts(policy)} times";

    /// <summary>Only what was compared is shown, and nothing compares with what is not there.</summary>
    private static string Show(TimeSpan? span) => TimeText.Of(span!.Value);
}
