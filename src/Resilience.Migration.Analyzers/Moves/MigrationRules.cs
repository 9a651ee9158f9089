using System.Reflection;
using Microsoft.CodeAnalysis;

namespace Resilience.Migration;

/// <summary>What the analyzer of the move can say: here is something of theirs, and a repair moves it.</summary>
internal static class MigrationRules
{
    internal const string Mark = "TODO Resilience ";

    internal static readonly DiagnosticDescriptor Pipelines = Rule("RES201", "A pipeline of Polly v8", "docs/moving-from-polly.md#options");

    internal static readonly DiagnosticDescriptor Predicates = Rule(
        "RES202", "A predicate or callback of Polly v8", "docs/moving-from-polly.md#what-counts-as-a-failure");

    internal static readonly DiagnosticDescriptor Calls = Rule("RES203", "A call, context or exception of Polly v8", "docs/moving-from-polly.md#terms");

    internal static readonly DiagnosticDescriptor Policies = Rule("RES204", "A policy of Polly v7", "docs/moving-from-polly.md#moving-by-a-tool");

    internal static readonly DiagnosticDescriptor Clients = Rule(
        "RES205", "Resilience of an HttpClient by Microsoft.Extensions.Http.Resilience", "docs/moving-from-microsoft-http-resilience.md#moving-by-a-tool");

    internal static readonly DiagnosticDescriptor Registrations = Rule(
        "RES206", "A registration of Polly in a container", "docs/moving-from-polly.md#around-the-core");

    internal static DiagnosticDescriptor[] All { get; } = [Pipelines, Predicates, Calls, Policies, Clients, Registrations];

    /// <summary>The page and its anchor.</summary>
    internal static string PageOf(DiagnosticDescriptor rule) => rule.HelpLinkUri.Substring(rule.HelpLinkUri.IndexOf("docs/", StringComparison.Ordinal));

    private static DiagnosticDescriptor Rule(string id, string title, string page) => new(
        id, title, "'{0}' can be moved to Resilience; the repair moves the project, and says in a comment what it leaves", "Migration", DiagnosticSeverity.Info,
        isEnabledByDefault: true, helpLinkUri: HelpRoot() + page);

    private static string HelpRoot() =>
        typeof(MigrationRules).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(static m => m.Key == "HelpRoot")?.Value ?? "";
}
