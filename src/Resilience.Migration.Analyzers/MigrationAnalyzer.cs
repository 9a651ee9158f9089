using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Resilience.Migration;

/// <summary>Finds what belongs to Polly and to the packages that are built on it: RES201 to RES206. What carries
/// its comment already is not told again.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class MigrationAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [.. MigrationRules.All];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            bool isThere = start.Compilation.ReferencedAssemblyNames.Any(static a => Theirs.OwnAssembly(a.Name));
            if (isThere && start.Compilation.GetTypeByMetadataName("Resilience.ResiliencePipeline") is not null) start.RegisterSemanticModelAction(Report);
        });
    }

    private static void Report(SemanticModelAnalysisContext context)
    {
        SemanticModel model = context.SemanticModel;
        foreach (Unit unit in Units.Of(model, context.CancellationToken).All.Where(static u => u.Seen.Count > 0 && !u.IsCommented))
        {
            (SyntaxNode at, ISymbol symbol) = unit.Seen[0];
            context.ReportDiagnostic(Diagnostic.Create(Theirs.RuleOf(symbol), at.GetLocation(), symbol.Name == ".ctor"
                ? symbol.ContainingType.Name : symbol.Name));
        }
    }
}
