using Resilience.Extensibility;

namespace Resilience.Configuration;

/// <summary>The policies that a section of a pipeline can name, outermost first: those of the library, and those that were registered with them.</summary>
internal sealed class ConfigurablePolicies
{
    internal const string Accepted = "AcceptedWarnings";

    private ConfigurablePolicies(IReadOnlyList<ConfigurablePolicy> policies)
    {
        Policies = policies;
        PolicySettings<PolicySlots> keys = PolicySettings.For<PolicySlots>();
        foreach (ConfigurablePolicy policy in policies)
            policy.Declare(keys, slots => slots.Options.GetValueOrDefault(policy), (slots, options) => slots.Options[policy] = options);
        keys.Texts(
            Accepted, static (_, _) => { },
            "Codes of findings about order and arithmetic of the policies, such as RES008, that are meant and therefore no errors.",
            "code such as RES008", "codes such as RES008", "[A-Z]+[0-9]{3}");
        Schema = new("A pipeline: total timeout > retry > hedging > circuit breaker > concurrency limit > attempt timeout > chaos.", keys);
    }

    internal static ConfigurablePolicies Standard { get; } = new(StandardPolicies.Configurable);

    internal IReadOnlyList<ConfigurablePolicy> Policies { get; }

    internal SettingsSchema Schema { get; }

    /// <exception cref="InvalidOperationException">A key is taken, or a place is beside a key that there is not.</exception>
    internal static ConfigurablePolicies With(IEnumerable<PlacedPolicy> others)
    {
        List<ConfigurablePolicy> all = [.. StandardPolicies.Configurable];
        foreach (PlacedPolicy other in others)
        {
            if (all.Exists(p => IsKey(p, other.Policy.Key)))
                throw new InvalidOperationException($"The configurable policy '{other.Policy.Key}' is registered twice.");
            int beside = all.FindIndex(p => IsKey(p, other.Place.Key));
            if (beside < 0)
            {
                throw new InvalidOperationException(
                    $"The configurable policy '{other.Policy.Key}' stands beside '{other.Place.Key}', which is not known; "
                    + $"known are {string.Join(", ", all.Select(p => p.Key))}.");
            }

            all.Insert(other.Place.IsOutside ? beside : beside + 1, other.Policy);
        }

        return all.Count == StandardPolicies.Configurable.Count ? Standard : new(all);
    }

    /// <summary>Whether the values name the policy, be it to say that it is not enabled.</summary>
    internal static bool IsNamed(ConfigurablePolicy policy, SettingsValues values) => values.Has(policy.IsFlat ? policy.Settings[0].Name : policy.Key);

    /// <summary>The options with what the values say; null when they say that the policy is not enabled.</summary>
    internal static PolicyOptions? Applied(ConfigurablePolicy policy, PolicyOptions options, SettingsValues values)
    {
        PolicySlots slots = new() { Options = { [policy] = options } };
        values.ApplyTo(slots, name => policy.IsFlat ? PolicySetting.Find(policy.Settings, name) is not null : Is(policy.Key, name));
        return slots.Options[policy];
    }

    private static bool IsKey(ConfigurablePolicy policy, string key) => Is(policy.Key, key);

    private static bool Is(string one, string other) => string.Equals(one, other, StringComparison.OrdinalIgnoreCase);

    /// <summary>What the values of a pipeline are put into.</summary>
    private sealed class PolicySlots
    {
        internal Dictionary<ConfigurablePolicy, PolicyOptions?> Options { get; } = [];
    }
}

/// <summary>A policy that was registered, and where it stands.</summary>
internal sealed record PlacedPolicy(ConfigurablePolicy Policy, ConfiguredPlace Place);
