using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;
using Microsoft.CodeAnalysis.Operations;
using Resilience.Analyzers;

namespace Resilience.CodeFixes;

/// <summary>Passes the token of the attempt on, and names it where it had no name. RES106.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(TokenFix)), Shared]
public sealed class TokenFix() : Fix("Pass the token of the attempt", "RES106")
{
    private static readonly string[] Names = ["ct", "token", "attempt"];

    private protected override Action<SyntaxEditor>? Plan(SyntaxNode at, FixScope scope)
    {
        if (Known.From(scope.Model.Compilation) is not { } known) return null;
        if (at.FirstAncestorOrSelf<AnonymousFunctionExpressionSyntax>() is not { } lambda) return null;
        if (ParameterIn(lambda, known, scope) is not { } parameter) return null;
        string? name = parameter.Identifier.ValueText != "_" ? parameter.Identifier.ValueText
            : Names.FirstOrDefault(n => scope.Model.LookupSymbols(lambda.SpanStart, name: n).Length == 0);
        if (name is null || scope.Model.GetDeclaredSymbol(parameter, scope.Cancellation) is not IParameterSymbol symbol) return null;
        ExpressionSyntax token = SyntaxFactory.ParseExpression(known.IsToken(symbol.Type) ? name : name + ".CancellationToken");

        ArgumentSyntax? replaced = at.FirstAncestorOrSelf<ArgumentSyntax>(a => lambda.Span.Contains(a.Span));
        if (replaced is { Expression: not LambdaExpressionSyntax } && at.Span == replaced.Span | at == replaced.Expression)
        {
            return editor =>
            {
                editor.ReplaceNode(replaced, (a, _) => ((ArgumentSyntax)a).WithExpression(token));
                Rename(editor, parameter, name);
            };
        }

        if (at.FirstAncestorOrSelf<InvocationExpressionSyntax>() is not { } call || call.Expression.Span.End < at.Span.End) return null;
        if (Added(call, token, known, scope) is not { } added) return null;
        return editor =>
        {
            editor.ReplaceNode(call, (c, _) => ((InvocationExpressionSyntax)c).AddArgumentListArguments(added));
            Rename(editor, parameter, name);
        };
    }

    private static ParameterSyntax? ParameterIn(AnonymousFunctionExpressionSyntax lambda, Known known, FixScope scope)
    {
        IEnumerable<ParameterSyntax> parameters = lambda switch
        {
            SimpleLambdaExpressionSyntax simple => [simple.Parameter],
            ParenthesizedLambdaExpressionSyntax several => several.ParameterList.Parameters,
            AnonymousMethodExpressionSyntax method => method.ParameterList?.Parameters ?? [],
            _ => [],
        };
        return parameters.FirstOrDefault(p => scope.Model.GetDeclaredSymbol(p, scope.Cancellation) is IParameterSymbol symbol
            && (known.IsToken(symbol.Type) || Known.Is(symbol.Type, known.Context)));
    }

    /// <summary>By name where other arguments have been left out before it.</summary>
    private static ArgumentSyntax? Added(InvocationExpressionSyntax call, ExpressionSyntax token, Known known, FixScope scope)
    {
        if (scope.Model.GetOperation(call, scope.Cancellation) is not IInvocationOperation { TargetMethod: var method }) return null;
        IParameterSymbol? optional = method.Parameters.FirstOrDefault(p => known.IsToken(p.Type));
        ArgumentSyntax argument = SyntaxFactory.Argument(token);
        SeparatedSyntaxList<ArgumentSyntax> said = call.ArgumentList.Arguments;
        bool isNext = said.All(static a => a.NameColon is null) && (optional is null || optional.Ordinal == said.Count);
        if (isNext) return argument;
        string? name = optional?.Name ?? method.ContainingType.GetMembers(method.Name).OfType<IMethodSymbol>()
            .FirstOrDefault(o => o.Parameters.Length == method.Parameters.Length + 1 && known.IsToken(o.Parameters.Last().Type))
            ?.Parameters.Last().Name;
        return name is null ? null : argument.WithNameColon(SyntaxFactory.NameColon(name));
    }

    private static void Rename(SyntaxEditor editor, ParameterSyntax parameter, string name)
    {
        if (parameter.Identifier.ValueText == name) return;
        editor.ReplaceNode(parameter, (p, _) => p is ParameterSyntax now
            ? now.WithIdentifier(SyntaxFactory.Identifier(name).WithTriviaFrom(now.Identifier))
            : p);
    }
}
