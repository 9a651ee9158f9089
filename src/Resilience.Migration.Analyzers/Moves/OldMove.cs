using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Policies of Polly v7, and calls through them.</summary>
internal sealed partial class OldMove(MoveScope scope, Units units) : Move(scope)
{
    private const string UnknownInside =
        "an outcome is judged once, by the outermost pipeline, and what this policy handles is not known here: build one that adds all, outermost first";

    private const int MaxDepth = 8; // of policies in policies

    private readonly OldDelegates _delegates = new(scope);
    private readonly OldWaits _waits = new(scope, new(scope));

    internal static bool Makes(IMethodSymbol method) => IsWrap(method)
        || method.ContainingType.Name.EndsWith("Syntax", StringComparison.Ordinal) || (method.IsStatic && method.ContainingType.Name == "Policy");

    private static bool IsWrap(IMethodSymbol method) => method.Name is "Wrap" or "WrapAsync";

    private static string NameOf(IMethodSymbol method) =>
        method.Name.EndsWith("Async", StringComparison.Ordinal) ? method.Name.Substring(0, method.Name.Length - 5) : method.Name;

    /// <summary>Reads, before anything is written, what the policies handle, and which stand in which.</summary>
    internal void Collect(SyntaxNode root)
    {
        foreach (InvocationExpressionSyntax call in root.DescendantNodes().OfType<InvocationExpressionSyntax>())
        {
            if (SymbolOf(call) is not IMethodSymbol { ContainingAssembly.Name: "Polly" } method || !Makes(method)) continue;
            if (Units.Around(call) is not { } around || units.At(around) is not { } unit) continue;
            switch (NameOf(method))
            {
                case "Wrap":
                    if (!IsSeparate(call, method))
                    {
                        foreach (ExpressionSyntax operand in Operands(call, method)) AddInside(Scope.FactsOf(call), operand);
                    }
                    else if (IsTyped(method))
                    {
                        unit.Stay(MigrationRules.Policies, UnknownInside);
                    }

                    break;
                case "Timeout":
                    Scope.FactsOf(call).Timeouts++;
                    break;
                case "Retry" or "RetryForever" or "WaitAndRetry" or "WaitAndRetryForever" or "CircuitBreaker" or "AdvancedCircuitBreaker" or "Fallback":
                    if (HandledBy(call) is { Count: > 0 } handled) Scope.FactsOf(call).Add(handled);
                    else unit.Stay(MigrationRules.Policies, UnreadPredicate);
                    break;
            }
        }
    }

    /// <summary>The policy becomes a part of what the facts are of; false where it is not known what makes it.</summary>
    internal bool AddInside(BuilderFacts facts, ExpressionSyntax policy)
    {
        if (!IsKnown(policy, MaxDepth)) return false;
        foreach (InvocationExpressionSyntax maker in Scope.Makers.Of(policy)!) facts.AddInside(Scope.FactsOf(maker));
        return true;
    }

    /// <summary>Is it known of each policy in it what it handles?</summary>
    private bool IsKnown(ExpressionSyntax policy, int depth) => depth > 0 && Scope.Makers.Of(policy) is { } made && made.All(maker =>
        SymbolOf(maker) is IMethodSymbol method && Makes(method) && AreInOneType(maker, policy)
        && (!IsWrap(method) || Operands(maker, method).All(o => IsKnown(o, depth - 1))));

    /// <summary>Where it is not known, each of those that are wrapped judges by itself, as it does there.</summary>
    private bool IsSeparate(InvocationExpressionSyntax call, IMethodSymbol method) => !Operands(call, method).All(o => IsKnown(o, MaxDepth));

    private static bool IsTyped(IMethodSymbol method) => (method.ReturnType as INamedTypeSymbol)?.TypeArguments.Length > 0;

    /// <summary>The policies that are wrapped, outermost first.</summary>
    private static IEnumerable<ExpressionSyntax> Operands(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        IEnumerable<ExpressionSyntax> given = node.ArgumentList.Arguments.Select(static a => a.Expression);
        return method.IsStatic && method.ReducedFrom is null ? given : given.Prepend(((MemberAccessExpressionSyntax)node.Expression).Expression);
    }

    internal ExpressionSyntax? Policy(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        if (!Makes(method) || Part(node) is not { } part) return null;
        string typed = (method.ReturnType as INamedTypeSymbol)?.TypeArguments.FirstOrDefault() is { } result
            ? "<" + result.ToMinimalDisplayString(Scope.Model, node.SpanStart) + ">" : "";
        return Written($"new §ResiliencePipelineBuilder{typed}(){RulesOf(node)}{part}.Build()", node);
    }

    /// <summary>What has to be a failure where these facts hold.</summary>
    internal string RulesOf(object key) => Scope.KnownOf(key) is { IsReactive: true } facts ? $".Classify({HandledOutcome.ToRules(facts.Union)})" : "";

    /// <summary>A policy as calls on a builder that has the rules: its own strategy where it is made in place, else as a pipeline inside. Null where it
    /// has been said why not.</summary>
    internal string? Part(ExpressionSyntax policy)
    {
        if (policy is not InvocationExpressionSyntax call || SymbolOf(call) is not IMethodSymbol method || !Theirs.Own(method) || !Makes(method))
            return $".AddPipeline({Text(policy)})";
        if (!IsWrap(method)) return Strategy(call, method);
        string parts = "";
        bool isSeparate = IsSeparate(call, method);
        foreach (ExpressionSyntax operand in Operands(call, method))
        {
            if (isSeparate)
            {
                parts += $".AddSeparatePipeline({Text(operand)})";
                continue;
            }

            if (Part(operand) is not { } part) return null;
            parts += part;
        }

        return parts;
    }

    private string? Strategy(InvocationExpressionSyntax node, IMethodSymbol method)
    {
        Dictionary<string, ExpressionSyntax> given = ArgumentsOf(node, method);
        return NameOf(method) switch
        {
            "Retry" or "RetryForever" or "WaitAndRetry" or "WaitAndRetryForever" => Retry(node, method, given),
            "CircuitBreaker" or "AdvancedCircuitBreaker" => Breaker(node, given),
            "Timeout" => Timeout(method, given),
            "Bulkhead" => Bulkhead(given),
            "Fallback" => Fallback(node, method, given),
            "NoOp" => "",
            _ => Unknown(OptionNames.WhyNot(method)),
        };
    }

    private string? Unknown(string problem)
    {
        Scope.Current!.Stay(MigrationRules.Policies, problem);
        return null;
    }

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

    /// <summary>What a policy says of itself where it handles less than those around it.</summary>
    private string? Narrowed(InvocationExpressionSyntax node, string told, string exception = "Exception", string result = "Result") =>
        HandledBy(node) is { } handled && Scope.KnownOf(node)?.IsNarrower(handled) == true
            ? $"{told} => {HandledOutcome.ToCondition(handled, $"{told}.{exception}", $"{told}.{result}")}" : null;

    private string? Breaker(InvocationExpressionSyntax node, Dictionary<string, ExpressionSyntax> given)
    {
        List<string> members = [];
        foreach (KeyValuePair<string, ExpressionSyntax> one in given)
        {
            string? member = one.Key switch
            {
                "exceptionsAllowedBeforeBreaking" or "handledEventsAllowedBeforeBreaking" => "FailureRatio = null, ConsecutiveFailures",
                "failureThreshold" => "FailureRatio",
                "samplingDuration" => "SamplingDuration",
                "minimumThroughput" => "MinimumCalls",
                "durationOfBreak" => "BreakDuration",
                _ => null,
            };
            if (member is not null) members.Add($"{member} = {Text(one.Value)}");
        }

        if (given.Any(static g => g.Key.StartsWith("on", StringComparison.Ordinal)))
        {
            if (OnChange(node, given) is not { } told)
                return Unknown("the callbacks of a circuit are one, OnChange, that is told the state before and after: this one reads more, or throws");
            members.Add("OnChange = " + told);
        }

        if (Narrowed(node, Unused("attempt", "failedAttempt", node)) is { } narrowed) members.Add("ShouldCount = " + narrowed);
        return $".AddCircuitBreaker(new §CircuitBreakerOptions {{ {string.Join(", ", members)}, "
            + "MaxBreakDuration = $TimeSpan.FromDays(1), BreakGrowth = 1, BreakJitter = 0 })";
    }

    /// <summary>The callbacks by the state that the circuit has come to.</summary>
    private string? OnChange(InvocationExpressionSyntax node, Dictionary<string, ExpressionSyntax> given)
    {
        string change = Unused("change", "circuit", node), all = "";
        foreach ((string name, string state) in new[] { ("onBreak", "Open"), ("onReset", "Closed"), ("onHalfOpen", "HalfOpen") })
        {
            if (!given.TryGetValue(name, out ExpressionSyntax? told)) continue;
            string? body = _delegates.StatementOf(told, p => p.Type.Name switch
            {
                "Exception" => $"{change}.LastException!",
                "TimeSpan" => $"{change}.BreakDuration.GetValueOrDefault()",
                _ => null,
            }, outcome: null);
            if (body is null) return null;
            all += (all.Length == 0 ? "" : " ") + $"if ({change}.To == §CircuitState.{state}) {body}";
        }

        return $"{change} => {{ {all} }}";
    }

    private string? Timeout(IMethodSymbol method, Dictionary<string, ExpressionSyntax> given)
    {
        string strategy = given.TryGetValue("timeoutStrategy", out ExpressionSyntax? said) ? said.ToString() : "Optimistic";
        bool isAbandoned = strategy.EndsWith("Pessimistic", StringComparison.Ordinal);
        if (given.Keys.Any(static k => k.StartsWith("on", StringComparison.Ordinal)))
            return Unknown("a timeout is told as the event CallTimedOut, by builder.OnEvent");
        if ((!isAbandoned && !strategy.EndsWith("Optimistic", StringComparison.Ordinal)) || (isAbandoned && method.Name == "Timeout"))
            return Unknown("a synchronous delegate that ignores its token cannot be left alone here: give it the token");
        string? time = given.TryGetValue("timeout", out ExpressionSyntax? span) ? Text(span)
            : given.TryGetValue("seconds", out ExpressionSyntax? seconds) ? $"$TimeSpan.FromSeconds({Text(seconds)})" : null;
        if (time is not null)
            return isAbandoned ? $".AddTimeout(new §TimeoutOptions {{ Timeout = {time}, AbandonAfter = $TimeSpan.Zero }})" : $".AddTimeout({time})";
        return given.TryGetValue("timeoutProvider", out ExpressionSyntax? provider) && !isAbandoned
            && _delegates.Given(provider, static _ => null, outcome: null) is { IsExpression: true } computed
            ? $".AddTimeout(new §TimeoutOptions {{ TimeoutFor = _ => {computed.Text} }})"
            : Unknown("a time that is computed for each call is TimeoutFor");
    }

    private string? Bulkhead(Dictionary<string, ExpressionSyntax> given)
    {
        if (given.Keys.Any(static k => k.StartsWith("on", StringComparison.Ordinal)) || !given.TryGetValue("maxParallelization", out ExpressionSyntax? places))
            return Unknown("a rejection is told as the event LimitReached, by builder.OnEvent");
        string queue = given.TryGetValue("maxQueuingActions", out ExpressionSyntax? queued)
            ? $", MaxQueued = {Text(queued)}, MaxWait = $TimeSpan.FromDays(1)" : "";
        return $".AddConcurrencyLimit(new §ConcurrencyLimitOptions {{ MaxConcurrent = {Text(places)}{queue} }})";
    }

    /// <summary>A value, or a delegate that makes one; what was told before is done first.</summary>
    private string? Fallback(InvocationExpressionSyntax node, IMethodSymbol method, Dictionary<string, ExpressionSyntax> given)
    {
        const string ByHand = "a fallback is a value, or a delegate that makes one, of FallbackOptions: this one reads more than ours is told";
        if ((method.ReturnType as INamedTypeSymbol)?.TypeArguments.FirstOrDefault() is not { } result || given.Count != 1) return Unknown(ByHand);
        string type = result.ToMinimalDisplayString(Scope.Model, node.SpanStart), failed = Unused("failed", "replaced", node);
        string? member = null;
        if (given.TryGetValue("fallbackValue", out ExpressionSyntax? value))
        {
            member = "Value = " + Text(value);
        }
        else if (given.TryGetValue("fallbackAction", out ExpressionSyntax? action) && _delegates.Given(
            action, p => p.Type.Name == "CancellationToken" ? failed + ".Context.CancellationToken" : null, outcome: null) is { } made)
        {
            member = made.IsAsync ? $"Call = async {failed} => {made.Text}"
                : made.IsExpression ? $"Call = {failed} => new System.Threading.Tasks.ValueTask<{type}>({made.Text})" : null;
        }

        if (member is null) return Unknown(ByHand);
        if (Narrowed(node, failed, "Outcome.Exception", "Outcome.Value") is { } narrowed) member += ", ShouldHandle = " + narrowed;
        return $".AddFallback(new §FallbackOptions<{type}> {{ {member} }})";
    }
}
