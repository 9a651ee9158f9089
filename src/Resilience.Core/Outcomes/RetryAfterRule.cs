namespace Resilience;

/// <summary>A rule that reads when to come back.</summary>
internal sealed class RetryAfterRule<TRule>(Func<TRule, TimeProvider, TimeSpan?> rule) : ResultRule
{
    internal override Type Result => typeof(TRule);

    internal override Func<T, TimeProvider, (bool Speaks, TimeSpan? Wait)> BindRetryAfter<T>() =>
        (result, time) => result is TRule typed ? (true, rule(typed, time)) : default;
}
