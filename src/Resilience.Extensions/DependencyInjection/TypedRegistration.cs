using Resilience.Configuration;

namespace Resilience;

/// <summary>A pipeline for calls of one result type.</summary>
internal sealed record TypedRegistration<T>(string Name, Action<ResiliencePipelineBuilder<T>, PipelineSettings?, IServiceProvider> Add)
    : PipelineRegistration(Name, typeof(T))
{
    internal override ResiliencePipelineBuilderBase NewBuilder() => new ResiliencePipelineBuilder<T>();

    internal override void Configure(ResiliencePipelineBuilderBase builder, PipelineSettings? settings, IServiceProvider services) =>
        Add((ResiliencePipelineBuilder<T>)builder, settings, services);

    internal override BuiltPipeline Build(ResiliencePipelineBuilderBase builder)
    {
        ResiliencePipeline<T> pipeline = ((ResiliencePipelineBuilder<T>)builder).Build();
        return new(this, pipeline, () => pipeline.States, pipeline.Describe, pipeline.Warnings);
    }

    internal override void Update(BuiltPipeline built, ResiliencePipelineBuilderBase builder) =>
        ((ResiliencePipeline<T>)built.Pipeline).Update((ResiliencePipelineBuilder<T>)builder);
}
