using System.Runtime.CompilerServices;
using Resilience.Configuration;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Adds policies whose numbers come from configuration.</summary>
public static class SettingsBuilderExtensions
{
    /// <summary>The name of the timeout that is made from <see cref="PipelineSettings.TotalTimeout"/>.</summary>
    internal const string TotalTimeout = "total-timeout";

    /// <summary>The name of the timeout that is made from <see cref="PipelineSettings.AttemptTimeout"/>.</summary>
    internal const string AttemptTimeout = "attempt-timeout";

    private static readonly ConditionalWeakTable<ResiliencePipelineBuilderBase, Dictionary<string, string>> Origins = [];

    /// <summary>Adds a retry unless the settings say that it is not enabled.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="settings">What configuration says; null says nothing.</param>
    /// <param name="configure">What the code says; the settings override it. Runs at once.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static TBuilder AddRetry<TBuilder>(this TBuilder builder, RetrySettings? settings, Action<RetryOptions>? configure = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (settings?.Enabled is false) return builder;
        RetryOptions options = new();
        configure?.Invoke(options);
        settings?.ApplyTo(options);
        Note(builder, options.Name ?? "retry", nameof(PipelineSettings.Retry));
        return builder.AddRetry(options);
    }

    /// <summary>Adds hedging unless the settings say that it is not enabled.</summary>
    /// <inheritdoc cref="AddRetry{TBuilder}(TBuilder, RetrySettings?, Action{RetryOptions}?)"/>
    public static TBuilder AddHedging<TBuilder>(this TBuilder builder, HedgingSettings? settings, Action<HedgingOptions>? configure = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (settings?.Enabled is false) return builder;
        HedgingOptions options = new();
        configure?.Invoke(options);
        settings?.ApplyTo(options);
        Note(builder, options.Name ?? "hedging", nameof(PipelineSettings.Hedging));
        return builder.AddHedging(options);
    }

    /// <summary>Adds a circuit breaker unless the settings say that it is not enabled.</summary>
    /// <inheritdoc cref="AddRetry{TBuilder}(TBuilder, RetrySettings?, Action{RetryOptions}?)"/>
    public static TBuilder AddCircuitBreaker<TBuilder>(
        this TBuilder builder, CircuitBreakerSettings? settings, Action<CircuitBreakerOptions>? configure = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (settings?.Enabled is false) return builder;
        CircuitBreakerOptions options = new();
        configure?.Invoke(options);
        settings?.ApplyTo(options);
        Note(builder, options.Name ?? "circuit-breaker", nameof(PipelineSettings.CircuitBreaker));
        return builder.AddCircuitBreaker(options);
    }

    /// <summary>Adds a concurrency limit unless the settings say that it is not enabled.</summary>
    /// <inheritdoc cref="AddRetry{TBuilder}(TBuilder, RetrySettings?, Action{RetryOptions}?)"/>
    public static TBuilder AddConcurrencyLimit<TBuilder>(
        this TBuilder builder, ConcurrencyLimitSettings? settings, Action<ConcurrencyLimitOptions>? configure = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (settings?.Enabled is false) return builder;
        ConcurrencyLimitOptions options = new();
        configure?.Invoke(options);
        settings?.ApplyTo(options);
        Note(builder, options.Name ?? "concurrency-limit", nameof(PipelineSettings.ConcurrencyLimit));
        return builder.AddConcurrencyLimit(options);
    }

    /// <summary>Adds chaos unless the settings say that it is not enabled.</summary>
    /// <inheritdoc cref="AddRetry{TBuilder}(TBuilder, RetrySettings?, Action{RetryOptions}?)"/>
    public static TBuilder AddChaos<TBuilder>(this TBuilder builder, ChaosSettings? settings, Action<ChaosOptions>? configure = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (settings?.Enabled is false) return builder;
        ChaosOptions options = new();
        configure?.Invoke(options);
        settings?.ApplyTo(options);
        Note(builder, options.Name ?? "chaos", nameof(PipelineSettings.Chaos));
        return builder.AddChaos(options);
    }

    /// <summary>Adds the policies that the settings name, in the order total timeout, retry, hedging, circuit breaker, concurrency limit,
    /// attempt timeout, chaos.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="settings">What configuration says. What is null is not added.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddPolicies<TBuilder>(this TBuilder builder, PipelineSettings settings)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(settings);
        if (settings.TotalTimeout is { } total)
        {
            Note(builder, TotalTimeout, nameof(PipelineSettings.TotalTimeout));
            builder.AddTimeout(new TimeoutOptions { Name = TotalTimeout, Timeout = total });
        }

        if (settings.Retry is { } retry) builder.AddRetry(retry);
        if (settings.Hedging is { } hedging) builder.AddHedging(hedging);
        if (settings.CircuitBreaker is { } breaker) builder.AddCircuitBreaker(breaker);
        if (settings.ConcurrencyLimit is { } limit) builder.AddConcurrencyLimit(limit);
        if (settings.AttemptTimeout is { } attempt)
        {
            Note(builder, AttemptTimeout, nameof(PipelineSettings.AttemptTimeout));
            builder.AddTimeout(new TimeoutOptions { Name = AttemptTimeout, Timeout = attempt, AbandonAfter = settings.AbandonAttemptAfter });
        }

        return settings.Chaos is { } chaos ? builder.AddChaos(chaos) : builder;
    }

    /// <summary>Says where in the section the option stands that is out of range.</summary>
    internal static SettingProblem Locate(ResiliencePipelineBuilderBase builder, OptionProblem problem, string section)
    {
        string text = $"is {problem.Value}, but must be {problem.Allowed}";
        if (!Origins.TryGetValue(builder, out Dictionary<string, string>? origins) || !origins.TryGetValue(problem.Policy, out string? key))
            return new(section, $"does not fit: {problem}"); // a policy of the code

        string path = $"{section}:{key}";
        switch (key)
        {
            case nameof(PipelineSettings.TotalTimeout):
                return new(path, text);
            case nameof(PipelineSettings.AttemptTimeout):
                return new(problem.Option == nameof(TimeoutOptions.AbandonAfter) ? $"{section}:{nameof(PipelineSettings.AbandonAttemptAfter)}" : path, text);
            case nameof(PipelineSettings.Chaos):
                string place = problem.Option.Replace('.', ':').Replace("[", ":", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal);
                bool isKnown = SettingsSchema.Pipeline.Find(key)?.Group?.Find(place.Split(':')[0]) is not null;
                return new(isKnown ? $"{path}:{place}" : path, text);
            default:
                SettingsSchema? group = SettingsSchema.Pipeline.Find(key)?.Group;
                if (group?.Find(problem.Option) is not null) return new($"{path}:{problem.Option}", text);
                SettingKey? inner = group?.Keys.FirstOrDefault(k => k.Group?.Find(problem.Option) is not null);
                return inner is null ? new(path, $"does not fit: {problem}") : new($"{path}:{inner.Name}:{problem.Option}", text);
        }
    }

    private static void Note(ResiliencePipelineBuilderBase builder, string policy, string key) => Origins.GetOrCreateValue(builder)[policy] = key;
}
