namespace Resilience;

/// <summary>Adds pipelines that judge by rules of their own.</summary>
public static class SeparatePipelineBuilderExtensions
{
    /// <summary>Adds a whole pipeline whose calls are calls of their own: its policies see what its own classifier says, and what comes out of it is judged
    /// anew here. For pipelines that come from elsewhere; where one classifier is meant for all, use <c>AddPipeline</c>.</summary>
    /// <remarks>It shares its state with all that call it directly. What is set on the context of this call is not seen by its policies, and its events
    /// name it. Each attempt that it makes is an attempt of this call. Costs two objects for each call, and one more for each attempt.</remarks>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddSeparatePipeline<TBuilder>(this TBuilder builder, ResiliencePipeline pipeline)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(pipeline);
        return builder.AddPolicy(new SeparatePipelinePolicy(pipeline));
    }
}
