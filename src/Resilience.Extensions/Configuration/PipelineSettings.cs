using Microsoft.Extensions.Configuration;
using Resilience.Extensibility;

namespace Resilience.Configuration;

/// <summary>What configuration says about a whole pipeline. A group that is present (even empty) is a policy of the pipeline; a group
/// that is absent is none.</summary>
/// <remarks>The keys are those of <see cref="StandardPolicies.Configurable"/>, of the policies that were registered with <c>AddConfigurablePolicy</c>, and
/// <c>AcceptedWarnings</c>. Equal by value. Immutable.</remarks>
public sealed class PipelineSettings : IEquatable<PipelineSettings>
{
    internal PipelineSettings(ConfigurablePolicies policies, SettingsValues values) => (Policies, Values) = (policies, values);

    internal ConfigurablePolicies Policies { get; }

    internal SettingsValues Values { get; }

    /// <summary>Codes of findings about the order and arithmetic of the policies (such as <c>RES008</c>) that are meant and therefore no
    /// errors.</summary>
    public IReadOnlyList<string> AcceptedWarnings => Values.Find(ConfigurablePolicies.Accepted) as IReadOnlyList<string> ?? [];

    /// <summary>What is well-formed in a section, by the policies that come with the library: for tools that look at a section. Pipelines of a container
    /// read theirs themselves, and take nothing where anything is wrong.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="section"/> is null.</exception>
    public static PipelineSettings Read(IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        return SettingsReader.ReadPipeline(section, "").Settings;
    }

    /// <summary>The options of a policy as configured; null when it is not named, or not enabled.</summary>
    /// <param name="key">Its key, such as "Retry" or "TotalTimeout".</param>
    /// <exception cref="ArgumentException">No configurable policy has this key, or not these options.</exception>
    public TOptions? Find<TOptions>(string key)
        where TOptions : PolicyOptions
    {
        ConfigurablePolicy policy = PolicyOf(key);
        return policy.OptionsType == typeof(TOptions)
            ? IsNamed(policy) ? (TOptions?)Applied(policy, policy.NewOptions()) : null
            : throw new ArgumentException($"The policy '{key}' has options of type {policy.OptionsType.Name}.", nameof(key));
    }

    /// <inheritdoc/>
    public bool Equals(PipelineSettings? other) => other is not null && Values.Equals(other.Values);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PipelineSettings);

    /// <inheritdoc/>
    public override int GetHashCode() => Values.GetHashCode();

    internal ConfigurablePolicy PolicyOf(string key) =>
        Policies.Policies.FirstOrDefault(p => string.Equals(p.Key, key, StringComparison.OrdinalIgnoreCase)) ?? throw new ArgumentException(
            $"No configurable policy has the key '{key}'; known are {string.Join(", ", Policies.Policies.Select(p => p.Key))}.", nameof(key));

    internal bool IsNamed(ConfigurablePolicy policy) => ConfigurablePolicies.IsNamed(policy, Values);

    /// <summary>The options with what is configured; null when it says that the policy is not enabled.</summary>
    internal PolicyOptions? Applied(ConfigurablePolicy policy, PolicyOptions options)
    {
        options.Name ??= policy.PolicyName;
        return ConfigurablePolicies.Applied(policy, options, Values);
    }
}
