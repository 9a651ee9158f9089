using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>The methods of Polly v8: strategies that are added, calls that are made, registrations.</summary>
internal sealed class StrategyMove(
    MoveScope scope, Units units, OptionsMove options, Func<InvocationExpressionSyntax, InvocationExpressionSyntax> visitParts) : Move(scope)
{
    private static readonly string[] Reactive = ["AddRetry", "AddCircuitBreaker", "AddFallback", "AddHedging"];

    /// <summary>Reads, before anything is written, what the strategies of each builder handle.</summary>
    internal void Collect(SyntaxNode root)
    {
        foreach (InvocationExpressionSyntax call in root.DescendantNodes().OfType<InvocationExpressionSyntax>())
        {
            if (call.Expression is not MemberAccessExpressionSyntax access || !Reactive.Contains(access.Name.Identifier.ValueText)) continue;
            if (SymbolOf(call) is not IMethodSymbol method || !Theirs.Own(method)) continue;
            if (Units.Around(call) is not { } around || units.At(around) is not { } unit) continue;
            BaseObjectCreationExpressionSyntax? made = call.ArgumentList.Arguments.FirstOrDefault()?.Expression as BaseObjectCreationExpressionSyntax;
            IReadOnlyList<HandledOutcome>? handled = options.HandledBy(made);
            if (handled is null)
                unit.Stay(MigrationRules.Predicates, UnreadPredicate);
            else if (KeyOf(RootOf(access.Expression)) is not { } key)
                unit.Stay(MigrationRules.Pipelines, "its builder comes from elsewhere, so it is not known what else is added to it");
            else
                Scope.FactsOf(key).Add(handled);
        }
    }

    internal ExpressionSyntax? Strategy(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        switch (method.Name)
        {
            case "AddRetry" or "AddCircuitBreaker" or "AddTimeout" or "AddFallback" or "AddPipeline" or "AddRateLimiter":
                Scope.Names.UseExtension(method.Name);
                return Chained(node);
            case "AddConcurrencyLimiter" when method.Parameters.Any(static p => p.Name == "permitLimit"):
                SeparatedSyntaxList<ArgumentSyntax> said = node.ArgumentList.Arguments;
                string queued = said.Count > 1 ? $", MaxQueued = {Text(said[1].Expression)}, MaxWait = $TimeSpan.FromDays(1)" : "";
                string places = Text(said[0].Expression);
                return Written($"{Receiver(node)}.AddConcurrencyLimit(new §ConcurrencyLimitOptions {{ MaxConcurrent = {places}{queued} }})", node);
            case "Build" or "GetPipeline" or "TryGetPipeline":
                return visitParts(node);
            case "Execute" or "ExecuteAsync":
                return Call(node, method);
            case "ExecuteOutcomeAsync":
                return Leave(MigrationRules.Calls, "TryExecuteAsync takes a delegate that returns or throws, and no outcome made by hand");
            default:
                return Leave(Theirs.RuleOf(method), OptionNames.WhyNot(method));
        }
    }

    /// <summary>The rules come before the first policy that is added to a builder which was handed in.</summary>
    private InvocationExpressionSyntax Chained(InvocationExpressionSyntax node)
    {
        InvocationExpressionSyntax visited = visitParts(node);
        if (node.Expression is not MemberAccessExpressionSyntax { Expression: IdentifierNameSyntax root }) return visited;
        if (SymbolOf(root) is not IParameterSymbol parameter || ClassifyFor(parameter) is not { Length: > 0 } rules)
            return visited;
        ExpressionSyntax classified = Written(root.Identifier.ValueText + rules, node).WithTriviaFrom(root);
        return visited.WithExpression(((MemberAccessExpressionSyntax)visited.Expression).WithExpression(classified));
    }

    private ExpressionSyntax? Call(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        if (method.Parameters.Any(static p => p.Type.Name == "ResilienceContext"))
            return Leave(MigrationRules.Calls, "a context is not made and returned here: hand CallOptions with the name and the properties");
        ExpressionSyntax? callback = node.ArgumentList.Arguments.FirstOrDefault()?.Expression;
        if (method.Name == "Execute" && callback is LambdaExpressionSyntax { AsyncKeyword.RawKind: not 0 })
            return Leave(MigrationRules.Calls, "the delegate is asynchronous, so nothing that it does later was ever guarded: use ExecuteAsync");
        InvocationExpressionSyntax visited = visitParts(node);

        // A state without a token: ours hands both.
        bool isStateAlone = method.Parameters.Any(static p => p.Name == "state") && callback is SimpleLambdaExpressionSyntax;
        if (!isStateAlone) return visited;
        SimpleLambdaExpressionSyntax lambda = (SimpleLambdaExpressionSyntax)visited.ArgumentList.Arguments[0].Expression;
        ExpressionSyntax both = Written($"({lambda.Parameter.Identifier.ValueText}, _) => {lambda.Body}", node);
        return visited.WithArgumentList(visited.ArgumentList.WithArguments(visited.ArgumentList.Arguments.Replace(visited.ArgumentList.Arguments[0],
            visited.ArgumentList.Arguments[0].WithExpression(both))));
    }

    internal ExpressionSyntax? Registration(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        SeparatedSyntaxList<ArgumentSyntax> said = node.ArgumentList.Arguments;
        if (method.Name != "AddResiliencePipeline" || said.Count != 2)
            return Leave(MigrationRules.Registrations, OptionNames.WhyNot(method));
        if (method.TypeArguments.FirstOrDefault() is { SpecialType: not SpecialType.System_String })
            return Leave(MigrationRules.Registrations, "pipelines are named by strings: say which name each key has");
        if (said[1].Expression is not LambdaExpressionSyntax configure || ParameterOf(configure) is null)
            return Leave(MigrationRules.Registrations,
                "what the context of the registration gives (options, services, reloads) comes from settings or from the services of AddPipeline");
        string typed = method.TypeArguments.Length > 1 ? "<" + method.TypeArguments[1].ToMinimalDisplayString(Scope.Model, node.SpanStart) + ">" : "";
        string back = node.Parent is ExpressionStatementSyntax or LambdaExpressionSyntax ? "" : ".Services";
        return Written($"{Receiver(node)}.AddResilience().AddPipeline{typed}({Text(said[0])}, {Text(configure)}){back}", node);
    }
}
