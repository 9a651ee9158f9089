using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;
using Microsoft.CodeAnalysis.Formatting;
using Microsoft.CodeAnalysis.Simplification;
using Resilience.Analyzers;

namespace Resilience.CodeFixes;

/// <summary>Awaits what was blocked on or forgotten, where the function is asynchronous. Elsewhere the repair is the caller's affair too. RES107 and
/// RES108.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(AwaitFix)), Shared]
public sealed class AwaitFix() : Fix("Await the call", "RES107", "RES108")
{
    private protected override Action<SyntaxEditor>? Plan(SyntaxNode at, FixScope scope)
    {
        if (!FixScope.MayAwait(at)) return null;
        if (at is InvocationExpressionSyntax forgotten) return PlanForgotten(forgotten);
        if (at is not SimpleNameSyntax { Parent: MemberAccessExpressionSyntax access } name) return null;
        return name.Identifier.ValueText switch
        {
            "Result" => PlanBlocked(access, access.Expression),
            "Wait" or "GetResult" when access.Parent is InvocationExpressionSyntax { ArgumentList.Arguments.Count: 0 } call =>
                PlanBlocked(call, access.Expression),
            "WaitAll" when access.Parent is InvocationExpressionSyntax { Parent: ExpressionStatementSyntax } call && AreTasks(call, scope) =>
                PlanAll(call, name),
            _ => null,
        };
    }

    private static Action<SyntaxEditor> PlanBlocked(ExpressionSyntax whole, ExpressionSyntax task) => editor => editor.ReplaceNode(whole, (w, _) =>
    {
        ExpressionSyntax member = w is InvocationExpressionSyntax called ? called.Expression : (ExpressionSyntax)w;
        ExpressionSyntax now = ((MemberAccessExpressionSyntax)member).Expression;
        while (now is InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "GetAwaiter" or "AsTask" } same })
            now = same.Expression;
        ExpressionSyntax awaited = SyntaxFactory.AwaitExpression(now.WithoutTrivia());
        return (whole.Parent is ExpressionStatementSyntax ? awaited : SyntaxFactory.ParenthesizedExpression(awaited))
            .WithTriviaFrom(w).WithAdditionalAnnotations(Formatter.Annotation, Simplifier.Annotation);
    });

    private static Action<SyntaxEditor> PlanAll(InvocationExpressionSyntax call, SimpleNameSyntax name) => editor =>
    {
        editor.ReplaceNode(name, SyntaxFactory.IdentifierName("WhenAll").WithTriviaFrom(name));
        editor.ReplaceNode(call, static (c, _) => Awaited((ExpressionSyntax)c));
    };

    /// <summary>No time and no token besides.</summary>
    private static bool AreTasks(InvocationExpressionSyntax call, FixScope scope) =>
        scope.SymbolOf(call) is IMethodSymbol { Parameters.Length: 1 };

    private static Action<SyntaxEditor>? PlanForgotten(InvocationExpressionSyntax call)
    {
        if (call.FirstAncestorOrSelf<ExpressionStatementSyntax>() is not { } statement || Code.FunctionOf(statement) != Code.FunctionOf(call)) return null;
        bool keepsOutcome = call.Expression is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "TryExecuteAsync" };
        return statement.Expression switch
        {
            AssignmentExpressionSyntax set when keepsOutcome => editor => editor.ReplaceNode(set, static (s, _) => Awaiting((AssignmentExpressionSyntax)s)),
            AssignmentExpressionSyntax set => editor =>
                editor.ReplaceNode(set, static (s, _) => Awaited(((AssignmentExpressionSyntax)s).Right).WithTriviaFrom(s)),
            var dropped => editor => editor.ReplaceNode(dropped, (d, _) => Awaited((ExpressionSyntax)d)),
        };
    }

    private static AssignmentExpressionSyntax Awaiting(AssignmentExpressionSyntax set) => set.WithRight(Awaited(set.Right));

    private static AwaitExpressionSyntax Awaited(ExpressionSyntax task) =>
        SyntaxFactory.AwaitExpression(task.WithoutTrivia()).WithTriviaFrom(task).WithAdditionalAnnotations(Formatter.Annotation);
}
