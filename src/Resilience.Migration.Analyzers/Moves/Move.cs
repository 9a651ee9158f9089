using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>A translation of one kind of code. What it cannot translate for certain it leaves, with a sentence.</summary>
internal abstract class Move(MoveScope scope)
{
    protected const string UnreadPredicate =
        "say in Classify of the builder what a failure is: this predicate cannot be read as rules for exceptions and results";

    protected MoveScope Scope => scope;

    protected SyntaxNode Visit(SyntaxNode node) => scope.Visit(node);

    protected ExpressionSyntax Visited(ExpressionSyntax node) => (ExpressionSyntax)scope.Visit(node);

    /// <summary>The text of a part, translated.</summary>
    protected string Text(SyntaxNode node) => scope.Visit(node).ToString();

    protected ExpressionSyntax Written(string text, SyntaxNode at) => SyntaxFactory.ParseExpression(scope.Names.Write(text, scope.Model, at.SpanStart));

    protected ExpressionSyntax? Leave(DiagnosticDescriptor rule, string problem)
    {
        scope.Current!.Stay(rule, problem);
        return null;
    }

    protected ISymbol? SymbolOf(SyntaxNode node) => Theirs.SymbolOf(scope.ModelOf(node), node, scope.Cancellation);

    protected ITypeSymbol? TypeOf(SyntaxNode node) => scope.ModelOf(node).GetTypeInfo(node, scope.Cancellation).Type;

    protected string Parameters(INamedTypeSymbol type, SyntaxNode at) =>
        type.TypeArguments.Length == 0 ? ""
            : "<" + string.Join(", ", type.TypeArguments.Select(t => t.ToMinimalDisplayString(scope.Model, at.SpanStart))) + ">";

    /// <summary>The rules of the builder, once, where they have their place first.</summary>
    protected string ClassifyFor(object? key) => key is not null && scope.KnownOf(key) is { IsReactive: true } all && scope.IsFirst(key)
        ? $".Classify({HandledOutcome.ToRules(all.Union)})"
        : "";

    /// <summary>What stands for a builder: the local that holds it, or the place where it is made.</summary>
    protected object? KeyOf(SyntaxNode root)
    {
        SyntaxNode outermost = root;
        while (outermost.Parent is MemberAccessExpressionSyntax { Parent: InvocationExpressionSyntax call } access
            && access.Expression == outermost) outermost = call;
        if (root is IdentifierNameSyntax) return SymbolOf(root) is { } symbol and (ILocalSymbol or IParameterSymbol)
            ? symbol : null;
        return outermost.Parent is EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax declarator }
            && scope.Model.GetDeclaredSymbol(declarator, scope.Cancellation) is ILocalSymbol { Type.Name: "ResiliencePipelineBuilder" } local ? local : root;
    }

    /// <summary>Conditions that are written again mean the same within one type.</summary>
    protected static bool AreInOneType(SyntaxNode one, SyntaxNode other) =>
        one.FirstAncestorOrSelf<TypeDeclarationSyntax>() == other.FirstAncestorOrSelf<TypeDeclarationSyntax>();

    /// <summary>What is given for each parameter, by its name there.</summary>
    protected static Dictionary<string, ExpressionSyntax> ArgumentsOf(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        Dictionary<string, ExpressionSyntax> given = new(StringComparer.Ordinal);
        for (int i = 0; i < node.ArgumentList.Arguments.Count; i++)
        {
            ArgumentSyntax argument = node.ArgumentList.Arguments[i];
            string? name = argument.NameColon?.Name.Identifier.ValueText ?? (i < method.Parameters.Length ? method.Parameters[i].Name : null);
            if (name is not null) given[name] = argument.Expression;
        }

        return given;
    }

    /// <summary>This name, or another where the member around the node has it already.</summary>
    protected static string Unused(string name, string other, SyntaxNode at) =>
        (at.FirstAncestorOrSelf<MemberDeclarationSyntax>() ?? at).DescendantTokens().Any(t => t.IsKind(SyntaxKind.IdentifierToken) && t.ValueText == name)
            ? other : name;

    protected static ExpressionSyntax RootOf(ExpressionSyntax chain)
    {
        while (chain is InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax access }) chain = access.Expression;
        return chain;
    }

    protected static string? ParameterOf(LambdaExpressionSyntax lambda) => lambda switch
    {
        SimpleLambdaExpressionSyntax simple => simple.Parameter.Identifier.ValueText,
        ParenthesizedLambdaExpressionSyntax { ParameterList.Parameters.Count: 1 } several => several.ParameterList.Parameters[0].Identifier.ValueText,
        _ => null,
    };

    protected string Receiver(InvocationExpressionSyntax node) => node.Expression is MemberAccessExpressionSyntax access
        ? (access.Expression is IdentifierNameSyntax root && SymbolOf(root) is IParameterSymbol parameter
            ? root.Identifier.ValueText + ClassifyFor(parameter)
            : Visit(access.Expression).ToFullString().TrimEnd())
        : "";
}
