using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Analyzers;

/// <summary>The types of results for which a rule is written anywhere in the compilation. By name alone, and read only when asked: the pipeline that has
/// the rule may be built in another file than the call.</summary>
internal sealed class ResultRules(Compilation compilation, CancellationToken cancellation)
{
    private readonly Lazy<HashSet<string>> _types = new(() =>
        [.. compilation.SyntaxTrees.SelectMany(t => t.GetRoot(cancellation).DescendantNodes()).OfType<SimpleNameSyntax>()
            .Where(static n => n.Identifier.ValueText is "OnResult" or "OnResultAsync").Select(TypeOf)]);

    /// <summary>A rule whose type is left to the compiler may be for any.</summary>
    internal bool Exist(ITypeSymbol result) => _types.Value.Contains(result.Name) || _types.Value.Contains("");

    private static string TypeOf(SimpleNameSyntax rule) => rule switch
    {
        GenericNameSyntax generic => LastNameOf(generic.TypeArgumentList.Arguments[0]),
        _ => ((rule.Parent?.Parent as InvocationExpressionSyntax)?.ArgumentList.Arguments.FirstOrDefault()?.Expression as ParenthesizedLambdaExpressionSyntax)
            ?.ParameterList.Parameters.FirstOrDefault()?.Type is { } type ? LastNameOf(type) : "",
    };

    private static string LastNameOf(TypeSyntax type) => type switch
    {
        PredefinedTypeSyntax predefined => predefined.Keyword.ValueText switch
        {
            "string" => "String",
            "int" => "Int32",
            "bool" => "Boolean",
            "object" => "Object",
            _ => "",
        },
        QualifiedNameSyntax qualified => qualified.Right.Identifier.ValueText,
        SimpleNameSyntax name => name.Identifier.ValueText,
        NullableTypeSyntax nullable => LastNameOf(nullable.ElementType),
        _ => "",
    };
}
