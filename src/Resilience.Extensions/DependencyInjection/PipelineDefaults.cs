namespace Resilience;

/// <summary>What is done to every builder before its own policies are added.</summary>
internal sealed record PipelineDefaults(Action<ResiliencePipelineBuilderBase, IServiceProvider> Configure);
