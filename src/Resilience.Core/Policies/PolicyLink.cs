namespace Resilience.Extensibility;

/// <summary>One link of a built chain, closed over the result type: what a policy calls to let a call go on.</summary>
/// <typeparam name="T">The type of the result of the call.</typeparam>
/// <remarks>
/// The chain is closed over the result type once, when the first call of that type passes; from then on a link costs one
/// virtual call. Links hold no state of a call (that is in the <see cref="ResilienceContext"/>) and are shared by all calls.
/// </remarks>
public abstract class PolicyLink<T>
{
    /// <summary>Lets the call go on and answers with its outcome.</summary>
    /// <remarks>
    /// Must answer with data: never throw, never return a faulted task. The links that a pipeline hands to a policy keep this
    /// promise whatever the delegate or another policy does, so a policy needs no try/finally around them. Await the task once.
    /// </remarks>
    public abstract ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context);
}
