using Resilience.Extensibility;

namespace Resilience;

/// <summary>Finds orders of policies, and arithmetic of their options, that cannot do what their author wants. Knows no policy and no rule: it asks the rules
/// about each place of a chain, those of the role of the policy that stands there, and those that it brings with it.</summary>
internal static class PipelineOrder
{
    /// <summary>The rules about a role, whose policy it may be. Each stands in the folder of the policy that knows it; they are put here from above, once,
    /// before anything runs (<c>StandardPolicies</c>).</summary>
    internal static IReadOnlyDictionary<PolicyRole, Action<OrderCheck>> RulesOfRoles { get; set; } = new Dictionary<PolicyRole, Action<OrderCheck>>();

    internal static IReadOnlyList<PipelineWarning> Check(IEnumerable<ResiliencePolicy> policies) => Check([.. policies.SelectMany(PlacesOf)]);

    internal static IReadOnlyList<PipelineWarning> Check(IEnumerable<PolicyDescription> chain) =>
        Check([.. chain.SelectMany(Flatten).Select(d => new Place(d, null))]);

    /// <summary>In the order of the chain: by the outermost of the policies concerned, then by the next.</summary>
    private static PipelineWarning[] Check(Place[] places)
    {
        PolicyDescription[] chain = [.. places.Select(p => p.Policy with { })]; // a copy for each place: they are told apart by reference
        object?[] states = [.. places.Select(p => p.State)];
        List<(int[] Places, PipelineWarning Warning)> found = [];
        for (int i = 0; i < chain.Length; i++)
        {
            OrderCheck check = new(chain, i, states, found);
            RulesOfRoles.GetValueOrDefault(chain[i].Role)?.Invoke(check);
            Ask(chain[i].CheckOrder, check);
        }

        return [.. found.OrderBy(f => f.Places, Comparer<int[]>.Create(static (a, b) => a.AsSpan().SequenceCompareTo(b))).Select(f => f.Warning)];
    }

    /// <summary>Rules that come with a policy may be any author's; one that throws has nothing to say.</summary>
    private static void Ask(Action<OrderCheck>? rules, OrderCheck check)
    {
        try
        {
            rules?.Invoke(check);
        }
        catch (Exception error)
        {
            Safely.Report("policy CheckOrder", error);
        }
    }

    private static IEnumerable<Place> PlacesOf(ResiliencePolicy policy)
    {
        if (policy is NestedPipelinePolicy nested) return nested.Inner.Policies.SelectMany(PlacesOf);
        PolicyDescription description = policy.DescribeSafely();
        object? state = policy.StateSafely();
        return Flatten(description).Select(d => new Place(d, ReferenceEquals(d, description) ? state : null));
    }

    private static IEnumerable<PolicyDescription> Flatten(PolicyDescription policy) =>
        policy.Role == PolicyRole.Pipeline ? policy.Inner.SelectMany(Flatten) : [policy];

    private readonly record struct Place(PolicyDescription Policy, object? State);
}
