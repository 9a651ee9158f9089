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

/// <summary>Keeps what was made for each call in a field that all calls share. RES101 and RES102.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(ShareFix)), Shared]
public sealed class ShareFix() : Fix("Make it once, in a static field", "RES101", "RES102")
{
    private protected override Action<SyntaxEditor>? Plan(SyntaxNode at, FixScope scope)
    {
        SyntaxNode? made = at.FirstAncestorOrSelf<ExpressionSyntax>();
        if (made is null || !scope.StandsAlone(made)) return null;
        SyntaxNode whole = Code.Outermost(made);
        if (Code.InstanceMemberSetTo(whole, scope.Model, scope.Cancellation) is { } member) return PlanStatic(whole, member);
        if (Code.IsValueOfGetter(whole)) return PlanProperty(whole);
        if (whole.FirstAncestorOrSelf<TypeDeclarationSyntax>() is not { } type || type is InterfaceDeclarationSyntax) return null;
        if (Code.FunctionOf(whole) is null or CompilationUnitSyntax) return null;
        if (whole.Parent is EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax { Parent: VariableDeclarationSyntax { Variables.Count: 1 } } local })
            return PlanLocal((ExpressionSyntax)made, local, type, scope);
        return Code.MemberReadFrom(whole) is null ? null : editor =>
        {
            string name = scope.FreeName(NameFor(scope.Model.GetTypeInfo(made, scope.Cancellation).Type), made);
            AddField(editor, type, (ExpressionSyntax)made, name, scope);
            editor.ReplaceNode(whole, SyntaxFactory.IdentifierName(name).WithTriviaFrom(whole));
        };
    }

    /// <summary>The member belongs to the class instead of to each of its objects.</summary>
    private static Action<SyntaxEditor>? PlanStatic(SyntaxNode made, ISymbol member)
    {
        MemberDeclarationSyntax? declaration = made.Parent is EqualsValueClauseSyntax ? made.FirstAncestorOrSelf<MemberDeclarationSyntax>() : null;
        if (declaration is null or FieldDeclarationSyntax { Declaration.Variables.Count: > 1 }) return null;
        if (member.IsVirtual || member.IsOverride || member.IsAbstract) return null;
        bool isReadFromObject = declaration.FirstAncestorOrSelf<TypeDeclarationSyntax>()?.DescendantNodes().OfType<MemberAccessExpressionSyntax>()
            .Any(m => m.Name.Identifier.ValueText == member.Name && m.Parent is not MemberAccessExpressionSyntax) ?? true;
        bool isHidden = member.DeclaredAccessibility == Accessibility.Private;
        return isReadFromObject || !isHidden ? null : editor => editor.ReplaceNode(declaration, static (d, generator) =>
            generator.WithModifiers(d, generator.GetModifiers(d).WithIsStatic(true)));
    }

    private static Action<SyntaxEditor>? PlanProperty(SyntaxNode made)
    {
        if (made.FirstAncestorOrSelf<PropertyDeclarationSyntax>() is not { } property) return null;
        bool isOneStatement = property.AccessorList?.Accessors is null or { Count: 1 }
            && (Code.FunctionOf(made) as AccessorDeclarationSyntax)?.Body?.Statements is null or { Count: 1 };
        return !isOneStatement || property.FirstAncestorOrSelf<TypeDeclarationSyntax>() is InterfaceDeclarationSyntax ? null : editor => editor.ReplaceNode(
            property,
            property.WithExpressionBody(null)
                .WithAccessorList(SyntaxFactory.AccessorList([SyntaxFactory.AccessorDeclaration(SyntaxKind.GetAccessorDeclaration)
                    .WithSemicolonToken(SyntaxFactory.Token(SyntaxKind.SemicolonToken))]))
                .WithInitializer(SyntaxFactory.EqualsValueClause(((ExpressionSyntax)made).WithoutTrivia()))
                .WithSemicolonToken(SyntaxFactory.Token(SyntaxKind.SemicolonToken))
                .WithTriviaFrom(property).WithAdditionalAnnotations(Formatter.Annotation));
    }

    private static Action<SyntaxEditor>? PlanLocal(ExpressionSyntax made, VariableDeclaratorSyntax local, TypeDeclarationSyntax type, FixScope scope)
    {
        if (local.Parent?.Parent is not LocalDeclarationStatementSyntax { Parent: BlockSyntax, UsingKeyword.RawKind: 0 } statement) return null;
        if (scope.Model.GetDeclaredSymbol(local, scope.Cancellation) is not { } symbol || Code.FunctionOf(local) is not { } function) return null;
        return editor =>
        {
            string wished = local.Identifier.ValueText;
            string name = scope.FreeName(char.ToUpperInvariant(wished[0]) + wished.Substring(1), made);
            AddField(editor, type, made, name, scope);
            foreach (IdentifierNameSyntax use in Code.UsesOf(symbol, function, scope.Model, scope.Cancellation))
                editor.ReplaceNode(use, SyntaxFactory.IdentifierName(name).WithTriviaFrom(use));
            editor.RemoveNode(statement, SyntaxRemoveOptions.KeepExteriorTrivia | SyntaxRemoveOptions.KeepUnbalancedDirectives);
        };
    }

    /// <summary>Behind the other static fields: their values are made in the order in which they stand.</summary>
    private static void AddField(SyntaxEditor editor, TypeDeclarationSyntax type, ExpressionSyntax made, string name, FixScope scope)
    {
        TypeInfo info = scope.Model.GetTypeInfo(made, scope.Cancellation);
        SyntaxNode field = editor.Generator.FieldDeclaration(
            name, editor.Generator.TypeExpression((info.Type ?? info.ConvertedType)!), Accessibility.Private,
            DeclarationModifiers.Static | DeclarationModifiers.ReadOnly, made.WithoutTrivia());
        int after = type.Members.LastIndexOf(static m => m is FieldDeclarationSyntax f && f.Modifiers.Any(SyntaxKind.StaticKeyword)) + 1;
        editor.InsertMembers(type, after, [field.WithAdditionalAnnotations(Formatter.Annotation, Simplifier.Annotation)]);
    }

    private static string NameFor(ITypeSymbol? type) => type?.Name switch
    {
        "CircuitBreaker" => "Breaker",
        "CircuitBreakerPartitions" => "Breakers",
        "RetryBudget" => "Budget",
        "ConcurrencyLimit" => "Limit",
        _ => "Pipeline",
    };
}
