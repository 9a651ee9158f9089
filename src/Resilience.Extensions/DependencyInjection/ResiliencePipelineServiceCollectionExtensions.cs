using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Resilience;
using Resilience.Configuration;
using Resilience.Events;
using Resilience.Extensibility;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>The way into dependency injection.</summary>
/// <remarks>Pipelines are built when they are first asked for and kept for the life of the container. Get them from
/// <see cref="ResiliencePipelineProvider"/> or as keyed services (<c>[FromKeyedServices("name")] ResiliencePipeline</c>). A name registered
/// twice is an error, at start and when it is asked for: say <c>RemovePipeline</c> to replace it.</remarks>
public static class ResiliencePipelineServiceCollectionExtensions
{
    /// <summary>Begins the registration of pipelines. May be called any number of times.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static IResilienceBuilder AddResilience(this IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton<ResilienceEvents>();
        services.TryAddSingleton<ResiliencePipelineProvider>();
        services.AddOptions<ResilienceStartCheck>().ValidateOnStart();
        services.AddStartCheck<ResiliencePipelineProvider>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<ResilienceStartCheck>, ResilienceStartCheck.Validator>());
        return new Builder(services);
    }

    /// <summary>Registers a pipeline for calls of any result type.</summary>
    /// <param name="builder">The registrations.</param>
    /// <param name="name">The name.</param>
    /// <param name="configure">Adds the policies. Runs once.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IResilienceBuilder AddPipeline(this IResilienceBuilder builder, string name, Action<ResiliencePipelineBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new PlainRegistration(name, (pipeline, _, _) => configure(pipeline)));
    }

    /// <inheritdoc cref="AddPipeline(IResilienceBuilder, string, Action{ResiliencePipelineBuilder})"/>
    /// <param name="builder">The registrations.</param>
    /// <param name="name">The name.</param>
    /// <param name="configure">Adds the policies, with the services of the container at hand. Runs once.</param>
    public static IResilienceBuilder AddPipeline(
        this IResilienceBuilder builder, string name, Action<ResiliencePipelineBuilder, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new PlainRegistration(name, (pipeline, _, services) => configure(pipeline, services)));
    }

    /// <summary>Registers a pipeline that stands in configuration as a whole, and follows it: what changes is applied to the living
    /// pipeline, whose circuits, budgets and limits keep their state. A change that is wrong is rejected and logged.</summary>
    /// <param name="builder">The registrations.</param>
    /// <param name="name">The name.</param>
    /// <param name="section">The section; see <see cref="PipelineSettings"/>.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IResilienceBuilder AddPipeline(this IResilienceBuilder builder, string name, IConfiguration section) =>
        builder.AddPipeline(name, section, static (pipeline, settings, _) => pipeline.AddPolicies(settings));

    /// <inheritdoc cref="AddPipeline(IResilienceBuilder, string, IConfiguration)"/>
    /// <param name="builder">The registrations.</param>
    /// <param name="name">The name.</param>
    /// <param name="configSectionPath">The path of the section in the container's configuration, such as <c>Resilience:Pipelines:orders</c>.</param>
    public static IResilienceBuilder AddPipeline(this IResilienceBuilder builder, string name, string configSectionPath) =>
        builder.AddPipeline(name, configSectionPath, static (pipeline, settings, _) => pipeline.AddPolicies(settings));

    /// <summary>Registers a pipeline whose shape is code and whose numbers are configuration.</summary>
    /// <inheritdoc cref="AddPipeline(IResilienceBuilder, string, IConfiguration)"/>
    /// <param name="builder">The registrations.</param>
    /// <param name="name">The name.</param>
    /// <param name="section">The section.</param>
    /// <param name="configure">Adds the policies from the settings. Runs once, and again for each change of the section.</param>
    public static IResilienceBuilder AddPipeline(
        this IResilienceBuilder builder,
        string name,
        IConfiguration section,
        Action<ResiliencePipelineBuilder, PipelineSettings, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(section);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new PlainRegistration(name, (pipeline, settings, services) => configure(pipeline, settings!, services)) { Section = section });
    }

    /// <inheritdoc cref="AddPipeline(IResilienceBuilder, string, IConfiguration, Action{ResiliencePipelineBuilder, PipelineSettings, IServiceProvider})"/>
    /// <param name="builder">The registrations.</param>
    /// <param name="name">The name.</param>
    /// <param name="configSectionPath">The path of the section in the container's configuration.</param>
    /// <param name="configure">Adds the policies from the settings. Runs once, and again for each change of the section.</param>
    public static IResilienceBuilder AddPipeline(
        this IResilienceBuilder builder,
        string name,
        string configSectionPath,
        Action<ResiliencePipelineBuilder, PipelineSettings, IServiceProvider> configure)
    {
        ArgumentException.ThrowIfNullOrEmpty(configSectionPath);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(
            new PlainRegistration(name, (pipeline, settings, services) => configure(pipeline, settings!, services)) { Path = configSectionPath });
    }

    /// <summary>Makes a policy known to the sections of all pipelines of the container: its key, its settings with their checks, its place.</summary>
    /// <param name="builder">The registrations.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="place">Where it stands among the others.</param>
    /// <remarks>A key that is there already, or a place beside one that is not there, is an error when the first section is read. The standard pipelines of
    /// HttpClients have the policies that they have.</remarks>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IResilienceBuilder AddConfigurablePolicy(this IResilienceBuilder builder, ConfigurablePolicy policy, ConfiguredPlace place)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(policy);
        builder.Services.AddSingleton(new PlacedPolicy(policy, place));
        return builder;
    }

    /// <summary>Takes a registration back: the word by which one is replaced by another.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IResilienceBuilder RemovePipeline(this IResilienceBuilder builder, string name)
    {
        builder.Remove(name, null);
        builder.Services.RemoveAllKeyed<ResiliencePipeline>(name);
        return builder;
    }

    /// <summary>Registers a pipeline for each child of a section, named by its key; see <see cref="PipelineSettings"/>. A child that is added
    /// later is there when it is first asked for.</summary>
    /// <param name="builder">The registrations.</param>
    /// <param name="section">The section.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IResilienceBuilder AddPipelines(this IResilienceBuilder builder, IConfiguration section)
    {
        ArgumentNullException.ThrowIfNull(section);
        return builder.Add(new PipelinesSection(section, null));
    }

    /// <inheritdoc cref="AddPipelines(IResilienceBuilder, IConfiguration)"/>
    /// <param name="builder">The registrations.</param>
    /// <param name="configSectionPath">The path of the section in the container's configuration, such as <c>Resilience:Pipelines</c>.</param>
    public static IResilienceBuilder AddPipelines(this IResilienceBuilder builder, string configSectionPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(configSectionPath);
        return builder.Add(new PipelinesSection(null, configSectionPath));
    }

    /// <summary>Is run on the builder of every pipeline of this container, those of HttpClients included, before its own policies are
    /// added: for a classifier, listeners, a clock. Several are run in the order in which they were said.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IResilienceBuilder ConfigureAllPipelines(this IResilienceBuilder builder, Action<ResiliencePipelineBuilderBase> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.ConfigureAllPipelines((pipeline, _) => configure(pipeline));
    }

    /// <inheritdoc cref="ConfigureAllPipelines(IResilienceBuilder, Action{ResiliencePipelineBuilderBase})"/>
    public static IResilienceBuilder ConfigureAllPipelines(
        this IResilienceBuilder builder, Action<ResiliencePipelineBuilderBase, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.AddSingleton(new PipelineDefaults(configure));
        return builder;
    }

    /// <summary>Has the host ask a singleton, at start, whether everything is in order.</summary>
    internal static void AddStartCheck<TProvider>(this IServiceCollection services)
        where TProvider : class, IStartCheck
    {
        // A type of its own for each, so that TryAddEnumerable can tell them apart.
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IStartCheck, StartCheckOf<TProvider>>());
    }

    internal static IResilienceBuilder Remove(this IResilienceBuilder builder, string name, Type? result)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(name);
        for (int i = builder.Services.Count - 1; i >= 0; i--)
        {
            if (!builder.Services[i].IsKeyedService
                && builder.Services[i].ImplementationInstance is PipelineRegistration known && known.Name == name && known.Result == result)
                builder.Services.RemoveAt(i);
        }

        return builder;
    }

    private static IResilienceBuilder Add(this IResilienceBuilder builder, PlainRegistration registration)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(registration.Name);
        builder.Services.AddSingleton<PipelineRegistration>(registration);

        // Transient: the container holds no lock of its own while the pipeline is built; the provider keeps the pipeline.
        builder.Services.TryAddKeyedTransient(
            registration.Name, static (services, key) => services.GetRequiredService<ResiliencePipelineProvider>().GetPipeline((string)key!));
        return builder;
    }

    private static IResilienceBuilder Add(this IResilienceBuilder builder, PipelinesSection section)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddSingleton(section);
        builder.Services.TryAddKeyedTransient(
            KeyedService.AnyKey, static (services, key) => services.GetRequiredService<ResiliencePipelineProvider>().GetPipeline((string)key!));
        return builder;
    }

    private sealed class StartCheckOf<TProvider>(TProvider provider) : IStartCheck
        where TProvider : class, IStartCheck
    {
        public IEnumerable<string> FindProblems() => provider.FindProblems();
    }

    private sealed record Builder(IServiceCollection Services) : IResilienceBuilder;
}
