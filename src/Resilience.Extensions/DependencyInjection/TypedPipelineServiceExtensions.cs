using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Resilience;
using Resilience.Configuration;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers pipelines for calls of one result type: those with a fallback value, or a classifier of results.</summary>
/// <inheritdoc cref="ResiliencePipelineServiceCollectionExtensions" path="/remarks"/>
public static class TypedPipelineServiceExtensions
{
    /// <summary>Registers a pipeline for results of one type. Resolve it with <see cref="ResiliencePipelineProvider.GetPipeline{T}(string)"/>
    /// or as <c>[FromKeyedServices("name")] ResiliencePipeline&lt;T&gt;</c>. The same name may also be registered for other types.</summary>
    /// <param name="builder">The registrations.</param>
    /// <param name="name">The name.</param>
    /// <param name="configure">Adds the policies. Runs once.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IResilienceBuilder AddPipeline<T>(this IResilienceBuilder builder, string name, Action<ResiliencePipelineBuilder<T>> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new TypedRegistration<T>(name, (pipeline, _, _) => configure(pipeline)));
    }

    /// <inheritdoc cref="AddPipeline{T}(IResilienceBuilder, string, Action{ResiliencePipelineBuilder{T}})"/>
    /// <param name="builder">The registrations.</param>
    /// <param name="name">The name.</param>
    /// <param name="configure">Adds the policies, with the services of the container at hand. Runs once.</param>
    public static IResilienceBuilder AddPipeline<T>(
        this IResilienceBuilder builder, string name, Action<ResiliencePipelineBuilder<T>, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new TypedRegistration<T>(name, (pipeline, _, services) => configure(pipeline, services)));
    }

    /// <summary>Registers a pipeline for results of one type whose numbers are configuration, followed live.</summary>
    /// <inheritdoc cref="AddPipeline{T}(IResilienceBuilder, string, Action{ResiliencePipelineBuilder{T}})"/>
    /// <param name="builder">The registrations.</param>
    /// <param name="name">The name.</param>
    /// <param name="section">The section; see <see cref="PipelineSettings"/>.</param>
    /// <param name="configure">Adds the policies from the settings; runs again for each change. Null: all that the settings name.</param>
    public static IResilienceBuilder AddPipeline<T>(
        this IResilienceBuilder builder,
        string name,
        IConfiguration section,
        Action<ResiliencePipelineBuilder<T>, PipelineSettings, IServiceProvider>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(section);
        return builder.Add(new TypedRegistration<T>(name, From(configure)) { Section = section });
    }

    /// <inheritdoc
    /// cref="AddPipeline{T}(IResilienceBuilder, string, IConfiguration, Action{ResiliencePipelineBuilder{T}, PipelineSettings, IServiceProvider}?)"/>
    /// <param name="builder">The registrations.</param>
    /// <param name="name">The name.</param>
    /// <param name="configSectionPath">The path of the section in the container's configuration.</param>
    /// <param name="configure">Adds the policies from the settings; runs again for each change. Null: all that the settings name.</param>
    public static IResilienceBuilder AddPipeline<T>(
        this IResilienceBuilder builder,
        string name,
        string configSectionPath,
        Action<ResiliencePipelineBuilder<T>, PipelineSettings, IServiceProvider>? configure = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(configSectionPath);
        return builder.Add(new TypedRegistration<T>(name, From(configure)) { Path = configSectionPath });
    }

    /// <summary>Takes the registration for this type back: the word by which one is replaced by another.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IResilienceBuilder RemovePipeline<T>(this IResilienceBuilder builder, string name)
    {
        builder.Remove(name, typeof(T));
        builder.Services.RemoveAllKeyed<ResiliencePipeline<T>>(name);
        return builder;
    }

    private static Action<ResiliencePipelineBuilder<T>, PipelineSettings?, IServiceProvider> From<T>(
        Action<ResiliencePipelineBuilder<T>, PipelineSettings, IServiceProvider>? configure) => (pipeline, settings, services) =>
        {
            if (configure is null) pipeline.AddPolicies(settings!);
            else configure(pipeline, settings!, services);
        };

    private static IResilienceBuilder Add<T>(this IResilienceBuilder builder, TypedRegistration<T> registration)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(registration.Name);
        builder.Services.AddSingleton<PipelineRegistration>(registration);
        builder.Services.TryAddKeyedTransient(
            registration.Name, static (services, key) => services.GetRequiredService<ResiliencePipelineProvider>().GetPipeline<T>((string)key!));
        return builder;
    }
}
