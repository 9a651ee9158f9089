using Resilience.Extensibility;

namespace Resilience;

/// <summary>What most calls pass.</summary>
internal sealed class PlainRetryLink<T>(RetryPolicy policy, PolicyLink<T> next) : RetryLink<T>(policy, next)
{
    public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => RunAsync(context);
}
