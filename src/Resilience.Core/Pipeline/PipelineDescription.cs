using System.Text;

namespace Resilience.Extensibility;

/// <summary>What a pipeline is: its policies, outermost first, and what the check of their order has to say.</summary>
/// <param name="Name">The name of the pipeline, empty if it has none.</param>
/// <param name="Policies">Its policies, outermost first.</param>
/// <param name="Warnings">Findings about the order and the arithmetic of the options.</param>
public sealed record PipelineDescription(string Name, IReadOnlyList<PolicyDescription> Policies, IReadOnlyList<PipelineWarning> Warnings)
{
    /// <summary>What holds for the whole pipeline, as a person reads it: how outcomes are judged, whose time it is, what was accepted.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Settings { get; init; } = [];

    /// <summary>The chain as text: what holds for all of it, then a line a policy, warnings at the end.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        text.Append("pipeline '").Append(Name).Append("', outermost first:").AppendLine();
        if (Settings.Count > 0) text.Append("  (").AppendJoin(", ", Settings.Select(s => $"{s.Key} = {s.Value}")).Append(')').AppendLine();
        if (Policies.Count == 0) text.AppendLine("  (no policies: calls pass straight through)");
        foreach (PolicyDescription policy in Policies) policy.Write(text, 1);
        foreach (PipelineWarning warning in Warnings) text.Append("  warning ").Append(warning).AppendLine();
        return text.ToString().TrimEnd();
    }
}
