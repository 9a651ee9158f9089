using System.Text.Json.Serialization;

namespace Resilience;

/// <param name="Id">Names the pipeline in states; stays the same while the pipeline lives.</param>
/// <param name="Name">The name for people.</param>
/// <param name="Kind">pipeline, http, store or gate.</param>
/// <param name="Detail">What kind, in words.</param>
/// <param name="Policies">Outermost first, those of nested pipelines among them.</param>
/// <param name="Warnings">The findings about the order.</param>
internal sealed record PipelineLayout(
    string Id, string Name, string Kind, string Detail, IReadOnlyList<PolicyLayout> Policies, IReadOnlyList<WarningLayout> Warnings)
{
    /// <summary>The name in the metrics.</summary>
    [JsonIgnore]
    public string Series { get; init; } = "";
}
