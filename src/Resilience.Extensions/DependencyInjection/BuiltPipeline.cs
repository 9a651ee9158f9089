using Resilience.Extensibility;

namespace Resilience;

/// <summary>A pipeline that was built from its registration.</summary>
internal sealed record BuiltPipeline(
    PipelineRegistration Registration,
    object Pipeline,
    Func<IReadOnlyList<PolicyState>> States,
    Func<PipelineDescription> Describe,
    IReadOnlyList<PipelineWarning> Warnings);
