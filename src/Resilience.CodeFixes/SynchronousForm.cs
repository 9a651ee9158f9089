using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.CodeFixes;

/// <summary>A delegate without tasks: each call of a method that ends in <c>Async</c> becomes one of the method beside it that does not.</summary>
internal static class SynchronousForm
{
    /// <summary>Null where a part of it has no synchronous form, for all that can be seen.</summary>
    internal static AnonymousFunctionExpressionSyntax? Of(AnonymousFunctionExpressionSyntax lambda, FixScope scope)
    {
        SyntaxNode[] inside = [.. lambda.Body.DescendantNodesAndSelf()];
        if (inside.Any(static n => n is AnonymousFunctionExpressionSyntax or LocalFunctionStatementSyntax || IsAwaitedStatement(n))) return null;
        bool isAsync = lambda.AsyncKeyword.RawKind != 0;
        IEnumerable<ExpressionSyntax?> tasks = isAsync ? inside.OfType<AwaitExpressionSyntax>().Select(static a => a.Expression)
            : lambda.ExpressionBody is { } one ? [one]
            : inside.OfType<ReturnStatementSyntax>().Select(static r => r.Expression);
        Dictionary<SyntaxNode, Func<ExpressionSyntax, ExpressionSyntax>> replaced = [];
        HashSet<SyntaxNode> seen = [];
        foreach (ExpressionSyntax task in tasks.OfType<ExpressionSyntax>())
        {
            if (Without(task, scope, seen) is not { } plan) return null;
            replaced[isAsync ? task.Parent! : task] = isAsync ? awaited => plan(((AwaitExpressionSyntax)awaited).Expression) : plan;
        }

        // A task that none of these stands for would be left running.
        if (inside.OfType<InvocationExpressionSyntax>().Any(i => !seen.Contains(i) && IsTask(scope.Model.GetTypeInfo(i, scope.Cancellation).Type))) return null;
        AnonymousFunctionExpressionSyntax now = lambda.ReplaceNodes(
            replaced.Keys, (node, current) => replaced[node]((ExpressionSyntax)current).WithTriviaFrom(current));
        return now.WithAsyncKeyword(default).WithLeadingTrivia(lambda.GetLeadingTrivia());
    }

    private static bool IsAwaitedStatement(SyntaxNode node) => node switch
    {
        CommonForEachStatementSyntax each => each.AwaitKeyword.RawKind != 0,
        UsingStatementSyntax held => held.AwaitKeyword.RawKind != 0,
        LocalDeclarationStatementSyntax local => local.AwaitKeyword.RawKind != 0,
        _ => false,
    };

    /// <summary>What makes the value of a task; it is given the expression as it is by then. What it stands for is noted.</summary>
    private static Func<ExpressionSyntax, ExpressionSyntax>? Without(ExpressionSyntax task, FixScope scope, HashSet<SyntaxNode> seen)
    {
        switch (task)
        {
            case ParenthesizedExpressionSyntax inner:
                return Without(inner.Expression, scope, seen) is { } ofInner ? now => ofInner(((ParenthesizedExpressionSyntax)now).Expression) : null;
            case InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "ConfigureAwait" or "AsTask" } same } outer:
                seen.Add(outer);
                return Without(same.Expression, scope, seen) is { } ofSame ? now => ofSame(ReceiverOf(now)) : null;
            case InvocationExpressionSyntax { ArgumentList.Arguments.Count: 1 } made when scope.SymbolOf(made) is IMethodSymbol { Name: "FromResult" } method
                && IsTask(method.ContainingType):
                seen.Add(made);
                return static now => ((InvocationExpressionSyntax)now).ArgumentList.Arguments[0].Expression;
            case InvocationExpressionSyntax call when scope.SymbolOf(call) is IMethodSymbol method && Beside(method, call, scope) is { } beside:
                seen.Add(call);
                return now => Renamed((InvocationExpressionSyntax)now, method, beside);
            default:
                return null;
        }
    }

    private static ExpressionSyntax ReceiverOf(ExpressionSyntax call) =>
        ((MemberAccessExpressionSyntax)((InvocationExpressionSyntax)call).Expression).Expression;

    /// <summary>The method of the same name without <c>Async</c>, which takes the same, but perhaps no token, and gives what the task would.</summary>
    private static IMethodSymbol? Beside(IMethodSymbol method, InvocationExpressionSyntax call, FixScope scope)
    {
        if (!method.Name.EndsWith("Async", StringComparison.Ordinal) || !IsTask(method.ReturnType) || method.IsGenericMethod) return null;
        if (call.Expression is not (MemberAccessExpressionSyntax or SimpleNameSyntax)) return null;
        ITypeSymbol? result = (method.ReturnType as INamedTypeSymbol)?.TypeArguments.FirstOrDefault();
        string name = method.Name.Substring(0, method.Name.Length - "Async".Length);
        ITypeSymbol? receiver = method.IsStatic || call.Expression is not MemberAccessExpressionSyntax access
            ? method.ContainingType
            : scope.Model.GetTypeInfo(access.Expression, scope.Cancellation).Type;
        return scope.Model.LookupSymbols(call.SpanStart, receiver, name).OfType<IMethodSymbol>()
            .Where(m => m.IsStatic == method.IsStatic && !m.IsGenericMethod && !m.GetAttributes().Any(static a =>
                a.AttributeClass?.Name == "ObsoleteAttribute"))
            .Where(m => result is null ? m.ReturnsVoid : SymbolEqualityComparer.Default.Equals(m.ReturnType, result))
            .Where(m => TakesSame(m, method.Parameters) || TakesSame(m, WithoutToken(method)))
            .OrderByDescending(static m => m.Parameters.Length).FirstOrDefault();
    }

    private static IParameterSymbol[] WithoutToken(IMethodSymbol method) => [.. method.Parameters.Where(static p => !IsToken(p.Type))];

    private static bool TakesSame(IMethodSymbol method, IReadOnlyList<IParameterSymbol> parameters) => method.Parameters.Length == parameters.Count
        && !method.Parameters.Where((p, i) => p.RefKind != parameters[i].RefKind || !SymbolEqualityComparer.Default.Equals(p.Type, parameters[i].Type)).Any();

    private static InvocationExpressionSyntax Renamed(InvocationExpressionSyntax call, IMethodSymbol method, IMethodSymbol beside)
    {
        SimpleNameSyntax name = SyntaxFactory.IdentifierName(beside.Name);
        ExpressionSyntax called = call.Expression is MemberAccessExpressionSyntax access ? access.WithName(name) : name;
        int token = beside.Parameters.Length == method.Parameters.Length ? -1 : method.Parameters.ToList().FindIndex(static p => IsToken(p.Type));
        ArgumentSyntax? given = token < 0 ? null : call.ArgumentList.Arguments.Where((a, i) =>
            a.NameColon is { } named ? named.Name.Identifier.ValueText == method.Parameters[token].Name : i == token).FirstOrDefault();
        return call.WithExpression(called).WithArgumentList(given is null ? call.ArgumentList
            : call.ArgumentList.WithArguments(call.ArgumentList.Arguments.Remove(given)));
    }

    private static bool IsToken(ITypeSymbol type) => type.ToDisplayString() == "System.Threading.CancellationToken";

    private static bool IsTask(ITypeSymbol? type) =>
        type is { Name: "Task" or "ValueTask" } && type.ContainingNamespace?.ToDisplayString() == "System.Threading.Tasks";
}
