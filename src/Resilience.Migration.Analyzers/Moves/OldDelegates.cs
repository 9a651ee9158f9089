using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Delegates of Polly v7, whose parameters are written as what ours are told.</summary>
internal sealed class OldDelegates(MoveScope scope) : Move(scope)
{
    internal sealed class Translated(string text, bool isExpression, bool isAsync)
    {
        internal string Text => text;

        internal bool IsExpression => isExpression;

        internal bool IsAsync => isAsync;
    }

    /// <summary>The body, or a call of what is named. Null where it reads what ours is not told, names more of theirs, or throws, which ours would
    /// swallow.</summary>
    /// <param name="value">The delegate.</param>
    /// <param name="ours">What stands for a parameter of theirs; null: nothing does.</param>
    /// <param name="outcome">The name of the attempt that stands for a <c>DelegateResult</c>; null: nothing does.</param>
    internal Translated? Given(ExpressionSyntax value, Func<IParameterSymbol, string?> ours, string? outcome)
    {
        if (value is LambdaExpressionSyntax lambda)
        {
            if (SymbolOf(lambda) is not IMethodSymbol symbol || OptionsMove.Throws(lambda.Body)) return null;
            if (Replaced(lambda.Body, symbol, ours, outcome) is not { } body) return null;
            return new(body, lambda.Body is ExpressionSyntax, lambda.AsyncKeyword.RawKind != 0);
        }

        bool isMethod = SymbolOf(value) is IMethodSymbol;
        if (!isMethod && SymbolOf(value) is not (ILocalSymbol or IParameterSymbol or IFieldSymbol { IsReadOnly: true })) return null;
        IMethodSymbol? called = SymbolOf(value) as IMethodSymbol ?? (TypeOf(value) as INamedTypeSymbol)?.DelegateInvokeMethod;
        if (called is null || called.DeclaringSyntaxReferences.Any(r => OptionsMove.Throws(r.GetSyntax(Scope.Cancellation)))) return null;
        string?[] arguments = [.. called.Parameters.Select(ours)];
        return arguments.Any(static a => a is null) ? null : new($"{Text(value)}({string.Join(", ", arguments)})", true, false);
    }

    /// <summary>A callback that has done all when it returns, as a block.</summary>
    internal string? StatementOf(ExpressionSyntax told, Func<IParameterSymbol, string?> ours, string? outcome)
    {
        if (Given(told, ours, outcome) is not { IsAsync: false } given) return null;
        bool returnsVoid = (Scope.Model.GetTypeInfo(told, Scope.Cancellation).ConvertedType as INamedTypeSymbol)?.DelegateInvokeMethod?.ReturnsVoid == true;
        if (returnsVoid) return given.IsExpression ? $"{{ {given.Text}; }}" : given.Text;
        if (given.IsExpression || SyntaxFactory.ParseStatement(given.Text) is not BlockSyntax block) return null;
        return OptionsMove.WithoutReturns(block)?.ToString();
    }

    private string? Replaced(SyntaxNode body, IMethodSymbol lambda, Func<IParameterSymbol, string?> ours, string? outcome)
    {
        Dictionary<SyntaxNode, string> replaced = [];
        foreach (IdentifierNameSyntax use in body.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>())
        {
            if (SymbolOf(use) is not IParameterSymbol parameter || !SymbolEqualityComparer.Default.Equals(parameter.ContainingSymbol, lambda)) continue;
            if (parameter.Type.Name == "DelegateResult")
            {
                if (outcome is null || OfResult(use, outcome) is not { } read) return null;
                replaced[read.Node] = read.Text;
            }
            else if (ours(parameter) is { } text)
            {
                replaced[use] = text;
            }
            else
            {
                return null;
            }
        }

        bool namesTheirs = body.DescendantNodesAndSelf().OfType<SimpleNameSyntax>().Any(n =>
            Theirs.Own(SymbolOf(n)) && !replaced.Keys.Any(k => k.Span.Contains(n.Span)));
        return namesTheirs ? null : body.ReplaceNodes(
            replaced.Keys, (old, _) => SyntaxFactory.ParseExpression(replaced[old]).WithTriviaFrom(old)).ToString();
    }

    /// <summary>The exception or the result of what stands for an outcome, also where it is asked for with a question mark.</summary>
    private (SyntaxNode Node, string Text)? OfResult(IdentifierNameSyntax use, string outcome)
    {
        ITypeSymbol? result = (TypeOf(use) as INamedTypeSymbol)?.TypeArguments.FirstOrDefault();
        string? type = result?.ToMinimalDisplayString(Scope.Model, use.SpanStart);
        switch (use.Parent)
        {
            case MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Exception" } failed:
                return (failed, outcome + ".Exception");
            case MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Result" } made:
                return (made, $"(({type}){outcome}.Result!)");
            case ConditionalAccessExpressionSyntax asked when asked.Expression == use && result?.IsReferenceType == true:
                string rest = asked.WhenNotNull.ToString();
                return rest.StartsWith(".Exception", StringComparison.Ordinal) ? (asked, outcome + rest)
                    : rest.StartsWith(".Result", StringComparison.Ordinal) ? (asked, $"({outcome}.Result as {type}){rest.Substring(".Result".Length)}") : null;
            default:
                return null;
        }
    }
}
