namespace Resilience;

/// <summary>Builds a pipeline for calls of any result type.</summary>
/// <inheritdoc cref="ResiliencePipelineBuilderBase" path="/remarks"/>
public sealed class ResiliencePipelineBuilder : ResiliencePipelineBuilderBase
{
    /// <summary>Checks everything and builds the pipeline. May be called again: each pipeline has state of its own.</summary>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    /// <exception cref="ResiliencePipelineException">The order cannot work and
    /// <see cref="ResiliencePipelineBuilderBase.TreatWarningsAsErrors"/> or
    /// <see cref="ResiliencePipelineBuilderBase.TreatContradictionsAsErrors"/> is set.</exception>
    public ResiliencePipeline Build() => new(BuildParts(null));

    internal PipelineParts BuildFrom(PipelineParts former) => BuildParts(former);
}

/// <summary>Builds a pipeline for calls of one result type.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
/// <inheritdoc cref="ResiliencePipelineBuilderBase" path="/remarks"/>
public sealed class ResiliencePipelineBuilder<T> : ResiliencePipelineBuilderBase
{
    /// <inheritdoc cref="ResiliencePipelineBuilder.Build"/>
    public ResiliencePipeline<T> Build() => new(BuildParts(null));

    private protected override Type? ResultType => typeof(T);

    internal PipelineParts BuildFrom(PipelineParts former) => BuildParts(former);
}
