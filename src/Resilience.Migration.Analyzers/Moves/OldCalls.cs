using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Calls through policies of Polly v7.</summary>
internal sealed class OldCalls(MoveScope scope) : Move(scope)
{
    internal ExpressionSyntax? Call(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        if (method.Name is not ("Execute" or "ExecuteAsync"))
            return Leave(MigrationRules.Policies, method.Name.StartsWith("ExecuteAndCapture", StringComparison.Ordinal)
            ? "TryExecute gives an Outcome: IsSuccess, Value and Exception" : OptionNames.WhyNot(method));
        if (method.Parameters.Any(static p => p.Type.Name is "Context" or "IDictionary" or "Boolean"))
            return Leave(MigrationRules.Policies, "what the context carried goes into CallOptions, its key into Operation");
        SeparatedSyntaxList<ArgumentSyntax> said = node.ArgumentList.Arguments;
        if (node.Expression is not MemberAccessExpressionSyntax access || said.Count == 0)
            return Leave(MigrationRules.Policies, "this form of a call is not known");
        bool isAsync = method.Name == "ExecuteAsync";
        bool takesToken = (method.Parameters[0].Type as INamedTypeSymbol)?.DelegateInvokeMethod?.Parameters.Length == 1;
        ExpressionSyntax callback = said[0].Expression;
        if (!isAsync && callback is LambdaExpressionSyntax { AsyncKeyword.RawKind: not 0 })
            return Leave(MigrationRules.Calls, "the delegate is asynchronous, so nothing that it does later was ever guarded: use ExecuteAsync");
        string handed = !isAsync || takesToken ? Visit(callback).ToFullString().Trim() : callback is ParenthesizedLambdaExpressionSyntax lambda
            ? (lambda.AsyncKeyword.RawKind != 0 ? "async _ => " : "_ => ") + Visit(lambda.Body).ToFullString().Trim()
            : $"_ => {Text(callback)}()";
        string rest = string.Concat(said.Skip(1).Select(a => ", " + Text(a)));
        bool isTask = isAsync && node.Parent is not AwaitExpressionSyntax and not MemberAccessExpressionSyntax { Name.Identifier.ValueText: "ConfigureAwait" };
        return Written($"{Visit(access.Expression).ToFullString().TrimEnd()}.{method.Name}({handed}{rest}){(isTask ? ".AsTask()" : "")}", node);
    }
}
