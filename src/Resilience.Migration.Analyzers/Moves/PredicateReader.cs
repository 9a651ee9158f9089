using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Reads what a strategy handles: a builder of predicates, a switch over the outcome, a lambda over exception and result.</summary>
internal sealed class PredicateReader(Func<SyntaxTree, SemanticModel> models, CancellationToken cancellation)
{
    /// <summary>Null where it cannot be said as rules of a classifier.</summary>
    internal IReadOnlyList<HandledOutcome>? Read(ExpressionSyntax predicate) => predicate switch
    {
        LambdaExpressionSyntax lambda => OfLambda(lambda),
        InvocationExpressionSyntax chain => OfChain(chain),
        BaseObjectCreationExpressionSyntax => [],
        _ => null,
    };

    /// <summary>The calls of a chain, from its root on: <c>Handle</c>, <c>Or</c>, <c>HandleResult</c> and their like.</summary>
    internal IReadOnlyList<HandledOutcome>? OfChain(InvocationExpressionSyntax last)
    {
        List<HandledOutcome> handled = [];
        for (SyntaxNode at = last; at is InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax access } call; at = access.Expression)
        {
            string method = access.Name.Identifier.ValueText;
            if (method == "Build") continue;
            if (SymbolOf(call) is not IMethodSymbol symbol || OfCall(method, symbol, call) is not { } one) return null;
            handled.InsertRange(0, one);
        }

        return handled;
    }

    private IReadOnlyList<HandledOutcome>? OfCall(string method, IMethodSymbol symbol, InvocationExpressionSyntax call)
    {
        ExpressionSyntax? condition = call.ArgumentList.Arguments.FirstOrDefault()?.Expression;
        string? type = symbol.TypeArguments.FirstOrDefault()?.ToMinimalDisplayString(models(call.SyntaxTree), call.SpanStart);
        ITypeSymbol? exception = symbol.TypeArguments.FirstOrDefault();
        switch (method)
        {
            case "Handle" or "Or" when exception is not null && Theirs.Own(exception):
                return OfTheirs(exception, condition);
            case "Handle" or "Or":
                return condition is null ? [new(false, type!, null, null)] : Applied(condition, type!) is { } test
                    ? [new(false, type!, test.Parameter, test.Condition)] : null;
            case "HandleInner" or "OrInner":
                // The exception itself, or one inside of it.
                return condition is not null ? null
                    : [new(false, "$Exception", "error", $"error is {type} or {{ InnerException: {type} or {{ InnerException: {type} }} }}")];
            case "HandleResult" or "OrResult":
                string of = ResultOf(symbol)?.ToMinimalDisplayString(models(call.SyntaxTree), call.SpanStart) ?? "";
                if (condition is null || of.Length == 0) return null;
                if (symbol.Parameters.LastOrDefault()?.Type.TypeKind == TypeKind.Delegate)
                    return Applied(condition, of) is { } result ? [new(true, of, result.Parameter, result.Condition)] : null;
                return [new(true, of, "result", $"Equals(result, {condition})")];
            case "HandleTransientHttpError" or "OrTransientHttpError" or "OrTransientHttpStatusCode":
                return [
                    .. method == "OrTransientHttpStatusCode" ? [] : new HandledOutcome[] { new(false, "System.Net.Http.HttpRequestException", null, null) },
                    new(true, "System.Net.Http.HttpResponseMessage", "response", "(int)response.StatusCode is >= 500 or 408"),
                ];
            default:
                return null;
        }
    }

    private ISymbol? SymbolOf(SyntaxNode node) => Theirs.SymbolOf(models(node.SyntaxTree), node, cancellation);

    private static ITypeSymbol? ResultOf(IMethodSymbol symbol) =>
        symbol.TypeArguments.FirstOrDefault() ?? symbol.ContainingType.TypeArguments.FirstOrDefault() ?? (symbol.Parameters
            .FirstOrDefault()?.Type as INamedTypeSymbol)?.TypeArguments.FirstOrDefault();

    /// <summary>What a time limit ended is a failure like any other. What a layer inside rejected is none: a policy that handles it says so itself.</summary>
    private static IReadOnlyList<HandledOutcome>? OfTheirs(ITypeSymbol exception, ExpressionSyntax? condition)
    {
        if (condition is LambdaExpressionSyntax never && Given(never) is LiteralExpressionSyntax { RawKind: (int)SyntaxKind.FalseLiteralExpression }) return [];
        if (condition is not null || Theirs.NameOf(exception) is not { } ours) return null;
        return exception.Name == "TimeoutRejectedException"
            ? [new(false, "§" + ours.Name, null, null)]
            : exception.Name == "ExecutionRejectedException"
            ? [HandledOutcome.OfRejection("§ResilienceException"), new(false, "§TimedOutException", null, null)]
            : [HandledOutcome.OfRejection("§" + ours.Name)];
    }

    /// <summary>What a lambda gives that does nothing else.</summary>
    private static ExpressionSyntax? Given(LambdaExpressionSyntax lambda) => lambda.ExpressionBody
        ?? (lambda.Block?.Statements.Count == 1 ? (lambda.Block.Statements[0] as ReturnStatementSyntax)?.Expression : null);

    /// <summary>A condition of one parameter, as text: that of a lambda, or a call of what is named.</summary>
    private (string Parameter, string Condition)? Applied(ExpressionSyntax condition, string type)
    {
        if (condition is LambdaExpressionSyntax lambda)
        {
            string? parameter = (lambda as SimpleLambdaExpressionSyntax)?.Parameter.Identifier.ValueText
                ?? (lambda as ParenthesizedLambdaExpressionSyntax)?.ParameterList.Parameters.FirstOrDefault()?.Identifier.ValueText;
            if (parameter is null || lambda.AsyncKeyword.RawKind != 0 || InOurs(lambda.Body) is not { } body) return null;
            return lambda.Body is ExpressionSyntax ? (parameter, body) : (parameter, $"new System.Func<{type}, bool>({parameter} => {body})({parameter})");
        }

        // What may hold another delegate later would be asked instead of the one that stood there when the policy was made.
        return SymbolOf(condition) is IMethodSymbol or IParameterSymbol or ILocalSymbol or IFieldSymbol { IsReadOnly: true }
            ? ("item", condition + "(item)") : null;
    }

    /// <summary>The text with the exceptions of ours in the place of theirs; null where it names more of theirs, or asks for a rejection, which no rule
    /// is asked about: to exclude one is to leave it as it is.</summary>
    private string? InOurs(SyntaxNode body)
    {
        SimpleNameSyntax[] named = [.. body.DescendantNodesAndSelf().OfType<SimpleNameSyntax>().Where(n => Theirs.Own(SymbolOf(n)))];
        if (!named.All(n => SymbolOf(n) is INamedTypeSymbol type && type.Name.EndsWith("Exception", StringComparison.Ordinal) && Theirs.NameOf(type) is not null
            && (type.Name == "TimeoutRejectedException" || IsExcluded(n)))) return null;
        return body.ReplaceNodes(
            named.Select(static n => n.Parent is QualifiedNameSyntax or MemberAccessExpressionSyntax ? n.Parent : (SyntaxNode)n),
            (original, _) => SyntaxFactory.IdentifierName("§" + Theirs.NameOf((INamedTypeSymbol)SymbolOf(original)!)!.Value.Name).WithTriviaFrom(original))
            .ToString();
    }

    private static bool IsExcluded(SyntaxNode name) => name.Ancestors().TakeWhile(static a => a is not LambdaExpressionSyntax)
        .Count(static a => a is UnaryPatternSyntax or PrefixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.LogicalNotExpression }) == 1
        && !name.Ancestors().TakeWhile(static a => a is not LambdaExpressionSyntax).Any(static a => a is ConditionalExpressionSyntax or BinaryPatternSyntax
            or IsPatternExpressionSyntax { Parent: BinaryExpressionSyntax { RawKind: (int)SyntaxKind.LogicalOrExpression } });

    private List<HandledOutcome>? OfLambda(LambdaExpressionSyntax lambda)
    {
        string? parameter = (lambda as SimpleLambdaExpressionSyntax)?.Parameter.Identifier.ValueText
            ?? (lambda as ParenthesizedLambdaExpressionSyntax)?.ParameterList.Parameters.FirstOrDefault()?.Identifier.ValueText;
        ExpressionSyntax? body = Given(lambda);
        if (parameter is null || body is null || lambda.AsyncKeyword.RawKind != 0) return null;
        ITypeSymbol? result = ((SymbolOf(lambda) as IMethodSymbol)?.Parameters
            .FirstOrDefault()?.Type as INamedTypeSymbol)?.TypeArguments.FirstOrDefault();
        string? of = result is null || result.SpecialType == SpecialType.System_Object
            ? null : result.ToMinimalDisplayString(models(lambda.SyntaxTree), lambda.SpanStart);
        if (body is SwitchExpressionSyntax choice) return choice.GoverningExpression.ToString() == parameter + ".Outcome" ? OfSwitch(choice, of) : null;
        if (Unwrapped(body) is not { } condition) return null;
        List<HandledOutcome> handled = [];
        foreach (ExpressionSyntax part in Parts(condition))
        {
            string text = part.ToString();
            string exception = text.Replace(parameter + ".Outcome.Exception", "error"), outcome = text.Replace(parameter + ".Outcome.Result", "result");
            bool speaksOfError = exception != text, speaksOfResult = outcome != text;
            if (speaksOfError == speaksOfResult || (speaksOfResult && of is null)) return null;
            string rest = speaksOfError ? exception : outcome;
            if (System.Text.RegularExpressions.Regex.IsMatch(rest, $"\\b{parameter}\\b") || part.DescendantNodes().OfType<TypeSyntax>().Any(t =>
                SymbolOf(t) is INamedTypeSymbol named && Theirs.Own(named))) return null;
            handled.Add(speaksOfError ? new(false, "$Exception", "error", rest) : new(true, of!, "result", rest));
        }

        return handled;
    }

    private static IEnumerable<ExpressionSyntax> Parts(ExpressionSyntax condition) => condition switch
    {
        BinaryExpressionSyntax { RawKind: (int)SyntaxKind.LogicalOrExpression } or => Parts(or.Left).Concat(Parts(or.Right)),
        ParenthesizedExpressionSyntax parentheses => Parts(parentheses.Expression),
        _ => [condition],
    };

    /// <summary>The condition inside of <c>new ValueTask&lt;bool&gt;(…)</c> or <c>ValueTask.FromResult(…)</c>.</summary>
    private static ExpressionSyntax? Unwrapped(ExpressionSyntax value) => value switch
    {
        InvocationExpressionSyntax
        {
            Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "FromResult" },
            ArgumentList.Arguments: { Count: 1 } one
        } => one[0].Expression,
        BaseObjectCreationExpressionSyntax { ArgumentList.Arguments: { Count: 1 } one } => one[0].Expression,
        _ => null,
    };

    private List<HandledOutcome>? OfSwitch(SwitchExpressionSyntax choice, string? result)
    {
        List<HandledOutcome> handled = [];
        foreach (SwitchExpressionArmSyntax arm in choice.Arms)
        {
            bool? answer = Answer(arm.Expression);
            if (answer is null || arm.WhenClause is not null) return null;
            if (arm.Pattern is DiscardPatternSyntax) return answer == false ? handled : null;
            if (answer == false || arm.Pattern is not RecursivePatternSyntax { Type: null, PropertyPatternClause.Subpatterns: { Count: 1 } parts }) return null;
            MemberAccessExpressionSyntax? deeper = parts[0].ExpressionColon?.Expression as MemberAccessExpressionSyntax;
            string? name = parts[0].NameColon?.Name.Identifier.ValueText ?? deeper?.Expression.ToString();
            string? member = deeper?.Name.ToString();
            if (parts[0].Pattern.DescendantNodesAndSelf().OfType<SimpleNameSyntax>().Any(n => Theirs.Own(SymbolOf(n))))
                return null;
            string pattern = member is null ? parts[0].Pattern.ToString() : $"{{ {member}: {parts[0].Pattern} }}";
            if (name == "Exception") handled.Add(new(false, "$Exception", "error", "error is " + pattern));
            else if (name == "Result" && result is not null) handled.Add(new(true, result, "result", "result is " + pattern));
            else return null;
        }

        return null;
    }

    private static bool? Answer(ExpressionSyntax value) => value.ToString() switch
    {
        "PredicateResult.True()" or "ValueTask.FromResult(true)" or "new ValueTask<bool>(true)" or "new(true)" or "true" => true,
        "PredicateResult.False()" or "ValueTask.FromResult(false)" or "new ValueTask<bool>(false)" or "new(false)" or "false" => false,
        _ => null,
    };
}
