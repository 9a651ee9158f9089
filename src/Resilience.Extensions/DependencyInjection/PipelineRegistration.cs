using Microsoft.Extensions.Configuration;
using Resilience.Configuration;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>A registered pipeline.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Result">The type of the results it is for; null for any.</param>
internal abstract record PipelineRegistration(string Name, Type? Result)
{
    /// <summary>Where its settings stand, if they do.</summary>
    internal IConfiguration? Section { get; init; }

    /// <summary>The path of the section, when it is the container that knows the configuration.</summary>
    internal string? Path { get; init; }

    /// <summary>An empty builder of the right type.</summary>
    internal abstract ResiliencePipelineBuilderBase NewBuilder();

    /// <summary>Adds the policies; the settings are null unless there is a section.</summary>
    internal abstract void Configure(ResiliencePipelineBuilderBase builder, PipelineSettings? settings, IServiceProvider services);

    internal abstract BuiltPipeline Build(ResiliencePipelineBuilderBase builder);

    internal abstract void Update(BuiltPipeline built, ResiliencePipelineBuilderBase builder);

    /// <summary>How people write it: <c>orders</c>, <c>orders&lt;String&gt;</c>.</summary>
    public sealed override string ToString() => Key.ToString();

    /// <summary>What it is found by.</summary>
    internal PipelineKey Key => new(Name, Result);
}

/// <summary>What a pipeline is found by.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Result">The type of the results it is for; null for any.</param>
internal readonly record struct PipelineKey(string Name, Type? Result)
{
    public override string ToString() => Result is null ? Name : $"{Name}<{Result.Name}>";
}

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

/// <summary>A pipeline that was built from its registration.</summary>
internal sealed record BuiltPipeline(
    PipelineRegistration Registration,
    object Pipeline,
    Func<IReadOnlyList<PolicyState>> States,
    Func<PipelineDescription> Describe,
    IReadOnlyList<PipelineWarning> Warnings);

/// <summary>A section each child of which is a pipeline.</summary>
/// <param name="Section">The section; null when the container knows the configuration.</param>
/// <param name="Path">The path of the section in the container's configuration.</param>
internal sealed record PipelinesSection(IConfiguration? Section, string? Path);

/// <summary>What is done to every builder before its own policies are added.</summary>
internal sealed record PipelineDefaults(Action<ResiliencePipelineBuilderBase, IServiceProvider> Configure);
