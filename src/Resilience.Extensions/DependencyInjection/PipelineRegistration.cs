using Microsoft.Extensions.Configuration;
using Resilience.Configuration;

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
