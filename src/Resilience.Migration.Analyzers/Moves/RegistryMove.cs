using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Registries of Polly v7: pipelines by name.</summary>
internal sealed class RegistryMove(MoveScope scope, Func<InvocationExpressionSyntax, InvocationExpressionSyntax> visitParts) : Move(scope)
{
    internal static bool Takes(IMethodSymbol method) => method.ContainingType.Name.EndsWith("PolicyRegistry", StringComparison.Ordinal);

    /// <summary>Which of them is named by the type that is asked for there, and by the type of the result here.</summary>
    internal ExpressionSyntax? Call(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        string? name = method.Name switch
        {
            "Add" or "TryAdd" => method.Name,
            "Get" => "GetPipeline",
            "TryGet" => "TryGetPipeline",
            "ContainsKey" => "Contains",
            _ => null,
        };
        if (name is null || node.Expression is MemberAccessExpressionSyntax { Expression: BaseExpressionSyntax })
            return Leave(MigrationRules.Policies, OptionNames.WhyNot(method));
        InvocationExpressionSyntax visited = visitParts(node);
        bool isAsked = name is "GetPipeline" or "TryGetPipeline";
        string result = isAsked && method.TypeArguments.FirstOrDefault() is INamedTypeSymbol policy && policy.TypeArguments.FirstOrDefault() is { } of
            ? "<" + of.ToMinimalDisplayString(Scope.Model, node.SpanStart) + ">" : "";
        if (isAsked && method.TypeArguments.FirstOrDefault() is not INamedTypeSymbol)
            return Leave(MigrationRules.Policies, "it is not known which type of result the pipeline has that is asked for");
        string receiver = visited.Expression is MemberAccessExpressionSyntax access ? access.Expression.ToFullString() + "." : "";
        return Written($"{receiver}{name}{result}{visited.ArgumentList}", node);
    }
}
