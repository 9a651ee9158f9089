using System.Runtime.CompilerServices;
using Resilience.Configuration;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Adds policies whose numbers come from configuration.</summary>
public static class SettingsBuilderExtensions
{
    private static readonly ConditionalWeakTable<ResiliencePipelineBuilderBase, Dictionary<string, ConfigurablePolicy>> Origins = [];

    /// <summary>Adds a policy unless the settings say that it is not enabled.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="settings">What configuration says.</param>
    /// <param name="key">The key of the policy, such as "Retry". A section that does not name it says nothing: the policy is as the code says.</param>
    /// <param name="configure">What the code says; the settings override it. Runs at once.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException">No configurable policy has this key, or not these options.</exception>
    public static TBuilder AddConfigured<TBuilder, TOptions>(this TBuilder builder, PipelineSettings settings, string key, Action<TOptions> configure)
        where TBuilder : ResiliencePipelineBuilderBase
        where TOptions : PolicyOptions
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(configure);
        ConfigurablePolicy policy = settings.PolicyOf(key);
        if (policy.NewOptions() is not TOptions options)
            throw new ArgumentException($"The policy '{key}' has options of type {policy.OptionsType.Name}.", nameof(key));
        configure(options);
        return builder.Add(settings, policy, options);
    }

    /// <inheritdoc cref="AddConfigured{TBuilder, TOptions}(TBuilder, PipelineSettings, string, Action{TOptions})"/>
    public static TBuilder AddConfigured<TBuilder>(this TBuilder builder, PipelineSettings settings, string key)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(settings);
        ConfigurablePolicy policy = settings.PolicyOf(key);
        return builder.Add(settings, policy, policy.NewOptions());
    }

    /// <summary>Adds the policies that the settings name, in the order total timeout, retry, hedging, circuit breaker, concurrency limit,
    /// attempt timeout, chaos, with those among them that were registered with a place.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="settings">What configuration says. What it does not name is not added.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddPolicies<TBuilder>(this TBuilder builder, PipelineSettings settings)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);
        foreach (ConfigurablePolicy policy in settings.Policies.Policies.Where(settings.IsNamed)) builder.Add(settings, policy, policy.NewOptions());
        return builder;
    }

    private static TBuilder Add<TBuilder>(this TBuilder builder, PipelineSettings settings, ConfigurablePolicy policy, PolicyOptions options)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (settings.Applied(policy, options) is not { } applied) return builder;
        Origins.GetOrCreateValue(builder)[applied.GetName()] = policy;
        policy.AddTo(builder, applied);
        return builder;
    }

    /// <summary>Says where in the section the option stands that is out of range.</summary>
    internal static SettingProblem Locate(ResiliencePipelineBuilderBase builder, OptionProblem problem, string section)
    {
        ConfigurablePolicy? policy = null;
        if (!Origins.TryGetValue(builder, out Dictionary<string, ConfigurablePolicy>? origins) || !origins.TryGetValue(problem.Policy, out policy))
            return new(section, $"does not fit: {problem}"); // a policy of the code

        string? place = policy.IsFlat
            ? policy.Settings.FirstOrDefault(s => s.Option == problem.Option)?.Name
            : SettingsSchema.PathIn(policy.Settings, problem.Option) is { } inner ? $"{policy.Key}:{inner}" : null;
        return place is null
            ? new($"{section}:{policy.Key}", $"does not fit: {problem}")
            : new($"{section}:{place}", $"is {problem.Value}, but must be {problem.Allowed}");
    }
}
