using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>Looks at what happens to a call through a pipeline: blocked on, forgotten, or its outcome thrown away. RES107, RES108 and RES109.</summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class ResultAnalyzer : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [Rules.Blocked, Rules.NotAwaited, Rules.OutcomeIgnored];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.None);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(start =>
        {
            if (Known.From(start.Compilation) is { } known)
                start.RegisterOperationAction(c => Check(c, known), OperationKind.Invocation);
        });
    }

    private static void Check(OperationAnalysisContext context, Known known)
    {
        IInvocationOperation call = (IInvocationOperation)context.Operation;
        if (known.IsAsynchronousExecution(call)) CheckTask(context, call);
        else if (known.IsExecution(call) && call.TargetMethod.Name == "TryExecute" && call.Syntax.Parent is ExpressionStatementSyntax)
            context.ReportDiagnostic(Diagnostic.Create(Rules.OutcomeIgnored, call.Syntax.GetLocation(), call.TargetMethod.Name));
    }

    private static void CheckTask(OperationAnalysisContext context, IInvocationOperation call)
    {
        if (call.SemanticModel is not { } model) return;
        (TaskFlow.Fate fate, SyntaxNode? at) = new TaskFlow(model, context.CancellationToken).Of(call.Syntax);
        Location place = call.Syntax.GetLocation();
        switch (fate)
        {
            case TaskFlow.Fate.Blocked:
                string member = at is SimpleNameSyntax name ? name.Identifier.ValueText : at!.ToString();
                context.ReportDiagnostic(Diagnostic.Create(Rules.Blocked, at!.GetLocation(), member));
                break;
            case TaskFlow.Fate.Dropped:
                context.ReportDiagnostic(Diagnostic.Create(Rules.NotAwaited, place));
                break;
            case TaskFlow.Fate.Discarded: // said so on purpose, perhaps
                context.ReportDiagnostic(Diagnostic.Create(Rules.NotAwaited, place, DiagnosticSeverity.Info, additionalLocations: null, properties: null));
                break;
            case TaskFlow.Fate.Awaited when call.TargetMethod.Name == "TryExecuteAsync" && at?.Parent is ExpressionStatementSyntax:
                context.ReportDiagnostic(Diagnostic.Create(Rules.OutcomeIgnored, place, call.TargetMethod.Name));
                break;
        }
    }
}
