using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;

namespace Resilience.Analyzers;

/// <summary>What a pipeline was made with, where that can be read in the class that calls it.</summary>
internal sealed class Making
{
    private static readonly string[] Judged = ["AddRetry", "AddCircuitBreaker", "AddHedging", "AddFallback"];

    private readonly HashSet<string> _names;

    private Making(string name, IEnumerable<SyntaxNode> code)
    {
        Name = name;
        SyntaxNode[] parts = [.. code];
        Text = string.Join("\n", parts.Select(static p => p.ToString()));
        _names = [.. parts.SelectMany(static p => p.DescendantNodesAndSelf()).OfType<SimpleNameSyntax>().Select(static n => n.Identifier.ValueText)];
    }

    /// <summary>Of the field, property or local that holds the pipeline; "pipeline" where it has none.</summary>
    internal string Name { get; }

    internal string Text { get; }

    /// <summary>Does it repeat a call?</summary>
    internal bool Repeats => Names("AddRetry") || Names("AddHedging");

    /// <summary>Does anything in it ask what an outcome means?</summary>
    internal bool IsAsked => Judged.Any(Names);

    /// <summary>Has it rules of its own for results, or at least for those of this type?</summary>
    internal bool Judges(ITypeSymbol result) => Names("OnResult") || Names("OnResultAsync") || Names("Classifier") || Names("ShouldHandle")
        || (result.Name == "HttpResponseMessage" && (Names("Http") || Names("HttpClassifier")));

    internal bool Names(string name) => _names.Contains(name);

    /// <summary>Null when it cannot be seen, or may be something else by the time of the call.</summary>
    internal static Making? Of(IInvocationOperation execution, CancellationToken cancellation)
    {
        ISymbol? holder = execution.Instance switch
        {
            IFieldReferenceOperation { Field: { IsReadOnly: true } field } => field,
            IPropertyReferenceOperation { Property: { IsReadOnly: true } property } => property,
            ILocalReferenceOperation local => local.Local,
            _ => null,
        };
        if (holder is null) return execution.Instance is IInvocationOperation { TargetMethod.Name: "Build" } built ? new("pipeline", [built.Syntax]) : null;
        SyntaxNode? declaration = holder.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax(cancellation);
        ExpressionSyntax? made = declaration switch
        {
            VariableDeclaratorSyntax variable => variable.Initializer?.Value,
            PropertyDeclarationSyntax property => property.Initializer?.Value ?? property.ExpressionBody?.Expression,
            _ => null,
        };
        made ??= declaration is null ? null : InConstructor(declaration, holder.Name);
        return made is null ? null : new(holder.Name, [made, .. OfBuilder(made)]);
    }

    private static ExpressionSyntax? InConstructor(SyntaxNode declaration, string name)
    {
        ExpressionSyntax[] set =
        [
            .. (declaration.FirstAncestorOrSelf<TypeDeclarationSyntax>()?.Members.OfType<ConstructorDeclarationSyntax>() ?? [])
                .SelectMany(static c => c.DescendantNodes()).OfType<AssignmentExpressionSyntax>()
                .Where(a => NameSet(a.Left) == name).Select(static a => a.Right),
        ];
        return set.Length == 1 ? set[0] : null;
    }

    private static string? NameSet(ExpressionSyntax target) => target switch
    {
        IdentifierNameSyntax name => name.Identifier.ValueText,
        MemberAccessExpressionSyntax { Expression: ThisExpressionSyntax } member => member.Name.Identifier.ValueText,
        _ => null,
    };

    /// <summary>The statements that speak of the builder, where the pipeline is built by one that is held in a local.</summary>
    private static IEnumerable<SyntaxNode> OfBuilder(ExpressionSyntax made)
    {
        ExpressionSyntax root = made;
        while (root is InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax access }) root = access.Expression;
        if (root is not IdentifierNameSyntax builder || Code.FunctionOf(made) is not { } function) return [];
        return function.DescendantNodes().OfType<StatementSyntax>()
            .Where(s => s is ExpressionStatementSyntax or LocalDeclarationStatementSyntax
                && s.DescendantTokens().Any(t => t.ValueText == builder.Identifier.ValueText));
    }
}
