namespace Resilience;

/// <summary>Rules that see the call.</summary>
public static class OutcomeClassifierExtensions
{
    /// <summary>Results of this type are judged by a rule that is awaited, and may read the body of a response; null leaves them to the next. Asked where
    /// your other rules for results are silent, and before tables such as that of HTTP. A rule for a derived type is asked before one for the type of the
    /// call, and that before one for a base type or an interface.</summary>
    /// <remarks>
    /// <para>It runs inside the attempt: the timeout of the attempt and the token of the context hold for it, and where that token is cancelled the attempt
    /// ends as if the delegate had not come back; its result is disposed of. What else it throws is counted, and the next rule is asked. In a synchronous
    /// call the thread waits for it.</para>
    /// <para>Without such a rule nothing of this is on the way of a call. With one, each result of which no other rule of yours speaks costs its time.</para>
    /// </remarks>
    /// <param name="rules">The rules so far.</param>
    /// <param name="rule">Is given the result, and the call.</param>
    /// <example><code>
    /// rules.OnResultAsync&lt;HttpResponseMessage>(async (response, context) =>
    ///     await response.PeekAsync(4096, context.CancellationToken) is { } body &amp;&amp; body.Contains("busy") ? Classification.Throttled() : null)
    /// </code></example>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static OutcomeClassifier OnResultAsync<T>(this OutcomeClassifier rules, Func<T, ResilienceContext, ValueTask<Classification?>> rule)
    {
        ArgumentNullException.ThrowIfNull(rules);
        ArgumentNullException.ThrowIfNull(rule);
        return rules.With(new LaterRule<T>(rule));
    }
}
