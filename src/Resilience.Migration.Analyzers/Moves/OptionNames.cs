using Microsoft.CodeAnalysis;

namespace Resilience.Migration;

/// <summary>What the members of their options are called here, where a value of the one is a value of the other.</summary>
internal static class OptionNames
{
    private static readonly Dictionary<string, string> Same = new(StringComparer.Ordinal)
    {
        ["RetryStrategyOptions.MaxRetryAttempts"] = "MaxRetries",
        ["RetryStrategyOptions.Delay"] = "BaseDelay",
        ["RetryStrategyOptions.MaxDelay"] = "MaxDelay",
        ["RetryStrategyOptions.BackoffType"] = "BackoffKind",
        ["CircuitBreakerStrategyOptions.FailureRatio"] = "FailureRatio",
        ["CircuitBreakerStrategyOptions.MinimumThroughput"] = "MinimumCalls",
        ["CircuitBreakerStrategyOptions.SamplingDuration"] = "SamplingDuration",
        ["CircuitBreakerStrategyOptions.BreakDuration"] = "BreakDuration",
        ["TimeoutStrategyOptions.Timeout"] = "Timeout",
        ["ResilienceStrategyOptions.Name"] = "Name",
        ["ResiliencePipelineBuilderBase.Name"] = "Name",
        ["ResiliencePipelineBuilderBase.TimeProvider"] = "TimeProvider",
        ["ResilienceContext.CancellationToken"] = "CancellationToken",
        ["ResilienceContext.OperationKey"] = "Operation",
    };

    private static readonly Dictionary<string, string> Reasons = new(StringComparer.Ordinal)
    {
        ["ManualControl"] = "a circuit is controlled by a CircuitBreaker of yours in a field: Isolate() and Close(), added by AddCircuitBreaker(breaker)",
        ["StateProvider"] = "the state is read from a CircuitBreaker of yours in a field: State, added by AddCircuitBreaker(breaker)",
        ["BreakDurationGenerator"] = "the break grows by BreakGrowth up to MaxBreakDuration, and is computed by no delegate",
        ["Randomizer"] = "randomness is set once, as Randomness of the builder",
        ["OnTimeout"] = "a timeout is told as the event CallTimedOut, by builder.OnEvent",
        ["OnFallback"] = "a fallback is told as the event FallbackUsed, by builder.OnEvent",
        ["OnHedging"] = "a hedge is told as the event HedgeStarted, by builder.OnEvent",
        ["OnRetry"] = "decide what to do with this callback: ours is synchronous and cannot fail the call",
        ["DelayGenerator"] = "RetryAfter is asked for the wait, and is synchronous",
        ["ShouldHandle"] = "say in Classify of the builder what a failure is, and in ShouldRetry, ShouldCount or ShouldHandle where one policy handles less",
        ["ActionGenerator"] = "our hedging runs the same delegate again, and Route selects the address",
        ["TelemetryListener"] = "telemetry is listened to by builder.OnEvent",
        ["Wrap"] = "policies that are wrapped share one classifier here: build one pipeline that adds them, outermost first",
        ["WrapAsync"] = "policies that are wrapped share one classifier here: build one pipeline that adds them, outermost first",
        ["AddStandardHedgingHandler"] = "instead of AddStandardHedgingHandler write AddHedging in AddResilience, with Route for the addresses",
        ["ResiliencePipelineRegistry"] = "a ResiliencePipelineRegistry has strings as names: say which name each key has",
        ["PolicyRegistry"] = "a ResiliencePipelineRegistry has strings as names, and is filled by Add",
        ["IPolicyRegistry"] = "a ResiliencePipelineRegistry has strings as names: say which name each key has",
        ["IReadOnlyPolicyRegistry"] = "a ResiliencePipelineRegistry has strings as names: say which name each key has",
        ["ResilienceContext"] = "a context is not made and returned here: hand CallOptions with the name and the properties",
        ["ResilienceContextPool"] = "a context is not made and returned here: hand CallOptions with the name and the properties",
        ["Context"] = "what the context carried goes into CallOptions, its key into Operation",
        ["ResiliencePropertyKey"] = "a property is a ResilienceProperty in a static field, set by CallProperties.With",
        ["ConfigureTelemetry"] = "telemetry is on by itself, under the names of ResilienceTelemetry: listen to more by builder.OnEvent",
        ["InstanceName"] = "there is no name of an instance; put it into Name",
    };

    internal static string? Of(ISymbol symbol)
    {
        for (INamedTypeSymbol? type = symbol.ContainingType; type is not null; type = type.BaseType)
        {
            if (Same.TryGetValue(type.Name + "." + symbol.Name, out string? name)) return name;
        }

        return null;
    }

    internal static string WhyNot(ISymbol symbol) => Reasons.TryGetValue(symbol.Name, out string? reason) ? reason
        : (symbol.ContainingType is { } type ? type.Name + "." : "") + symbol.Name + " has no counterpart that takes its place as it is";
}
