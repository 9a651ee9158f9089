using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;

namespace Resilience.CodeFixes;

/// <summary>Calls the method that throws, where the outcome is not looked at. RES109.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(ThrowFix)), Shared]
public sealed class ThrowFix() : Fix("Use the method that throws", "RES109")
{
    private protected override Action<SyntaxEditor>? Plan(SyntaxNode at, FixScope scope)
    {
        if (at.FirstAncestorOrSelf<InvocationExpressionSyntax>() is not { Expression: MemberAccessExpressionSyntax { Name: var name } }) return null;
        string throwing = name.Identifier.ValueText.Substring("Try".Length);
        return editor => editor.ReplaceNode(name, (n, _) => ((SimpleNameSyntax)n)
            .WithIdentifier(SyntaxFactory.Identifier(throwing).WithTriviaFrom(name.Identifier)));
    }
}
