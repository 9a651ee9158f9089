namespace Resilience;

/// <summary>A rule that names.</summary>
internal sealed class NameRule<TRule>(Func<TRule, string?> rule) : ResultRule
{
    internal override Type Result => typeof(TRule);

    internal override Func<T, string?> BindName<T>() => rule as Func<T, string?> ?? (result => result is TRule typed ? rule(typed) : null);
}
