using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Finds the calls that made what an expression stands for: itself, what a variable was given once, what a method returns.</summary>
internal sealed class Makers(Func<SyntaxTree, SemanticModel> models, CancellationToken cancellation)
{
    private const int MaxDepth = 6; // of names for names

    /// <summary>The calls that give the value, each one that it may be; null where that is not known for certain.</summary>
    internal IReadOnlyList<InvocationExpressionSyntax>? Of(ExpressionSyntax value) => All<InvocationExpressionSyntax>(value);

    /// <summary>The options that the value may be, where each is made by <c>new</c>; null where that is not known for certain.</summary>
    internal IReadOnlyList<BaseObjectCreationExpressionSyntax>? OptionsOf(ExpressionSyntax value) => All<BaseObjectCreationExpressionSyntax>(value);

    private IReadOnlyList<T>? All<T>(ExpressionSyntax value)
        where T : ExpressionSyntax => Of(value, MaxDepth) is { } all && all.All(static a => a is T) ? [.. all.Cast<T>()] : null;

    private IReadOnlyList<ExpressionSyntax>? Of(ExpressionSyntax value, int depth) => depth == 0 ? null : value switch
    {
        ParenthesizedExpressionSyntax inner => Of(inner.Expression, depth),
        ConditionalExpressionSyntax either => Both(Of(either.WhenTrue, depth), Of(either.WhenFalse, depth)),
        InvocationExpressionSyntax call when SymbolOf(call) is IMethodSymbol method => Theirs.Own(method) ? [call] : OfAll(method, depth),
        BaseObjectCreationExpressionSyntax made => [made],
        IdentifierNameSyntax or MemberAccessExpressionSyntax => SymbolOf(value) is { } named ? OfAll(named, depth) : null,
        _ => null,
    };

    private static IReadOnlyList<ExpressionSyntax>? Both(IReadOnlyList<ExpressionSyntax>? one, IReadOnlyList<ExpressionSyntax>? other) =>
        one is null || other is null ? null : [.. one, .. other];

    private IReadOnlyList<ExpressionSyntax>? OfAll(ISymbol symbol, int depth)
    {
        if (symbol is IParameterSymbol || symbol.IsVirtual || symbol.IsAbstract || symbol.IsOverride) return null;
        IReadOnlyList<ExpressionSyntax>? all = [];
        List<ExpressionSyntax>? values = ValuesOf(symbol);
        if (values is not { Count: > 0 }) return null;
        foreach (ExpressionSyntax value in values) all = Both(all, Of(value, depth - 1));
        return all;
    }

    /// <summary>What a local, a field or a property is given, and what a method returns; null where that cannot be read.</summary>
    private List<ExpressionSyntax>? ValuesOf(ISymbol symbol)
    {
        if (symbol.DeclaringSyntaxReferences.Length != 1) return null;
        SyntaxNode declared = symbol.DeclaringSyntaxReferences[0].GetSyntax(cancellation);
        List<ExpressionSyntax> values = declared switch
        {
            VariableDeclaratorSyntax { Initializer.Value: { } value } => [value],
            PropertyDeclarationSyntax { ExpressionBody.Expression: { } value } => [value],
            PropertyDeclarationSyntax { Initializer.Value: { } value } => [value],
            MethodDeclarationSyntax { ExpressionBody.Expression: { } value } => [value],
            LocalFunctionStatementSyntax { ExpressionBody.Expression: { } value } => [value],
            MethodDeclarationSyntax { Body: { } body } => Returned(body),
            LocalFunctionStatementSyntax { Body: { } body } => Returned(body),
            PropertyDeclarationSyntax { AccessorList.Accessors: { Count: 1 } accessors } when accessors[0].Body is { } body => Returned(body),
            _ => [],
        };
        if (symbol is IMethodSymbol) return values;
        bool isHidden = symbol is ILocalSymbol or IFieldSymbol { DeclaredAccessibility: Accessibility.Private } or IFieldSymbol { IsReadOnly: true }
            or IPropertySymbol { SetMethod: null or { DeclaredAccessibility: Accessibility.Private } };
        if (!isHidden) return null;
        SyntaxNode? around = symbol is ILocalSymbol
            ? declared.FirstAncestorOrSelf<MemberDeclarationSyntax>() : declared.FirstAncestorOrSelf<TypeDeclarationSyntax>();
        foreach (AssignmentExpressionSyntax set in around?.DescendantNodes().OfType<AssignmentExpressionSyntax>() ?? [])
        {
            if (SymbolEqualityComparer.Default.Equals(SymbolOf(set.Left), symbol)) values.Add(set.Right);
        }

        return values;
    }

    private static List<ExpressionSyntax> Returned(BlockSyntax body) =>
    [
        .. body.DescendantNodes(static n => n is not AnonymousFunctionExpressionSyntax and not LocalFunctionStatementSyntax).OfType<ReturnStatementSyntax>()
            .Select(static r => r.Expression).OfType<ExpressionSyntax>(),
    ];

    private ISymbol? SymbolOf(SyntaxNode node) => Theirs.SymbolOf(models(node.SyntaxTree), node, cancellation);
}
