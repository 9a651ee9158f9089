using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;

namespace Resilience.CodeFixes;

/// <summary>Registers as a singleton. Not where the factory asks the container for something, which may live for one request alone. RES103.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(SingletonFix)), Shared]
public sealed class SingletonFix() : Fix("Register it as a singleton", "RES103")
{
    private protected override Action<SyntaxEditor>? Plan(SyntaxNode at, FixScope scope)
    {
        if (at.FirstAncestorOrSelf<SimpleNameSyntax>() is not { } name || name.FirstAncestorOrSelf<InvocationExpressionSyntax>() is not { } call) return null;
        bool asksContainer = call.ArgumentList.Arguments.Select(static a => a.Expression).OfType<LambdaExpressionSyntax>().Any(l =>
            (scope.SymbolOf(l) as IMethodSymbol)?.Parameters.FirstOrDefault() is { } provider && l.Body.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>()
                .Any(n => SymbolEqualityComparer.Default.Equals(scope.SymbolOf(n), provider)));
        if (asksContainer) return null;
        string singleton = name.Identifier.ValueText.Replace("Transient", "Singleton").Replace("Scoped", "Singleton");
        return editor => editor.ReplaceNode(name, (n, _) => ((SimpleNameSyntax)n)
            .WithIdentifier(SyntaxFactory.Identifier(singleton).WithTriviaFrom(name.Identifier)));
    }
}
