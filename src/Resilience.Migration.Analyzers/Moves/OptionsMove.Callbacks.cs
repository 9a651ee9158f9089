using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <content>Callbacks that end without having awaited anything become synchronous ones; delegates that compute a value lose the task around it.</content>
internal sealed partial class OptionsMove
{
    private static string? AttemptMembers(string member) => member switch
    {
        "AttemptNumber" => "attempt.Number",
        "RetryDelay" => "delay",
        "Outcome.Exception" => "attempt.Exception",
        "Outcome.Result" => "attempt.Result",
        "Context.CancellationToken" => "attempt.Context.CancellationToken",
        "Context.OperationKey" => "attempt.Context.Operation",
        "Context.Properties.Set" => "attempt.Context.Set",
        "Context.Properties.GetValue" => "attempt.Context.GetValue",
        "Context.Properties.TryGetValue" => "attempt.Context.TryGet",
        _ => null,
    };

    private static string? ChangeMembers(string member) => member switch
    {
        "Outcome.Exception" => "change.LastException",
        "BreakDuration" => "change.BreakDuration.GetValueOrDefault()",
        _ => null,
    };

    private static string? FallbackMembers(string member) => member is "Outcome.Exception" ? "failed.Outcome.Exception" : null;

    /// <summary>The lambda with other parameters and no value; null where it awaits, gives something that is not done, or reads what we do not tell.</summary>
    internal string? Callback(ExpressionSyntax value, string parameters, Func<string, string?> members)
    {
        if (value is not LambdaExpressionSyntax lambda || lambda.AsyncKeyword.RawKind != 0 || Throws(lambda)) return null;
        if (ParameterOf(lambda) is not { } parameter) return null;
        string head = parameters.Contains(",") ? $"({parameters}) => " : parameters + " => ";
        if (lambda.Modifiers.Any(SyntaxKind.StaticKeyword)) head = "static " + head;
        if (lambda.ExpressionBody is { } expression) return IsDone(expression) ? head + "{ }" : null;
        if (lambda.Block is not { } block || Renamed(block, parameter, members) is not BlockSyntax renamed) return null;
        return WithoutReturns(renamed) is { } done ? head + done : null;
    }

    /// <summary>A callback that awaits, or gives a task that may not be done: as one of ours that is awaited.</summary>
    private string? Awaited(ExpressionSyntax value, string parameters, Func<string, string?> members)
    {
        if (value is not LambdaExpressionSyntax lambda || Throws(lambda) || ParameterOf(lambda) is not { } parameter) return null;
        bool isAsync = lambda.AsyncKeyword.RawKind != 0;
        if (!isAsync && lambda.ExpressionBody is null) return null;
        return Renamed(lambda.Body, parameter, members) is { } body ? $"{(isAsync ? "async " : "")}{parameters} => {body}" : null;
    }

    /// <summary>What a callback throws ends the call there, and is counted and swallowed here.</summary>
    internal static bool Throws(SyntaxNode body) => body.DescendantNodesAndSelf().Any(static n =>
        n is ThrowStatementSyntax or ThrowExpressionSyntax || n is IdentifierNameSyntax { Identifier.ValueText: "ExceptionDispatchInfo" });

    /// <summary>A block that only returns tasks that are done, returning nothing; null where it returns others.</summary>
    internal static BlockSyntax? WithoutReturns(BlockSyntax block)
    {
        ReturnStatementSyntax[] returns = [.. block.DescendantNodes(static n => n is not AnonymousFunctionExpressionSyntax).OfType<ReturnStatementSyntax>()];
        if (returns.Any(static r => r.Expression is null || !IsDone(r.Expression))) return null;
        block = block.ReplaceNodes(returns, static (_, r) => r.WithExpression(null).WithReturnKeyword(r.ReturnKeyword.WithTrailingTrivia()));
        return block.Statements.LastOrDefault() is ReturnStatementSyntax last ? block.WithStatements(block.Statements.Remove(last)) : block;
    }

    /// <summary>The lambda whose value was a completed task, with the value itself.</summary>
    private string? Computed(ExpressionSyntax value, Func<string, string?> members, string name, params string[] wrappers)
    {
        if (value is not LambdaExpressionSyntax lambda || lambda.AsyncKeyword.RawKind != 0 || ParameterOf(lambda) is not { } parameter) return null;
        ExpressionSyntax? body = lambda.ExpressionBody
            ?? (lambda.Block?.Statements.Count == 1 ? (lambda.Block.Statements[0] as ReturnStatementSyntax)?.Expression : null);
        if (body is null || Inside(body, wrappers) is not { } inside || Renamed(inside, parameter, members) is not { } renamed) return null;
        return $"{name} => {renamed}";
    }

    private static ExpressionSyntax? Inside(ExpressionSyntax value, string[] wrappers)
    {
        ExpressionSyntax? inside = value switch
        {
            InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax access, ArgumentList.Arguments: { Count: 1 } one }
                when access.Name.Identifier.ValueText == "FromResult" || wrappers.Contains(access.Name.Identifier.ValueText) => one[0].Expression,
            BaseObjectCreationExpressionSyntax { ArgumentList.Arguments: { Count: 1 } one } => one[0].Expression,
            _ => null,
        };
        bool isWrappedAgain = wrappers.Length > 0 && inside is InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax again }
            && again.Expression.ToString() == "Outcome" && wrappers.Contains(again.Name.Identifier.ValueText);
        return isWrappedAgain ? Inside(inside!, wrappers) : inside;
    }

    internal static bool IsDone(ExpressionSyntax value) =>
        value.ToString() is "default" or "default(ValueTask)" or "ValueTask.CompletedTask" or "new ValueTask()" or "new()" or "Task.CompletedTask";

    /// <summary>The node in which the arguments of theirs are those of ours; null where it reads one that we do not tell.</summary>
    private SyntaxNode? Renamed(SyntaxNode node, string parameter, Func<string, string?> members)
    {
        Dictionary<SyntaxNode, SyntaxNode> replaced = [];
        foreach (IdentifierNameSyntax use in node.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>().Where(n => n.Identifier.ValueText == parameter))
        {
            if (SymbolOf(use) is not IParameterSymbol) continue;
            ExpressionSyntax at = use;
            string path = "";
            string? ours = null;
            while (ours is null && at.Parent is MemberAccessExpressionSyntax access && access.Expression == at)
            {
                path += (path.Length == 0 ? "" : ".") + access.Name.Identifier.ValueText;
                at = access;
                ours = members(path);
            }

            if (ours is null) return null;
            if (path == "Outcome.Result" && TypeOf(at) is { SpecialType: not SpecialType.System_Object } type)
                ours = $"(({type.ToMinimalDisplayString(Scope.Model, at.SpanStart)})attempt.Result!)";
            replaced[at] = SyntaxFactory.ParseExpression(ours).WithTriviaFrom(at);
        }

        bool namesTheirs = node.DescendantNodesAndSelf().OfType<SimpleNameSyntax>().Any(n =>
            SymbolOf(n) is INamedTypeSymbol type
            && Theirs.Own(type) && !replaced.Keys.Any(k => k.Span.Contains(n.Span)));
        return namesTheirs ? null : node.ReplaceNodes(replaced.Keys, (original, _) => replaced[original]);
    }
}
