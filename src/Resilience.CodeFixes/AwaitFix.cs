using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;
using Microsoft.CodeAnalysis.Formatting;
using Microsoft.CodeAnalysis.Operations;
using Microsoft.CodeAnalysis.Simplification;
using Resilience.Analyzers;

namespace Resilience.CodeFixes;

/// <summary>Awaits what was blocked on or forgotten, where the function is asynchronous. In a synchronous one what was blocked on becomes <c>Execute</c>, where
/// the delegate has a synchronous form; else the repair is the caller's affair too. RES107 and RES108.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(AwaitFix)), Shared]
public sealed class AwaitFix() : Fix("Await the call", "RES107", "RES108")
{
    private protected override Action<SyntaxEditor>? Plan(SyntaxNode at, FixScope scope)
    {
        if (!FixScope.MayAwait(at)) return PlanSynchronous(at, scope);
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

    private protected override string TitleAt(SyntaxNode at) => FixScope.MayAwait(at) ? base.TitleAt(at) : "Use Execute";

    private static Action<SyntaxEditor>? PlanSynchronous(SyntaxNode at, FixScope scope)
    {
        if (at is not SimpleNameSyntax { Parent: MemberAccessExpressionSyntax access, Identifier.ValueText: "Result" or "Wait" or "GetResult" }) return null;
        ExpressionSyntax whole = access.Parent is InvocationExpressionSyntax wait && wait.Expression == access ? wait : access;
        if (whole is InvocationExpressionSyntax { ArgumentList.Arguments.Count: > 0 } || !IsSynchronous(at, scope)) return null;
        if (Known.From(scope.Model.Compilation) is not { } known || CallIn(access.Expression) is not { } call) return null;
        if (scope.Model.GetOperation(call, scope.Cancellation) is not IInvocationOperation execution || !known.IsAsynchronousExecution(execution)) return null;
        bool hasForm = known.ResultOf(execution) is not null || execution.TargetMethod.Parameters[0].Type.Name != "CallOptions";
        if (!hasForm || call.Expression is not MemberAccessExpressionSyntax { Name: var name } pipeline) return null;
        IEnumerable<ExpressionSyntax> given = call.ArgumentList.Arguments.Select(static a => a.Expression);
        if (given.OfType<AnonymousFunctionExpressionSyntax>().SingleOrDefault() is not { } lambda) return null;
        if (SynchronousForm.Of(lambda, scope) is not { } form) return null;
        string synchronous = name.Identifier.ValueText.Substring(0, name.Identifier.ValueText.Length - "Async".Length);
        return editor => editor.ReplaceNode(whole, (w, _) => call.ReplaceNode(lambda, form)
            .WithExpression(pipeline.WithName(name.WithIdentifier(SyntaxFactory.Identifier(synchronous))))
            .WithTriviaFrom(w).WithAdditionalAnnotations(Formatter.Annotation));
    }

    /// <summary>It neither is asynchronous nor gives a task, and does not look into the <c>AggregateException</c> that blocking makes.</summary>
    private static bool IsSynchronous(SyntaxNode at, FixScope scope)
    {
        SyntaxNode? function = Code.FunctionOf(at);
        bool isAsync = function switch
        {
            MethodDeclarationSyntax method => method.Modifiers.Any(SyntaxKind.AsyncKeyword) || IsTask(scope.Model.GetTypeInfo(method.ReturnType).Type),
            LocalFunctionStatementSyntax local => local.Modifiers.Any(SyntaxKind.AsyncKeyword) || IsTask(scope.Model.GetTypeInfo(local.ReturnType).Type),
            AnonymousFunctionExpressionSyntax lambda => lambda.AsyncKeyword.RawKind != 0
                || IsTask((scope.SymbolOf(lambda) as IMethodSymbol)?.ReturnType),
            CompilationUnitSyntax => true,
            _ => false,
        };
        return !isAsync && !at.Ancestors().TakeWhile(a => a != function).OfType<TryStatementSyntax>()
            .Any(static t => t.Catches.Any(static c => c.Declaration?.Type.ToString().EndsWith("AggregateException", StringComparison.Ordinal) == true));
    }

    private static bool IsTask(ITypeSymbol? type) => type is { Name: "Task" or "ValueTask" };

    /// <summary>The call itself, without what stands for the same task.</summary>
    private static InvocationExpressionSyntax? CallIn(ExpressionSyntax task)
    {
        while (true)
        {
            switch (task)
            {
                case ParenthesizedExpressionSyntax inner:
                    task = inner.Expression;
                    break;
                case InvocationExpressionSyntax
                {
                    Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "GetAwaiter" or "AsTask" or "ConfigureAwait" } same,
                }:
                    task = same.Expression;
                    break;
                default:
                    return task as InvocationExpressionSyntax;
            }
        }
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
