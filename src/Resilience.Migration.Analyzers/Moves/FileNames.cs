using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;

namespace Resilience.Migration;

/// <summary>How names of ours are written in one file: short, or in full where names of Polly stay beside them.</summary>
internal sealed class FileNames(bool isMixed)
{
    private static readonly Regex Ours = new("§([A-Za-z]+)");

    private static readonly Regex Systems = new("\\$([A-Za-z]+)");

    private static readonly Dictionary<string, string> Extensions = new(StringComparer.Ordinal)
    {
        ["Classify"] = "ResiliencePipelineBuilderExtensions",
        ["AddPipeline"] = "ResiliencePipelineBuilderExtensions",
        ["OnEvent"] = "ResiliencePipelineBuilderExtensions",
        ["AddRetry"] = "RetryBuilderExtensions",
        ["AddCircuitBreaker"] = "CircuitBreakerPipelineBuilderExtensions",
        ["AddTimeout"] = "TimeoutPipelineBuilderExtensions",
        ["AddFallback"] = "FallbackPipelineBuilderExtensions",
        ["AddConcurrencyLimit"] = "ConcurrencyLimitPipelineBuilderExtensions",
        ["AddHedging"] = "HedgingPipelineBuilderExtensions",
        ["AddRateLimiter"] = "RateLimiterBuilderExtensions",
        ["AddSeparatePipeline"] = "SeparatePipelineBuilderExtensions",
        ["Execute with a prepared call"] = "PreparedCallExtensions",
        ["GetValue of a property"] = "ResiliencePropertyExtensions",
    };

    private readonly HashSet<string> _usings = new(StringComparer.Ordinal);

    /// <summary>What the file must import for what was written into it.</summary>
    internal IEnumerable<string> Usings => _usings.OrderBy(static u => u, StringComparer.Ordinal);

    internal string Write(string text, SemanticModel model, int at)
    {
        foreach (KeyValuePair<string, string> extension in Extensions)
        {
            if (text.Contains("." + extension.Key + "(")) UseExtension(extension.Key);
        }

        text = Ours.Replace(text, m => OfOurs(m.Groups[1].Value));
        return Systems.Replace(text, m => model.LookupNamespacesAndTypes(at, name: m.Groups[1].Value).Length > 0
            ? m.Groups[1].Value : "System." + m.Groups[1].Value);
    }

    /// <summary>Importing the class alone brings its extension methods and no other name.</summary>
    internal void UseExtension(string method)
    {
        if (!isMixed) _usings.Add("Resilience");
        else if (Extensions.TryGetValue(method, out string? type)) _usings.Add("static Resilience." + type);
    }

    internal string OfOurs(string name)
    {
        string space = name.StartsWith("Http", StringComparison.Ordinal) ? "Resilience.Http" : name == "CallTimedOut" ? "Resilience.Events" : "Resilience";
        if (isMixed) return $"global::{space}.{name}";
        _usings.Add("Resilience");
        _usings.Add(space);
        return name;
    }
}
