namespace Resilience;

/// <summary>A rule for results that is awaited.</summary>
internal abstract class LaterRule : ResultRule
{
    internal abstract Func<T, ResilienceContext, ValueTask<Classification?>> Bind<T>();
}

/// <inheritdoc cref="LaterRule"/>
internal sealed class LaterRule<TRule>(Func<TRule, ResilienceContext, ValueTask<Classification?>> rule) : LaterRule
{
    internal override Type Result => typeof(TRule);

    internal override Func<T, ResilienceContext, ValueTask<Classification?>> Bind<T>() =>
        rule as Func<T, ResilienceContext, ValueTask<Classification?>> ?? ((result, context) => result is TRule typed ? rule(typed, context) : default);
}
