using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Contexts of Polly v8 that a program makes, fills and hands to a call, and their properties.</summary>
internal sealed class ContextMove(MoveScope scope, Func<InvocationExpressionSyntax, InvocationExpressionSyntax> visitParts) : Move(scope)
{
    private const string ByHand = "a context is not made and returned here: hand CallOptions, or a PreparedCall, with the name and the properties";
    private const string Keys = "a property is one ResilienceProperty in a field, whatever its name: two of the same name are two";

    internal static bool Takes(IMethodSymbol method) =>
        method.ContainingType.Name is "ResilienceContextPool" or "ResilienceProperties" || HasContext(method);

    private static bool HasContext(IMethodSymbol method) =>
        method.Name is "Execute" or "ExecuteAsync" && method.Parameters.Any(static p => p.Type.Name == "ResilienceContext");

    internal ExpressionSyntax? Call(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        if (HasContext(method)) return Execution(node, method);
        if (method.ContainingType.Name == "ResilienceProperties") return Property(node, method);
        bool isKnown = method.Name == "Get" && method.Parameters.All(static p => p.Type.Name is "String" or "CancellationToken")
            && IsShared(((MemberAccessExpressionSyntax)node.Expression).Expression);
        return isKnown ? Written($"new §PreparedCall({string.Join(", ", node.ArgumentList.Arguments.Select(a => Text(a)))})", node)
            : Leave(MigrationRules.Calls, ByHand);
    }

    /// <summary>Is this a statement that gives a context back? Here it falls away.</summary>
    internal bool IsReturn(ExpressionStatementSyntax statement) => statement.Expression is InvocationExpressionSyntax
    {
        Expression: MemberAccessExpressionSyntax access,
        ArgumentList.Arguments: { Count: 1 } one,
    } call && SymbolOf(call) is IMethodSymbol { Name: "Return", ContainingType.Name: "ResilienceContextPool" } && IsShared(access.Expression)
        && one[0].Expression is IdentifierNameSyntax;

    /// <summary>A key in a readonly field of the type that alone uses it, under a name that no other key of the type has.</summary>
    internal ExpressionSyntax? Key(BaseObjectCreationExpressionSyntax node, INamedTypeSymbol type)
    {
        bool isField = node.Parent is EqualsValueClauseSyntax { Parent: VariableDeclaratorSyntax declared }
            && Scope.Model.GetDeclaredSymbol(declared, Scope.Cancellation) is IFieldSymbol { IsReadOnly: true, DeclaredAccessibility: Accessibility.Private };
        if (!isField || node.ArgumentList?.Arguments is not { Count: 1 } name || name[0].Expression is not LiteralExpressionSyntax literal)
            return Leave(MigrationRules.Calls, Keys);
        TypeDeclarationSyntax owner = node.FirstAncestorOrSelf<TypeDeclarationSyntax>()!;
        bool isOnly = owner.DescendantNodes().OfType<LiteralExpressionSyntax>().Count(l => l.Token.ValueText == literal.Token.ValueText
            && l.Parent?.Parent?.Parent is BaseObjectCreationExpressionSyntax made && TypeOf(made)?.Name == type.Name) == 1;
        bool isMadeHere = owner.DescendantNodes().OfType<IdentifierNameSyntax>().Any(static n => n.Identifier.ValueText == "ResilienceContextPool");
        return isOnly && isMadeHere ? Written($"new §ResilienceProperty{Parameters(type, node)}({literal})", node) : Leave(MigrationRules.Calls, Keys);
    }

    private bool IsShared(ExpressionSyntax pool) => SymbolOf(pool) is IPropertySymbol { Name: "Shared" };

    private ExpressionSyntax? Execution(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        SeparatedSyntaxList<ArgumentSyntax> said = node.ArgumentList.Arguments;
        if (method.Parameters.Length != 2 || said.Count != 2 || said.Any(static a => a.NameColon is not null) || IsTold(said[1].Expression))
            return Leave(MigrationRules.Calls, ByHand);
        if (method.Name == "Execute" && said[0].Expression is LambdaExpressionSyntax { AsyncKeyword.RawKind: not 0 })
            return Leave(MigrationRules.Calls, "the delegate is asynchronous, so nothing that it does later was ever guarded: use ExecuteAsync");
        Scope.Names.UseExtension("Execute with a prepared call");
        InvocationExpressionSyntax visited = visitParts(node);
        return visited.Expression is MemberAccessExpressionSyntax { Name: GenericNameSyntax } access // the result says which it is
            ? visited.WithExpression(access.WithName(SyntaxFactory.IdentifierName(method.Name))) : visited;
    }

    /// <summary>Inside of a call its context has the properties; before it, what the call is prepared with.</summary>
    private ExpressionSyntax? Property(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        if (node.Expression is not MemberAccessExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Properties" } of })
            return Leave(MigrationRules.Calls, ByHand);
        string? name = IsTold(of.Expression) ? NameInside(method) : method.Name == "Set" ? "Properties.With" : null;
        if (name is null) return Leave(MigrationRules.Calls, "what a call has set on its context stays with the call: keep it in a variable");
        if (name == "GetValue") Scope.Names.UseExtension("GetValue of a property");
        string arguments = string.Join(", ", node.ArgumentList.Arguments.Select(a => Text(a)));
        return Written($"{Visit(of.Expression).ToFullString().TrimEnd()}.{name}({arguments})", node);
    }

    internal static string? NameInside(IMethodSymbol method) => method.Name switch
    {
        "Set" or "GetValue" => method.Name,
        "TryGetValue" => "TryGet",
        _ => null,
    };

    /// <summary>The context that a delegate of theirs is told.</summary>
    private bool IsTold(ExpressionSyntax context) => SymbolOf(context) switch
    {
        IParameterSymbol { ContainingSymbol: IMethodSymbol { MethodKind: MethodKind.LambdaMethod } } => true,
        IPropertySymbol property => Theirs.Own(property),
        _ => false,
    };
}
