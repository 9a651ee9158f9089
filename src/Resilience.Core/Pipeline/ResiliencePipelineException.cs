using Resilience.Extensibility;

namespace Resilience;

/// <summary>The policies stand in an order that cannot work, and the builder was told to treat that as an error.</summary>
public sealed class ResiliencePipelineException : InvalidOperationException
{
    internal ResiliencePipelineException(string pipelineName, IReadOnlyList<PipelineWarning> warnings)
        : base($"{(pipelineName.Length == 0 ? "The pipeline" : $"The pipeline '{pipelineName}'")} will not do what it seems to:"
            + string.Concat(warnings.Select(w => $"{Environment.NewLine}  {w}"))) =>
            Warnings = warnings;

    /// <summary>The findings.</summary>
    public IReadOnlyList<PipelineWarning> Warnings { get; }
}
