using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>Options and builders: every default of theirs that differs is written out.</summary>
internal sealed partial class OptionsMove(MoveScope scope, ContextMove contexts) : Move(scope)
{
    internal ExpressionSyntax? Created(BaseObjectCreationExpressionSyntax node)
    {
        if (TypeOf(node) is not INamedTypeSymbol type || !Theirs.Own(type)) return null;
        ExpressionSyntax? made = type.Name switch
        {
            "ResiliencePipelineBuilder" => Builder(node, type),
            "RetryStrategyOptions" or "HttpRetryStrategyOptions" => Options(node, "RetryOptions", type, Retry),
            "CircuitBreakerStrategyOptions" or "HttpCircuitBreakerStrategyOptions" => Options(node, "CircuitBreakerOptions", type, Breaker),
            "TimeoutStrategyOptions" or "HttpTimeoutStrategyOptions" => Options(node, "TimeoutOptions", type, Timeout),
            "HedgingStrategyOptions" => Options(node, "HedgingOptions", type, Hedging),
            "FallbackStrategyOptions" => Options(node, "FallbackOptions" + Parameters(type, node), type, Fallback),
            "ResiliencePipelineRegistry" when Theirs.NameOf(type) is not null && node.ArgumentList is null or { Arguments.Count: 0 } =>
                Written("new §ResiliencePipelineRegistry()", node),
            "ResiliencePropertyKey" => contexts.Key(node, type),
            "PolicyRegistry" when node.ArgumentList is null or { Arguments.Count: 0 } => Registry(node),
            _ => Leave(Theirs.RuleOf(type), OptionNames.WhyNot(type)),
        };
        return (made ?? node).WithTriviaFrom(node);
    }

    /// <summary>What it is filled with stays as it is written.</summary>
    private BaseObjectCreationExpressionSyntax Registry(BaseObjectCreationExpressionSyntax node)
    {
        BaseObjectCreationExpressionSyntax made = (BaseObjectCreationExpressionSyntax)Written("new §ResiliencePipelineRegistry()", node);
        if (node.Initializer is not { } initializer) return made;
        SyntaxTriviaList before = node is ObjectCreationExpressionSyntax { ArgumentList: null, Type: { } type } ? type.GetTrailingTrivia()
            : node.ArgumentList?.GetTrailingTrivia() ?? default;
        return made.WithArgumentList(made.ArgumentList!.WithTrailingTrivia(before)).WithInitializer((InitializerExpressionSyntax)Visit(initializer));
    }

    private ExpressionSyntax Builder(BaseObjectCreationExpressionSyntax node, INamedTypeSymbol type)
    {
        string initializer = node.Initializer is null ? "" : " " + InitializerOf(node.Initializer);
        return Written($"new §ResiliencePipelineBuilder{Parameters(type, node)}(){initializer}" + ClassifyFor(KeyOf(node)), node);
    }

    private string InitializerOf(InitializerExpressionSyntax initializer)
    {
        List<string> parts = [];
        foreach (ExpressionSyntax part in initializer.Expressions)
        {
            if (part is not AssignmentExpressionSyntax set || SymbolOf(set.Left) is not { } member)
                return initializer.ToString();
            if (OptionNames.Of(member) is { } name) parts.Add($"{name} = {Text(set.Right)}");
            else Leave(Theirs.RuleOf(member), OptionNames.WhyNot(member));
        }

        return parts.Count == 0 ? "" : "{ " + string.Join(", ", parts) + " }";
    }

    private delegate string? Translate(string member, ExpressionSyntax value, Dictionary<string, string> written);

    /// <summary>Member by member. A translation adds what it writes; null from it: it has said why it cannot.</summary>
    private ExpressionSyntax? Options(BaseObjectCreationExpressionSyntax node, string name, INamedTypeSymbol type, Translate translate)
    {
        Dictionary<string, string> written = new(StringComparer.Ordinal);
        foreach (ExpressionSyntax part in node.Initializer?.Expressions ?? [])
        {
            if (part is not AssignmentExpressionSyntax { Left: IdentifierNameSyntax left } set)
                return Leave(MigrationRules.Pipelines, "these options are filled in a way that is not known");
            if (left.Identifier.ValueText == "ShouldHandle") continue;
            if (translate(left.Identifier.ValueText, set.Right, written) is null && SymbolOf(left) is { } member)
                return Leave(MigrationRules.Predicates, OptionNames.WhyNot(member));
        }

        bool isReactive = !name.StartsWith("Timeout", StringComparison.Ordinal);
        if (isReactive && Scope.UsersOf(node).Count == 0 && !ReferenceEquals(HandledBy(node), HandledOutcome.Default))
            return Leave(MigrationRules.Predicates, "it is not known which builder has these options, and so where to say what they handle");
        AddDefaults(name, written, type.Name.StartsWith("Http", StringComparison.Ordinal));
        if (HandledBy(node)?.Any(static h => h.IsRejection) == true && WhyNotRepeated(node, name, written) is { } problem)
            return Leave(MigrationRules.Predicates, problem);
        if (Narrowed(node, name) is { } narrowed) written[narrowed.Member] = narrowed.Condition;
        return Written($"new §{name} {{ {string.Join(", ", written.Select(static w => w.Key + " = " + w.Value))} }}", node);
    }

    /// <summary>A retry after a rejection waits as long as it said itself; null: it can be repeated.</summary>
    private string? WhyNotRepeated(BaseObjectCreationExpressionSyntax node, string name, Dictionary<string, string> written)
    {
        if (name.StartsWith("FallbackOptions", StringComparison.Ordinal)) return null;
        bool isFixed = written.TryGetValue("BackoffKind", out string? kind) && kind.EndsWith(".Constant", StringComparison.Ordinal)
            && written["Jitter"].EndsWith(".None", StringComparison.Ordinal);
        if (name != "RetryOptions" || HandledBy(node)!.Any(static h => h.IsRejection && !h.Text.Contains("CircuitOpenException"))
            || (!isFixed && !written.ContainsKey("RetryAfter"))) return UnreadPredicate;
        written["WaitForRejections"] = "true";
        if (written.ContainsKey("RetryAfter")) return null;
        (written["RetryAfter"], written["MaxRetryAfter"]) = ("_ => " + written["BaseDelay"], "$TimeSpan.FromDays(1)");
        return null;
    }

    internal static void AddDefaults(string name, Dictionary<string, string> written, bool isHttp)
    {
        switch (name)
        {
            case "RetryOptions":
                Default("BaseDelay", "$TimeSpan.FromSeconds(2)");
                Default("BackoffKind", isHttp ? "§BackoffKind.Exponential" : "§BackoffKind.Constant");
                Default("Jitter", isHttp ? "§BackoffJitter.Full" : "§BackoffJitter.None");
                if (!written["BackoffKind"].EndsWith(".Constant", StringComparison.Ordinal)) Default("MaxDelay", "$TimeSpan.FromDays(1)");
                Default("Budget", "§RetryBudget.Unlimited");
                break;
            case "HedgingOptions":
                Default("Delay", "$TimeSpan.FromSeconds(2)");
                Default("Budget", "§RetryBudget.Unlimited");
                break;
            case "CircuitBreakerOptions":
                Default("FailureRatio", "0.1");
                Default("MinimumCalls", "100");
                Default("SamplingDuration", "$TimeSpan.FromSeconds(30)");
                Default("BreakGrowth", "1");
                Default("BreakJitter", "0");
                if (written.ContainsKey("BreakDuration")) Default("MaxBreakDuration", "$TimeSpan.FromDays(1)");
                break;
        }

        void Default(string member, string value)
        {
            if (!written.ContainsKey(member)) written[member] = value;
        }
    }

    /// <summary>A strategy that handles less than the others of its builder says so itself.</summary>
    private (string Member, string Condition)? Narrowed(BaseObjectCreationExpressionSyntax node, string name)
    {
        if (HandledBy(node) is not { } handled || !Scope.UsersOf(node).Any(u => u.IsNarrower(handled))) return null;
        string member = name switch
        {
            "RetryOptions" => "ShouldRetry",
            "CircuitBreakerOptions" => "ShouldCount",
            "HedgingOptions" => "ShouldHedge",
            _ when name.StartsWith("FallbackOptions", StringComparison.Ordinal) => "ShouldHandle",
            _ => "",
        };
        if (member.Length == 0) return null;
        (string exception, string result) = member == "ShouldHandle"
            ? ("attempt.Outcome.Exception", "attempt.Outcome.Value") : ("attempt.Exception", "attempt.Result");
        return (member, "attempt => " + HandledOutcome.ToCondition(handled, exception, result));
    }

    /// <summary>What the options say that is handled; null where it cannot be read.</summary>
    internal IReadOnlyList<HandledOutcome>? HandledBy(BaseObjectCreationExpressionSyntax? options)
    {
        ExpressionSyntax? said = options?.Initializer?.Expressions.OfType<AssignmentExpressionSyntax>()
            .FirstOrDefault(static a => a.Left is IdentifierNameSyntax { Identifier.ValueText: "ShouldHandle" })?.Right;
        return said is not null ? Scope.Predicates.Read(said) : IsHttp(options) ? HandledOutcome.Http : HandledOutcome.Default;
    }

    internal string? Retry(string member, ExpressionSyntax value, Dictionary<string, string> written)
    {
        switch (member)
        {
            case "MaxRetryAttempts":
                return written["MaxRetries"] = value.ToString() == "int.MaxValue" ? "§RetryOptions.Unlimited" : Text(value);
            case "UseJitter":
                return written["Jitter"] = value.ToString() switch
                {
                    "true" => "§BackoffJitter.Full",
                    "false" => "§BackoffJitter.None",
                    var flag => $"{flag} ? §BackoffJitter.Full : §BackoffJitter.None",
                };
            case "Delay" or "MaxDelay" or "BackoffType" or "Name":
                return written[member switch { "Delay" => "BaseDelay", "BackoffType" => "BackoffKind", _ => member }] = Text(value);
            case "ShouldRetryAfterHeader":
                return "";
            case "OnRetry":
                if (Callback(value, "attempt, delay", AttemptMembers) is { } told) return written["OnRetry"] = told;
                string token = Unused("token", "cancellation", value);
                return Awaited(value, $"(attempt, delay, {token})", AttemptMembers) is { } awaited ? written["OnRetryAsync"] = awaited : null;
            case "DelayGenerator":
                if (Computed(value, AttemptMembers, "attempt") is not { } wait) return null;
                written["MaxRetryAfter"] = "$TimeSpan.FromDays(1)";
                written["RetryAfterJitter"] = "0";
                return written["RetryAfter"] = wait;
            default:
                return null;
        }
    }

    internal string? Breaker(string member, ExpressionSyntax value, Dictionary<string, string> written)
    {
        string? state = member switch { "OnOpened" => "Open", "OnClosed" => "Closed", "OnHalfOpened" => "HalfOpen", _ => null };
        if (state is null)
        {
            string? name = member switch
            {
                "MinimumThroughput" => "MinimumCalls",
                "FailureRatio" or "SamplingDuration" or "BreakDuration" or "Name" =>
                member,
                _ => null
            };
            return name is null ? null : written[name] = Text(value);
        }

        if (Callback(value, "change", ChangeMembers) is not { } told) return null;
        string body = told.Substring(told.IndexOf("=>", StringComparison.Ordinal) + 2).Trim();
        string one = $"if (change.To == §CircuitState.{state}) {(body.StartsWith("{", StringComparison.Ordinal) ? body : "{ " + body + "; }")}";
        string before = written.TryGetValue("OnChange", out string? others)
            ? others.Substring(others.IndexOf('{') + 1, others.LastIndexOf('}') - others.IndexOf('{') - 1).Trim() + " " : "";
        return written["OnChange"] = $"change => {{ {before}{one} }}";
    }

    private string? Timeout(string member, ExpressionSyntax value, Dictionary<string, string> written) => member switch
    {
        "Timeout" or "Name" => written[member] = Text(value),
        "OnTimeout" when value.FirstAncestorOrSelf<BaseObjectCreationExpressionSyntax>()?.Parent is ArgumentSyntax => "", // told as an event of the builder
        "TimeoutGenerator" => Computed(value, static _ => null, "context") is { } computed ? written["TimeoutFor"] = computed : null,
        _ => null,
    };

    /// <summary>The first attempt counts too. What is told before a hedge is told by what chooses its way, which is the same one.</summary>
    private string? Hedging(string member, ExpressionSyntax value, Dictionary<string, string> written)
    {
        switch (member)
        {
            case "MaxHedgedAttempts":
                return written["MaxAttempts"] = Text(value) + " + 1";
            case "Delay" or "Name":
                return written[member] = Text(value);
            case "OnHedging":
                string own = Unused("hedge", "own", value), number = Unused("number", "ordinal", value);
                string? Members(string path) => path switch
                {
                    "AttemptNumber" => $"({number} - 1)",
                    "ActionContext.CancellationToken" => own + ".CancellationToken",
                    "ActionContext.OperationKey" => own + ".Operation",
                    "ActionContext.Properties.Set" => own + ".Set",
                    "ActionContext.Properties.GetValue" => own + ".GetValue",
                    "ActionContext.Properties.TryGetValue" => own + ".TryGet",
                    _ => null,
                };
                if (Callback(value, $"{own}, {number}", Members) is not { } told || !told.EndsWith("}", StringComparison.Ordinal)) return null;
                if (told.Contains("return;")) return null;
                if (told.Contains(".GetValue(")) Scope.Names.UseExtension("GetValue of a property");
                return written["Route"] = told.Substring(0, told.LastIndexOf('}')) + " return false; }";
            default:
                return null;
        }
    }

    private string? Fallback(string member, ExpressionSyntax value, Dictionary<string, string> written)
    {
        if (member == "Name") return written[member] = Text(value);
        if (member == "OnFallback") return FallbackTold(value, written);
        if (member != "FallbackAction") return null;
        if (Scope.Model.GetTypeInfo(value, Scope.Cancellation).ConvertedType is not INamedTypeSymbol { DelegateInvokeMethod: { } action }) return null;
        ITypeSymbol? result = (action.Parameters[0].Type as INamedTypeSymbol)?.TypeArguments.FirstOrDefault();
        if (result is null || Computed(value, FallbackMembers, "failed", "FromResultAsValueTask", "FromResult") is not { } made) return null;
        string of = result.ToMinimalDisplayString(Scope.Model, value.SpanStart);
        int arrow = made.IndexOf("=>", StringComparison.Ordinal);
        return written["Call"] = Together(
            written.TryGetValue("Call", out string? told) ? told : "", $"new System.Threading.Tasks.ValueTask<{of}>({made.Substring(arrow + 2).Trim()})");
    }

    /// <summary>What is told of a fallback is done before the substitute is made, as it was there.</summary>
    private string? FallbackTold(ExpressionSyntax value, Dictionary<string, string> written)
    {
        if (Callback(value, "failed", FallbackMembers) is not { } told) return null;
        string body = told.Substring(told.IndexOf('{'));
        if (body.Contains("return;")) return null;
        string made = written.TryGetValue("Call", out string? call) ? call.Substring(call.IndexOf("=>", StringComparison.Ordinal) + 2).Trim() : "";
        return written["Call"] = Together(body, made);
    }

    private static string Together(string told, string made) =>
        told.Length == 0 ? "failed => " + made : made.Length == 0 ? told
            : $"failed => {told.Substring(0, told.LastIndexOf('}'))} return {made}; }}";

    private bool IsHttp(BaseObjectCreationExpressionSyntax? options) =>
        options is not null && TypeOf(options)?.Name.StartsWith("Http", StringComparison.Ordinal) == true;
}
