namespace Resilience;

/// <summary>A rule that judges.</summary>
internal sealed class VerdictRule<TRule>(Func<TRule, Classification?> rule) : ResultRule
{
    internal override Type Result => typeof(TRule);

    internal override Func<T, Classification?> BindVerdict<T>() =>
        rule as Func<T, Classification?> ?? (result => result is TRule typed ? rule(typed) : default);
}
