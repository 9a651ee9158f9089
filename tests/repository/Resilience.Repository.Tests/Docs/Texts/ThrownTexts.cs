using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Docs.Texts;

/// <summary>Which texts are those of exceptions: given to one as it is made, in whatever place and way, or given back by a member, or handed to a parameter,
/// of which that is done.</summary>
internal sealed class ThrownTexts
{
    private readonly Compilation _compilation;
    private readonly Dictionary<SyntaxTree, SemanticModel> _models = [];
    private readonly HashSet<SyntaxNode> _expressions = [];
    private readonly HashSet<ISymbol> _members = new(SymbolEqualityComparer.Default);
    private readonly HashSet<ISymbol> _parameters = new(SymbolEqualityComparer.Default);

    internal ThrownTexts(Compilation compilation)
    {
        _compilation = compilation;
        SyntaxNode[] nodes = [.. compilation.SyntaxTrees.SelectMany(t => t.GetRoot().DescendantNodes())];
        foreach (SyntaxNode node in nodes.Where(IsMadeException))
            foreach (ArgumentSyntax argument in ArgumentsOf(node)) Take(argument.Expression);
        for (int known = -1; known != _parameters.Count + _members.Count;) // a text goes through several hands
        {
            known = _parameters.Count + _members.Count;
            foreach (ArgumentSyntax argument in nodes.SelectMany(ArgumentsOf).Where(a => Parameter(a) is { } p && _parameters.Contains(p)))
                Take(argument.Expression);
            foreach (ExpressionSyntax given in nodes.OfType<ExpressionSyntax>().Where(e => IsGivenBack(e) && MemberOf(e) is { } m && _members.Contains(m)))
                Take(given);
        }
    }

    internal bool IsThrown(ExpressionSyntax root) => _expressions.Contains(root);

    private SemanticModel ModelOf(SyntaxNode node)
    {
        if (!_models.TryGetValue(node.SyntaxTree, out SemanticModel? model)) _models[node.SyntaxTree] = model = _compilation.GetSemanticModel(node.SyntaxTree);
        return model;
    }

    private static IEnumerable<ArgumentSyntax> ArgumentsOf(SyntaxNode node) => node switch
    {
        BaseObjectCreationExpressionSyntax made => made.ArgumentList?.Arguments ?? [],
        ConstructorInitializerSyntax first => first.ArgumentList.Arguments,
        PrimaryConstructorBaseTypeSyntax first => first.ArgumentList.Arguments,
        InvocationExpressionSyntax call => call.ArgumentList.Arguments,
        _ => [],
    };

    private bool IsMadeException(SyntaxNode node) => node switch
    {
        BaseObjectCreationExpressionSyntax => IsException(ModelOf(node).GetTypeInfo(node).Type),
        ConstructorInitializerSyntax => IsException(ModelOf(node).GetSymbolInfo(node).Symbol?.ContainingType),
        PrimaryConstructorBaseTypeSyntax first => IsException(ModelOf(node).GetTypeInfo(first.Type).Type),
        _ => false,
    };

    private static bool IsException(ITypeSymbol? type)
    {
        for (; type is not null; type = type.BaseType)
            if (type.ToDisplayString() == "System.Exception") return true;
        return false;
    }

    private IParameterSymbol? Parameter(ArgumentSyntax argument)
    {
        if (argument.Parent?.Parent is not { } call || ModelOf(call).GetSymbolInfo(call).Symbol is not IMethodSymbol method) return null;
        if (argument.NameColon is { } named) return method.OriginalDefinition.Parameters.FirstOrDefault(p => p.Name == named.Name.Identifier.Text);
        int place = ((BaseArgumentListSyntax)argument.Parent).Arguments.IndexOf(argument);
        return place < method.OriginalDefinition.Parameters.Length ? method.OriginalDefinition.Parameters[place] : null;
    }

    private void Take(ExpressionSyntax expression)
    {
        _expressions.Add(expression);
        switch (expression)
        {
            case ParenthesizedExpressionSyntax inner: Take(inner.Expression); break;
            case ConditionalExpressionSyntax either: Take(either.WhenTrue); Take(either.WhenFalse); break;
            case BinaryExpressionSyntax other when other.IsKind(SyntaxKind.CoalesceExpression): Take(other.Left); Take(other.Right); break;
            case SwitchExpressionSyntax choice: foreach (SwitchExpressionArmSyntax arm in choice.Arms) Take(arm.Expression); break;
            case IdentifierNameSyntax or MemberAccessExpressionSyntax or InvocationExpressionSyntax:
                Follow(ModelOf(expression).GetSymbolInfo(expression).Symbol);
                break;
        }
    }

    private void Follow(ISymbol? symbol)
    {
        switch (symbol)
        {
            case IParameterSymbol { Type.SpecialType: SpecialType.System_String } parameter: _parameters.Add(parameter.OriginalDefinition); break;
            case IMethodSymbol { ReturnType.SpecialType: SpecialType.System_String } or IPropertySymbol { Type.SpecialType: SpecialType.System_String }
                or IFieldSymbol { Type.SpecialType: SpecialType.System_String } or ILocalSymbol { Type.SpecialType: SpecialType.System_String }:
                _members.Add(symbol.OriginalDefinition);
                break;
        }
    }

    private static bool IsGivenBack(ExpressionSyntax expression) =>
        expression.Parent is ArrowExpressionClauseSyntax or ReturnStatementSyntax or EqualsValueClauseSyntax;

    private ISymbol? MemberOf(ExpressionSyntax expression)
    {
        if (expression.Parent is EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax or PropertyDeclarationSyntax } value)
            return ModelOf(value).GetDeclaredSymbol(value.Parent!);
        SyntaxNode? member = expression.Ancestors().FirstOrDefault(
            a => a is MethodDeclarationSyntax or LocalFunctionStatementSyntax or PropertyDeclarationSyntax or LambdaExpressionSyntax);
        return member is null or LambdaExpressionSyntax ? null : ModelOf(member).GetDeclaredSymbol(member);
    }
}
