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
            if (call.Expression is not MemberAccessExpressionSyntax access) continue;
            string name = access.Name.Identifier.ValueText;
            if (!Reactive.Contains(name) && name is not "AddTimeout" and not "AddPipeline") continue;
            if (SymbolOf(call) is not IMethodSymbol method || !Theirs.Own(method)) continue;
            if (Units.Around(call) is not { } around || units.At(around) is not { } unit) continue;
            if (!Reactive.Contains(name))
            {
                if (KeyOf(RootOf(access.Expression)) is not { } whole) continue;
                if (name == "AddTimeout") Scope.FactsOf(whole).Timeouts++;
                else if (!AddInside(Scope.FactsOf(whole), call.ArgumentList.Arguments[0].Expression))
                    unit.Stay(MigrationRules.Pipelines, "it is not known what the pipeline inside handles: build one that adds the policies of both");
                continue;
            }

            ReadOptions(call, access, unit);
        }
    }

    /// <summary>What the options handle, wherever they are made.</summary>
    private void ReadOptions(InvocationExpressionSyntax call, MemberAccessExpressionSyntax access, Unit unit)
    {
        if (call.ArgumentList.Arguments.FirstOrDefault()?.Expression is not { } said || Scope.Makers.OptionsOf(said) is not { Count: > 0 } made)
        {
            unit.Stay(MigrationRules.Pipelines, "it is not known where these options are made, and so what they handle");
            return;
        }

        IReadOnlyList<HandledOutcome>?[] handled = [.. made.Select(options.HandledBy)];
        bool isOne = handled.All(h => h is not null && HandledOutcome.AreSame(h, handled[0]!));
        bool isWrittenHere = made[0] == said || ReferenceEquals(handled[0], HandledOutcome.Default) || made.All(m => AreInOneType(m, said));
        if (handled[0] is not { } first || !isOne || !isWrittenHere)
        {
            unit.Stay(MigrationRules.Predicates, UnreadPredicate);
        }
        else if (KeyOf(RootOf(access.Expression)) is not { } key)
        {
            unit.Stay(MigrationRules.Pipelines, "its builder comes from elsewhere, so it is not known what else is added to it");
        }
        else
        {
            Scope.FactsOf(key).Add(first);
            foreach (BaseObjectCreationExpressionSyntax one in made) Scope.Use(one, key);
        }
    }

    /// <summary>An outcome is judged by the outermost pipeline, so what one inside handles has to be known.</summary>
    private bool AddInside(BuilderFacts facts, ExpressionSyntax pipeline)
    {
        if (Scope.Makers.Of(pipeline) is not { } made) return false;
        foreach (InvocationExpressionSyntax build in made)
        {
            if (build.Expression is not MemberAccessExpressionSyntax { Name.Identifier.ValueText: "Build" } built) return false;
            if (!AreInOneType(build, pipeline)) return false;
            ExpressionSyntax root = RootOf(built.Expression);
            if (SymbolOf(root) is IParameterSymbol || KeyOf(root) is not { } key) return false;
            facts.AddInside(Scope.FactsOf(key));
        }

        return true;
    }

    internal ExpressionSyntax? Strategy(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        switch (method.Name)
        {
            case "AddTimeout" when ToldOf(node) is { } told:
                return Listened(node, told);
            case "AddRetry" or "AddCircuitBreaker" or "AddTimeout" or "AddFallback" or "AddHedging" or "AddPipeline" or "AddRateLimiter":
                Scope.Names.UseExtension(method.Name);
                return Chained(node);
            case "AddConcurrencyLimiter" when method.Parameters.Any(static p => p.Name == "permitLimit"):
                SeparatedSyntaxList<ArgumentSyntax> said = node.ArgumentList.Arguments;
                string queued = said.Count > 1 ? $", MaxQueued = {Text(said[1].Expression)}, MaxWait = $TimeSpan.FromDays(1)" : "";
                string places = Text(said[0].Expression);
                return Written($"{Receiver(node)}.AddConcurrencyLimit(new §ConcurrencyLimitOptions {{ MaxConcurrent = {places}{queued} }})", node);
            case "Build" or "GetPipeline" or "TryGetPipeline":
                return visitParts(node);
            case "TryAddBuilder" or "GetOrAddPipeline":
                return Kept(node, method);
            case "Execute" or "ExecuteAsync":
                return Call(node, method);
            case "ExecuteOutcomeAsync":
                return Leave(MigrationRules.Calls, "TryExecuteAsync takes a delegate that returns or throws, and no outcome made by hand");
            default:
                return Leave(Theirs.RuleOf(method), OptionNames.WhyNot(method));
        }
    }

    /// <summary>What is told when the time is up.</summary>
    private static ExpressionSyntax? ToldOf(InvocationExpressionSyntax node) =>
        (node.ArgumentList.Arguments.FirstOrDefault()?.Expression as BaseObjectCreationExpressionSyntax)?.Initializer?.Expressions
            .OfType<AssignmentExpressionSyntax>().FirstOrDefault(static a => a.Left is IdentifierNameSyntax { Identifier.ValueText: "OnTimeout" })?.Right;

    /// <summary>An event of the builder says that the time is up; where there is one time limit, it is meant.</summary>
    private ExpressionSyntax? Listened(InvocationExpressionSyntax node, ExpressionSyntax told)
    {
        string timedOut = Unused("timedOut", "late", node), happened = Unused("happened", "occurred", node);
        bool isOnly = KeyOf(RootOf(((MemberAccessExpressionSyntax)node.Expression).Expression)) is { } key && Scope.KnownOf(key) is { Timeouts: 1 };
        if (!isOnly || options.Callback(told, timedOut, m => m == "Timeout" ? timedOut + ".Timeout" : null) is not { } callback)
            return Leave(MigrationRules.Predicates, "a timeout is told as the event CallTimedOut, by builder.OnEvent");
        string body = callback.Substring(callback.IndexOf("=>", StringComparison.Ordinal) + 2).Trim();
        Scope.Names.UseExtension("AddTimeout");
        InvocationExpressionSyntax visited = Chained(node);
        MemberAccessExpressionSyntax access = (MemberAccessExpressionSyntax)visited.Expression;
        string listener = $"{happened} => {{ if ({happened} is §CallTimedOut {timedOut}) {body} }}";
        return Written($"{access.Expression.ToFullString().TrimEnd()}.OnEvent({listener}).AddTimeout{visited.ArgumentList}", node);
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

    /// <summary>A registry builds what it keeps when it is first asked for; its delegate is given the builder alone.</summary>
    private ExpressionSyntax? Kept(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        SeparatedSyntaxList<ArgumentSyntax> said = node.ArgumentList.Arguments;
        if (said.Count != 2 || node.Expression is not MemberAccessExpressionSyntax access || said[1].Expression is not LambdaExpressionSyntax configure)
            return Leave(MigrationRules.Calls, "what the registry builds is given as a lambda over the builder");
        string? builder = ParameterOf(configure);
        if (configure is ParenthesizedLambdaExpressionSyntax { ParameterList.Parameters: { Count: 2 } both })
        {
            bool usesContext = configure.Body.DescendantNodesAndSelf().OfType<IdentifierNameSyntax>().Any(n =>
                n.Identifier.ValueText == both[1].Identifier.ValueText && SymbolOf(n) is IParameterSymbol);
            builder = usesContext ? null : both[0].Identifier.ValueText;
        }

        if (builder is null)
            return Leave(MigrationRules.Calls, "what the context of the registry gives (reloads, the key) comes from settings of a container");
        string typed = method.TypeArguments.Length == 0 ? "" : "<" + method.TypeArguments[0].ToMinimalDisplayString(Scope.Model, node.SpanStart) + ">";
        string name = method.Name == "TryAddBuilder" ? "TryAdd" : "GetOrAdd", body = Visit(configure.Body).ToFullString().Trim();
        return Written($"{Visit(access.Expression).ToFullString().TrimEnd()}.{name}{typed}({Text(said[0])}, {builder} => {body})", node);
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
