using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Migration;

/// <summary>What belongs to Polly and to the packages of Microsoft that are built on it, and what it is called here.</summary>
internal static class Theirs
{
    private const int MaxDepth = 8; // of types in types

    private static readonly string[] Assemblies =
        ["Microsoft.Extensions.Http.Resilience", "Microsoft.Extensions.Resilience", "Microsoft.Extensions.Http.Polly"];

    /// <summary>The type there, without its namespace and its parameters, and the one here. Those of the old API have no difference between what
    /// is run synchronously and what is not.</summary>
    private static readonly Dictionary<string, string> Types = new(StringComparer.Ordinal)
    {
        ["ResiliencePipeline"] = "ResiliencePipeline",
        ["ResiliencePipelineBuilder"] = "ResiliencePipelineBuilder",
        ["RetryStrategyOptions"] = "RetryOptions",
        ["HttpRetryStrategyOptions"] = "RetryOptions",
        ["CircuitBreakerStrategyOptions"] = "CircuitBreakerOptions",
        ["HttpCircuitBreakerStrategyOptions"] = "CircuitBreakerOptions",
        ["TimeoutStrategyOptions"] = "TimeoutOptions",
        ["HttpTimeoutStrategyOptions"] = "TimeoutOptions",
        ["FallbackStrategyOptions"] = "FallbackOptions",
        ["HedgingStrategyOptions"] = "HedgingOptions",
        ["DelayBackoffType"] = "BackoffKind",
        ["BrokenCircuitException"] = "CircuitOpenException",
        ["IsolatedCircuitException"] = "CircuitOpenException",
        ["TimeoutRejectedException"] = "TimedOutException",
        ["RateLimiterRejectedException"] = "LimitReachedException",
        ["BulkheadRejectedException"] = "LimitReachedException",
        ["ExecutionRejectedException"] = "ResilienceException",
        ["ResiliencePipelineProvider"] = "ResiliencePipelineProvider",
        ["ResiliencePipelineRegistry"] = "ResiliencePipelineRegistry",
        ["IAsyncPolicy"] = "ResiliencePipeline",
        ["ISyncPolicy"] = "ResiliencePipeline",
        ["IsPolicy"] = "ResiliencePipeline",
        ["AsyncPolicy"] = "ResiliencePipeline",
        ["Policy"] = "ResiliencePipeline",
        ["AsyncRetryPolicy"] = "ResiliencePipeline",
        ["RetryPolicy"] = "ResiliencePipeline",
        ["AsyncCircuitBreakerPolicy"] = "ResiliencePipeline",
        ["CircuitBreakerPolicy"] = "ResiliencePipeline",
        ["AsyncTimeoutPolicy"] = "ResiliencePipeline",
        ["TimeoutPolicy"] = "ResiliencePipeline",
        ["AsyncFallbackPolicy"] = "ResiliencePipeline",
        ["FallbackPolicy"] = "ResiliencePipeline",
        ["AsyncBulkheadPolicy"] = "ResiliencePipeline",
        ["BulkheadPolicy"] = "ResiliencePipeline",
        ["AsyncNoOpPolicy"] = "ResiliencePipeline",
        ["NoOpPolicy"] = "ResiliencePipeline",
        ["ResilienceContext"] = "PreparedCall", // where one is declared; what a delegate is told has no type written
        ["ResiliencePropertyKey"] = "ResilienceProperty",
        ["PolicyWrap"] = "ResiliencePipeline",
        ["AsyncPolicyWrap"] = "ResiliencePipeline",
        ["PolicyRegistry"] = "ResiliencePipelineRegistry",
        ["IPolicyRegistry"] = "ResiliencePipelineRegistry",
        ["IReadOnlyPolicyRegistry"] = "ResiliencePipelineRegistry",
        ["IConcurrentPolicyRegistry"] = "ResiliencePipelineRegistry",
    };

    /// <summary>Types whose parameters fall away: ours are for any result.</summary>
    private static readonly string[] WithoutParameters = ["RetryOptions", "CircuitBreakerOptions", "TimeoutOptions", "HedgingOptions", "CircuitOpenException",
        "ResiliencePipelineProvider", "ResiliencePipelineRegistry"];

    internal static bool Own(ISymbol? symbol) =>
        (symbol is INamespaceSymbol ? null : symbol?.OriginalDefinition.ContainingAssembly?.Name) is { } name && OwnAssembly(name);

    internal static bool OwnAssembly(string name) =>
        name == "Polly" || name.StartsWith("Polly.", StringComparison.Ordinal) || Assemblies.Contains(name);

    /// <summary>A type of theirs, or one that is made of one: a list, a delegate, a task. A type parameter may be constrained by itself.</summary>
    internal static bool IsIn(ITypeSymbol? type) => IsIn(type, MaxDepth);

    private static bool IsIn(ITypeSymbol? type, int depth) => depth > 0 && type switch
    {
        null or IErrorTypeSymbol => false,
        IArrayTypeSymbol array => IsIn(array.ElementType, depth - 1),
        INamedTypeSymbol named => Own(named) || named.TypeArguments.Any(t => IsIn(t, depth - 1)),
        ITypeParameterSymbol parameter => parameter.ConstraintTypes.Any(Own),
        _ => false,
    };

    /// <summary>What a name stands for. A call of theirs whose delegate does not compile is still a call of theirs.</summary>
    internal static ISymbol? SymbolOf(SemanticModel model, SyntaxNode node, CancellationToken cancellation)
    {
        SymbolInfo info = model.GetSymbolInfo(node, cancellation);
        if (info.Symbol is not null || info.CandidateSymbols.Length == 0) return info.Symbol;
        if (!info.CandidateSymbols.All(static c => c is IMethodSymbol && Own(c))) return null;
        if ((node as InvocationExpressionSyntax ?? node.FirstAncestorOrSelf<InvocationExpressionSyntax>()) is not { } call) return null;
        ITypeSymbol? receiver = call.Expression is MemberAccessExpressionSyntax access ? model.GetTypeInfo(access.Expression, cancellation).Type : null;
        return info.CandidateSymbols.OfType<IMethodSymbol>()
            .Select(m => m.IsExtensionMethod && m.ReducedFrom is null && receiver is not null ? m.ReduceExtensionMethod(receiver) : m)
            .FirstOrDefault(m => m is not null && Fits(m, call));
    }

    /// <summary>As many arguments, and lambdas of as many parameters; what waits for a result has one.</summary>
    private static bool Fits(IMethodSymbol method, InvocationExpressionSyntax call)
    {
        SeparatedSyntaxList<ArgumentSyntax> given = call.ArgumentList.Arguments;
        if (method.Parameters.Length != given.Count) return false;
        for (int i = 0; i < given.Count; i++)
        {
            IParameterSymbol? parameter = given[i].NameColon is { } named
                ? method.Parameters.FirstOrDefault(p => p.Name == named.Name.Identifier.ValueText) : method.Parameters[i];
            int? parameters = given[i].Expression switch
            {
                SimpleLambdaExpressionSyntax => 1,
                ParenthesizedLambdaExpressionSyntax several => several.ParameterList.Parameters.Count,
                _ => null,
            };
            if (parameter is null || (parameters is not null
                && (parameter.Type as INamedTypeSymbol)?.DelegateInvokeMethod?.Parameters.Length != parameters)) return false;
        }

        if (!method.Name.StartsWith("Execute", StringComparison.Ordinal)) return true;
        bool isWaited = given.FirstOrDefault()?.Expression is LambdaExpressionSyntax { Body: BlockSyntax body }
            && body.DescendantNodes().OfType<ReturnStatementSyntax>().Any(static r => r.Expression is not null);
        return method.IsGenericMethod == isWaited;
    }

    /// <summary>The name here, and whether the parameters stay; null: there is none.</summary>
    internal static (string Name, bool KeepsParameters)? NameOf(ITypeSymbol type) => IsByOtherKeys(type) ? null :
        Types.TryGetValue(type.Name, out string? name) ? (name, !WithoutParameters.Contains(name)) : null;

    /// <summary>Pipelines are named by strings here.</summary>
    private static bool IsByOtherKeys(ITypeSymbol type) => type is INamedTypeSymbol { TypeArguments: { Length: 1 } key }
        && (type.Name is "ResiliencePipelineRegistry" or "ResiliencePipelineProvider" || type.Name.EndsWith("PolicyRegistry", StringComparison.Ordinal))
        && key[0].SpecialType != SpecialType.System_String;

    /// <summary>Is this the name of a type there or here, as the compiler writes it?</summary>
    internal static bool IsName(string written)
    {
        string name = written.Split('<')[0];
        name = name.Substring(name.LastIndexOf('.') + 1);
        return Types.ContainsKey(name) || Types.ContainsValue(name);
    }

    /// <summary>Is it one of theirs, or derived from one?</summary>
    internal static bool IsOrDerives(ITypeSymbol? type)
    {
        for (; type is not null; type = type.BaseType)
        {
            if (Own(type)) return true;
        }

        return false;
    }

    /// <summary>The rule that a symbol of theirs belongs to.</summary>
    internal static DiagnosticDescriptor RuleOf(ISymbol symbol)
    {
        string assembly = symbol.ContainingAssembly?.Name ?? "", space = symbol.ContainingNamespace?.ToDisplayString() ?? "";
        INamedTypeSymbol? type = symbol as INamedTypeSymbol ?? symbol.ContainingType;
        if (assembly is "Microsoft.Extensions.Http.Resilience" or "Microsoft.Extensions.Http.Polly") return MigrationRules.Clients;
        if (assembly == "Polly") return MigrationRules.Policies;
        if (assembly is "Polly.Extensions" or "Microsoft.Extensions.Resilience") return MigrationRules.Registrations;
        string name = type?.Name ?? "";
        if (name.EndsWith("Exception", StringComparison.Ordinal) || space == "Polly.Registry" || name.StartsWith("ResilienceContext", StringComparison.Ordinal))
            return MigrationRules.Calls;
        if (symbol is IMethodSymbol && symbol.Name.StartsWith("Execute", StringComparison.Ordinal)) return MigrationRules.Calls;
        return name.StartsWith("Predicate", StringComparison.Ordinal) || name.EndsWith("Arguments", StringComparison.Ordinal)
            ? MigrationRules.Predicates : MigrationRules.Pipelines;
    }
}
