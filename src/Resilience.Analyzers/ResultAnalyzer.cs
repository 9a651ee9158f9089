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
        if (!known.IsExecution(call)) return;

        SyntaxNode task = Code.Outermost(call.Syntax);
        while (Code.MemberReadFrom(task) is { } member)
        {
            string name = member.Identifier.ValueText;
            if (name is "Result" or "Wait" or "GetResult")
            {
                context.ReportDiagnostic(Diagnostic.Create(Rules.Blocked, member.GetLocation(), name));
                return;
            }

            // AsTask(), Preserve(), ConfigureAwait(false) and GetAwaiter() still stand for the same call.
            bool isSameCall = name is "AsTask" or "Preserve" or "ConfigureAwait" or "GetAwaiter";
            if (!isSameCall || member.Parent?.Parent is not InvocationExpressionSyntax again) return;
            task = Code.Outermost(again);
        }

        bool isDropped = task.Parent is ExpressionStatementSyntax
            || (task.Parent is ArrowExpressionClauseSyntax { Parent: { } owner } && ReturnsNothing(owner, call, context));
        if (isDropped)
            context.ReportDiagnostic(Diagnostic.Create(Rules.NotAwaited, call.Syntax.GetLocation()));
        else if (call.TargetMethod.Name == "TryExecuteAsync" && task.Parent is AwaitExpressionSyntax { Parent: ExpressionStatementSyntax })
            context.ReportDiagnostic(Diagnostic.Create(Rules.OutcomeIgnored, call.Syntax.GetLocation()));
    }

    /// <summary>A void method with a body of one expression drops its value as a statement does.</summary>
    private static bool ReturnsNothing(SyntaxNode member, IInvocationOperation call, OperationAnalysisContext context) =>
        call.SemanticModel?.GetDeclaredSymbol(member, context.CancellationToken) is IMethodSymbol { ReturnsVoid: true };
}
