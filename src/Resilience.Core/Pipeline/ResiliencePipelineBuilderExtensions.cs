using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What every builder can do.</summary>
public static class ResiliencePipelineBuilderExtensions
{
    /// <summary>Adds a policy that exists already. A policy that is added to several pipelines shares its state between them.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddPolicy<TBuilder>(this TBuilder builder, ResiliencePolicy policy)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(policy);
        return builder.AddPolicy(new NoOptions(), _ => policy);
    }

    /// <summary>Adds a policy that is made when the pipeline is built: once its options were found in order, with the pipeline's
    /// time, randomness and listeners.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddPolicy<TBuilder>(this TBuilder builder, PolicyOptions options, Func<PolicyEnvironment, ResiliencePolicy> create)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(create);
        builder.Add(options, (_, environment) => create(environment));
        return builder;
    }

    /// <summary>Adds a policy that is made when the pipeline is built: once its options were found in order, with the pipeline's
    /// time, randomness and listeners. It gets a copy of the options as they were when the pipeline was built, so that it may keep them.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddPolicy<TBuilder, TOptions>(
        this TBuilder builder, TOptions options, Func<TOptions, PolicyEnvironment, ResiliencePolicy> create)
        where TBuilder : ResiliencePipelineBuilderBase
        where TOptions : PolicyOptions
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(create);
        builder.Add(options, (copy, environment) => create((TOptions)copy, environment));
        return builder;
    }

    /// <summary>Adds a whole pipeline as one policy. It keeps its own state and time; the outcomes are judged by the outer pipeline's classifier.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddPipeline<TBuilder>(this TBuilder builder, ResiliencePipeline pipeline)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        return builder.AddPolicy(new PipelineOptions(), e => new NestedPipelinePolicy(() => pipeline.Parts, e.PolicyName, null));
    }

    /// <summary>Adds a whole pipeline of the same result type as one policy.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static ResiliencePipelineBuilder<T> AddPipeline<T>(this ResiliencePipelineBuilder<T> builder, ResiliencePipeline<T> pipeline)
    {
        ArgumentNullException.ThrowIfNull(pipeline);
        return builder.AddPolicy(new PipelineOptions(), e => new NestedPipelinePolicy(() => pipeline.Parts, e.PolicyName, typeof(T)));
    }

    /// <summary>Decides what each outcome means by adding rules to the present classifier.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder Classify<TBuilder>(this TBuilder builder, Func<OutcomeClassifier, OutcomeClassifier> rules)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(rules);
        builder.Classifier = rules(builder.Classifier);
        return builder;
    }

    /// <summary>Adds a listener for everything that the policies of this pipeline do. It runs on the thread of the call, so keep it
    /// short; what it throws is counted and swallowed.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder OnEvent<TBuilder>(this TBuilder builder, Action<ResilienceEvent> listener)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(listener);
        builder.Listen(new(listener));
        return builder;
    }

    /// <summary>Adds a listener that comes and goes while the pipeline runs. Changes of state (<see cref="CircuitChanged"/>) are always told;
    /// events of single calls are made for it only while <paramref name="observesCalls"/> says so, and cost nothing otherwise.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="listener">As in the other form. It may hear more than it wants, when others listen too.</param>
    /// <param name="observesCalls">Asked at each retry, rejection and the like, on the thread of the call: read a field, no more.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder OnEvent<TBuilder>(this TBuilder builder, Action<ResilienceEvent> listener, Func<bool> observesCalls)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(listener);
        ArgumentNullException.ThrowIfNull(observesCalls);
        builder.Listen(new(listener, observesCalls));
        return builder;
    }

    private sealed class NoOptions : PolicyOptions
    {
        protected internal override string Kind => "policy";

        protected internal override void Check(OptionsCheck check)
        {
        }
    }

    private sealed class PipelineOptions : PolicyOptions
    {
        protected internal override string Kind => "pipeline";

        protected internal override void Check(OptionsCheck check)
        {
        }
    }
}
