using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Reads what a strategy handles: a builder of predicates, a switch over the outcome, a lambda over exception and result.</summary>
internal sealed class PredicateReader(SemanticModel model, CancellationToken cancellation)
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
            if (model.GetSymbolInfo(call, cancellation).Symbol is not IMethodSymbol symbol || OfCall(method, symbol, call) is not { } one) return null;
            handled.InsertRange(0, one);
        }

        return handled;
    }

    private IReadOnlyList<HandledOutcome>? OfCall(string method, IMethodSymbol symbol, InvocationExpressionSyntax call)
    {
        ExpressionSyntax? condition = call.ArgumentList.Arguments.FirstOrDefault()?.Expression;
        string? type = symbol.TypeArguments.FirstOrDefault()?.ToMinimalDisplayString(model, call.SpanStart);
        ITypeSymbol? exception = symbol.TypeArguments.FirstOrDefault();
        switch (method)
        {
            case "Handle" or "Or" when exception is not null && Theirs.Own(exception):
                // What a layer inside rejected is not repeated here unless one says so; a timeout is a failure like any other.
                return condition is null && exception.Name == "TimeoutRejectedException" ? [new(false, "§TimedOutException", null, null)] : null;
            case "Handle" or "Or":
                return condition is null ? [new(false, type!, null, null)] : Applied(condition) is { } test
                    ? [new(false, type!, test.Parameter, test.Condition)] : null;
            case "HandleInner" or "OrInner":
                // The exception itself, or one inside of it.
                return condition is not null ? null
                    : [new(false, "$Exception", "error", $"error is {type} or {{ InnerException: {type} or {{ InnerException: {type} }} }}")];
            case "HandleResult" or "OrResult":
                string of = ResultOf(symbol)?.ToMinimalDisplayString(model, call.SpanStart) ?? "";
                if (condition is null || of.Length == 0) return null;
                if (condition is LambdaExpressionSyntax || model.GetSymbolInfo(condition, cancellation).Symbol is IMethodSymbol)
                    return Applied(condition) is { } result ? [new(true, of, result.Parameter, result.Condition)] : null;
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

    private static ITypeSymbol? ResultOf(IMethodSymbol symbol) =>
        symbol.TypeArguments.FirstOrDefault() ?? symbol.ContainingType.TypeArguments.FirstOrDefault() ?? (symbol.Parameters
            .FirstOrDefault()?.Type as INamedTypeSymbol)?.TypeArguments.FirstOrDefault();

    /// <summary>A condition of one parameter, as text: that of a lambda of one expression, or a call of the method that is named.</summary>
    private (string Parameter, string Condition)? Applied(ExpressionSyntax condition) => condition switch
    {
        SimpleLambdaExpressionSyntax { ExpressionBody: { } body } lambda when !Mentions(body) => (lambda.Parameter.Identifier.ValueText, body.ToString()),
        ParenthesizedLambdaExpressionSyntax { ExpressionBody: { } body, ParameterList.Parameters.Count: 1 } lambda when !Mentions(body) =>
            (lambda.ParameterList.Parameters[0].Identifier.ValueText, body.ToString()),
        _ when model.GetSymbolInfo(condition, cancellation).Symbol is IMethodSymbol => ("item", condition + "(item)"),
        _ => null,
    };

    private bool Mentions(SyntaxNode body) => body.DescendantNodesAndSelf().OfType<SimpleNameSyntax>().Any(n =>
        Theirs.Own(model.GetSymbolInfo(n, cancellation).Symbol));

    private List<HandledOutcome>? OfLambda(LambdaExpressionSyntax lambda)
    {
        string? parameter = (lambda as SimpleLambdaExpressionSyntax)?.Parameter.Identifier.ValueText
            ?? (lambda as ParenthesizedLambdaExpressionSyntax)?.ParameterList.Parameters.FirstOrDefault()?.Identifier.ValueText;
        ExpressionSyntax? body = lambda.ExpressionBody ?? (lambda.Block?.Statements.Count == 1
            ? (lambda.Block.Statements[0] as ReturnStatementSyntax)?.Expression : null);
        if (parameter is null || body is null || lambda.AsyncKeyword.RawKind != 0) return null;
        ITypeSymbol? result = ((model.GetSymbolInfo(lambda, cancellation).Symbol as IMethodSymbol)?.Parameters
            .FirstOrDefault()?.Type as INamedTypeSymbol)?.TypeArguments.FirstOrDefault();
        string? of = result is null || result.SpecialType == SpecialType.System_Object ? null : result.ToMinimalDisplayString(model, lambda.SpanStart);
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
                model.GetSymbolInfo(t, cancellation).Symbol is INamedTypeSymbol named && Theirs.Own(named))) return null;
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
            if (parts[0].Pattern.DescendantNodesAndSelf().OfType<SimpleNameSyntax>().Any(n => Theirs.Own(model.GetSymbolInfo(n, cancellation).Symbol)))
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
