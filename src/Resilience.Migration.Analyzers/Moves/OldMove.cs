using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Policies of Polly v7, and calls through them.</summary>
internal sealed class OldMove(MoveScope scope) : Move(scope)
{
    internal static bool Makes(IMethodSymbol method) =>
        method.ContainingType.Name.EndsWith("Syntax", StringComparison.Ordinal) || (method.IsStatic && method.ContainingType.Name == "Policy");

    internal ExpressionSyntax? Policy(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        if (Strategy(node, method) is not { } strategy) return null;
        string typed = (method.ReturnType as INamedTypeSymbol)?.TypeArguments.FirstOrDefault() is { } result
            ? "<" + result.ToMinimalDisplayString(Scope.Model, node.SpanStart) + ">" : "";
        return Written($"new §ResiliencePipelineBuilder{typed}(){strategy}.Build()", node);
    }

    /// <summary>The rules and the policy, as calls on a builder; null where it has been said why not.</summary>
    internal string? Strategy(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        string name = method.Name.EndsWith("Async", StringComparison.Ordinal) ? method.Name.Substring(0, method.Name.Length - 5) : method.Name;
        SeparatedSyntaxList<ArgumentSyntax> said = node.ArgumentList.Arguments;
        string? policy = name switch
        {
            "Retry" or "RetryForever" or "WaitAndRetry" or "WaitAndRetryForever" => Retry(name, method, said),
            "CircuitBreaker" when said.Count == 2 =>
                Breaker($"FailureRatio = null, ConsecutiveFailures = {Text(said[0].Expression)}, BreakDuration = {Text(said[1].Expression)}"),
            "AdvancedCircuitBreaker" when said.Count == 4 => Breaker(
                $"FailureRatio = {Text(said[0].Expression)}, SamplingDuration = {Text(said[1].Expression)}, "
                + $"MinimumCalls = {Text(said[2].Expression)}, BreakDuration = {Text(said[3].Expression)}"),
            "Timeout" => Timeout(method, said),
            "Bulkhead" when said.Count <= 2 && said.All(static a => a.Expression is not LambdaExpressionSyntax) =>
                ".AddConcurrencyLimit(new §ConcurrencyLimitOptions { MaxConcurrent = "
                + Text(said[0].Expression) + (said.Count > 1 ? $", MaxQueued = {Text(said[1].Expression)}, MaxWait = $TimeSpan.FromDays(1)" : "") + " })",
            "NoOp" => "",
            "Wrap" => Unknown("policies that are wrapped share one classifier here: build one pipeline that adds them, outermost first"),
            "CircuitBreaker" or "AdvancedCircuitBreaker" => Unknown("the callbacks of a circuit are one, OnChange, that is told the state before and after"),
            _ => Unknown(OptionNames.WhyNot(method)),
        };
        if (policy is null || name is "Timeout" or "Bulkhead" or "NoOp") return policy;
        if (HandledBy(node) is not { Count: > 0 } handled)
            return Unknown(UnreadPredicate);
        return $".Classify({HandledOutcome.ToRules(handled)}){policy}";
    }

    private string? Unknown(string problem)
    {
        Scope.Current!.Stay(MigrationRules.Policies, problem);
        return null;
    }

    private static string Breaker(string members) =>
        $".AddCircuitBreaker(new §CircuitBreakerOptions {{ {members}, MaxBreakDuration = $TimeSpan.FromDays(1), BreakGrowth = 1, BreakJitter = 0 }})";

    /// <summary>The chain before the policy, down to <c>Policy.Handle</c>; in <c>AddTransientHttpErrorPolicy</c> its root stands for errors of HTTP.</summary>
    private IReadOnlyList<HandledOutcome>? HandledBy(InvocationExpressionSyntax node)
    {
        if (node.Expression is not MemberAccessExpressionSyntax { Expression: var before }) return null;
        ExpressionSyntax root = RootOf(before);
        bool isTransient = SymbolOf(root) is IParameterSymbol { Type.Name: "PolicyBuilder" };
        bool isWhole = isTransient || SymbolOf(root) is INamedTypeSymbol;
        if (!isWhole) return null;
        IReadOnlyList<HandledOutcome>? said = before is InvocationExpressionSyntax chain ? Scope.Predicates.OfChain(chain) : [];
        return said is null ? null : isTransient ? [.. HandledOutcome.TransientHttp, .. said] : said;
    }

    private string? Retry(string name, IMethodSymbol method, SeparatedSyntaxList<ArgumentSyntax> said)
    {
        List<string> members = [];
        ExpressionSyntax? told = null;
        int next = 0;
        if (name.EndsWith("Forever", StringComparison.Ordinal)) members.Add("MaxRetries = §RetryOptions.Unlimited");
        else if (method.Parameters.Any(static p => p.Name == "retryCount"))
            members.Add("MaxRetries = " + (said.Count > 0 && said[0].Expression is not LambdaExpressionSyntax ? Text(said[next++].Expression) : "1"));
        if (name.StartsWith("WaitAnd", StringComparison.Ordinal))
        {
            ExpressionSyntax waits = said[next++].Expression;
            string? member = method.Parameters.Any(static p => p.Name == "sleepDurations") ? Waits(waits, members) : Wait(waits);
            if (member is null) return Unknown("the waits come from elsewhere: give them as RetryAfter, or as BaseDelay with a BackoffKind");
            members.Add(member);
        }
        else
        {
            members.Add("BaseDelay = $TimeSpan.Zero");
        }

        if (next < said.Count) told = said[next++].Expression;
        if (next < said.Count) return Unknown("more than one callback");
        if (told is not null)
        {
            if (OnRetry(told, isWaiting: name.StartsWith("WaitAnd", StringComparison.Ordinal)) is not { } callback)
                return Unknown("decide what to do with this callback: ours is synchronous, and is told the attempt and the wait");
            members.Add("OnRetry = " + callback);
        }

        members.Add("BackoffKind = §BackoffKind.Constant, Jitter = §BackoffJitter.None, Budget = §RetryBudget.Unlimited");
        return $".AddRetry(new §RetryOptions {{ {string.Join(", ", members)} }})";
    }

    private string? Waits(ExpressionSyntax waits, List<string> members)
    {
        IEnumerable<ExpressionSyntax>? all = waits switch
        {
            ArrayCreationExpressionSyntax { Initializer: { } i } => i.Expressions,
            ImplicitArrayCreationExpressionSyntax { Initializer: { } i } => i.Expressions,
            CollectionExpressionSyntax list when list.Elements.All(static e => e is ExpressionElementSyntax) =>
                list.Elements.Cast<ExpressionElementSyntax>().Select(static e => e.Expression),
            _ => null,
        };
        if (all?.ToArray() is not { Length: > 0 } each) return null;
        members.Add("MaxRetries = " + each.Length);
        string arms = string.Join(", ", each.Take(each.Length - 1).Select((e, i) => $"{i} => {Text(e)}").Append("_ => " + Text(each[each.Length - 1])));
        return each.Length == 1 ? "BaseDelay = " + Text(each[0])
            : $"BaseDelay = $TimeSpan.Zero, RetryAfter = attempt => attempt.Number switch {{ {arms} }}, MaxRetryAfter = $TimeSpan.FromDays(1)";
    }

    private static string? Wait(ExpressionSyntax waits)
    {
        if (waits is not LambdaExpressionSyntax { ExpressionBody: { } body } lambda || lambda.AsyncKeyword.RawKind != 0) return null;
        string? number = FirstOf(lambda);
        if (number is null || UsesOther(lambda, number)) return null;
        if (Regex.IsMatch(body.ToString(), @"^TimeSpan\.(Zero|From\w+\([\d._]+\))$")) return "BaseDelay = " + body;
        SyntaxNode of = body.ReplaceNodes(
            body.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>().Where(n => n.Identifier.ValueText == number),
            static (_, n) => SyntaxFactory.ParseExpression("(attempt.Number + 1)").WithTriviaFrom(n));
        return $"BaseDelay = $TimeSpan.Zero, RetryAfter = attempt => {of}, MaxRetryAfter = $TimeSpan.FromDays(1)";
    }

    private static string? FirstOf(LambdaExpressionSyntax lambda) => (lambda as SimpleLambdaExpressionSyntax)?.Parameter.Identifier.ValueText
        ?? (lambda as ParenthesizedLambdaExpressionSyntax)?.ParameterList.Parameters.FirstOrDefault()?.Identifier.ValueText;

    private static bool UsesOther(LambdaExpressionSyntax lambda, string allowed) =>
        lambda is ParenthesizedLambdaExpressionSyntax several && several.ParameterList.Parameters
        .Select(static p => p.Identifier.ValueText).Where(p => p != allowed && p != "_")
        .Any(p => lambda.Body.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>().Any(n => n.Identifier.ValueText == p));

    /// <summary>What is told by type: the failure, the wait, the number of the retry, which begins with 1 there.</summary>
    private string? OnRetry(ExpressionSyntax told, bool isWaiting)
    {
        if (told is not ParenthesizedLambdaExpressionSyntax lambda || lambda.AsyncKeyword.RawKind != 0) return null;
        if (SymbolOf(lambda) is not IMethodSymbol { ReturnsVoid: true } symbol) return null;
        Dictionary<string, string> by = [];
        foreach (IParameterSymbol parameter in symbol.Parameters)
        {
            string? ours = parameter.Type.Name switch
            {
                "Exception" => "attempt.Exception!",
                "TimeSpan" when isWaiting => "delay",
                "Int32" => "(attempt.Number + 1)",
                "DelegateResult" => "",
                _ => null,
            };
            if (ours is not null) by[parameter.Name] = ours;
            else if (lambda.Body.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>().Any(n => n.Identifier.ValueText == parameter.Name)) return null;
        }

        List<(SyntaxNode Old, string Text)> replaced = [];
        foreach (IdentifierNameSyntax use in lambda.Body.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>())
        {
            if (!by.TryGetValue(use.Identifier.ValueText, out string? text) || SymbolOf(use) is not IParameterSymbol) continue;
            if (text.Length > 0) replaced.Add((use, text));
            else if (use.Parent is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Exception" } failed) replaced.Add((failed, "attempt.Exception"));
            else if (use.Parent is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Result" } result
                && TypeOf(result) is { } type)
                replaced.Add((result, $"(({type.ToMinimalDisplayString(Scope.Model, use.SpanStart)})attempt.Result!)"));
            else return null;
        }

        SyntaxNode body = lambda.Body.ReplaceNodes(replaced.Select(static r => r.Old), (old, now) =>
            SyntaxFactory.ParseExpression(replaced.First(r => r.Old == old).Text).WithTriviaFrom(now));
        return "(attempt, delay) => " + body;
    }

    private string? Timeout(IMethodSymbol method, SeparatedSyntaxList<ArgumentSyntax> said)
    {
        if (said.Count == 0 || said.Count > 2 || (said.Count == 2 && !said[1].Expression.ToString().EndsWith(".Optimistic", StringComparison.Ordinal)))
            return Unknown("a delegate that ignores its token is left alone by AbandonAfter, and a timeout is told as the event CallTimedOut");
        return method.Parameters[0].Type.Name switch
        {
            "TimeSpan" => $".AddTimeout({Text(said[0].Expression)})",
            "Int32" => $".AddTimeout($TimeSpan.FromSeconds({Text(said[0].Expression)}))",
            _ => Unknown("a time that is computed for each call is TimeoutFor"),
        };
    }

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
