using Resilience.Extensibility;

namespace Resilience;

/// <summary>The same where there are listeners, who are told how long an attempt took: the first one begins here.</summary>
internal sealed class HeardRetryLink<T>(RetryPolicy policy, PolicyLink<T> next) : RetryLink<T>(policy, next)
{
    public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
    {
        context.MarkBegun();
        return RunAsync(context);
    }
}
