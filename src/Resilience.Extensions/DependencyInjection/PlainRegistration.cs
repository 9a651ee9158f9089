using Resilience.Configuration;

namespace Resilience;

/// <summary>A pipeline for calls of any result type.</summary>
internal sealed record PlainRegistration(string Name, Action<ResiliencePipelineBuilder, PipelineSettings?, IServiceProvider> Add)
    : PipelineRegistration(Name, null)
{
    /// <summary>One like a registration, or like none, under another name; the delegate is told whether there was one.</summary>
    internal static PlainRegistration ForPartition(string name, PlainRegistration? pattern, Action<ResiliencePipelineBuilder, bool>? complete)
    {
        PlainRegistration like = pattern ?? new(name, static (_, _, _) => { });
        return like with
        {
            Name = name,
            Add = (builder, settings, services) =>
            {
                like.Add(builder, settings, services);
                complete?.Invoke(builder, pattern is not null);
            },
        };
    }

    internal override ResiliencePipelineBuilderBase NewBuilder() => new ResiliencePipelineBuilder();

    internal override void Configure(ResiliencePipelineBuilderBase builder, PipelineSettings? settings, IServiceProvider services) =>
        Add((ResiliencePipelineBuilder)builder, settings, services);

    internal override BuiltPipeline Build(ResiliencePipelineBuilderBase builder)
    {
        ResiliencePipeline pipeline = ((ResiliencePipelineBuilder)builder).Build();
        return new(this, pipeline, () => pipeline.States, pipeline.Describe, pipeline.Warnings);
    }

    internal override void Update(BuiltPipeline built, ResiliencePipelineBuilderBase builder) =>
        ((ResiliencePipeline)built.Pipeline).Update((ResiliencePipelineBuilder)builder);
}
