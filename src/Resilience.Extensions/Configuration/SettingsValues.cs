using Resilience.Extensibility;

namespace Resilience.Configuration;

/// <summary>What was read for a group of settings: a value for each that was named. Equal by value.</summary>
/// <remarks>A value is what <see cref="PolicySetting.Set"/> takes, but for groups, which are read here as values of their own.</remarks>
internal sealed class SettingsValues : IEquatable<SettingsValues>
{
    private readonly List<(PolicySetting Setting, object Value)> _values = [];

    internal IReadOnlyList<(PolicySetting Setting, object Value)> All => _values;

    internal void Add(PolicySetting setting, object value) => _values.Add((setting, value));

    internal bool Has(string name) => Find(name) is not null;

    internal object? Find(string name) => _values.Find(v => string.Equals(v.Setting.Name, name, StringComparison.OrdinalIgnoreCase)).Value;

    /// <summary>Puts the values into what they were declared for.</summary>
    internal void ApplyTo(object target) => ApplyTo(target, static _ => true);

    internal void ApplyTo(object target, Func<string, bool> isMeant)
    {
        foreach ((PolicySetting setting, object value) in _values)
        {
            if (isMeant(setting.Name)) setting.Set(target, Settable(value));
        }
    }

    private static object Settable(object value) => value switch
    {
        SettingsValues group => (Action<object>)group.ApplyTo,
        IReadOnlyList<SettingsValues> groups => (IReadOnlyList<Action<object>>)[.. groups.Select(g => (Action<object>)g.ApplyTo)],
        _ => value,
    };

    public bool Equals(SettingsValues? other) =>
        other is not null && _values.Count == other._values.Count
        && _values.TrueForAll(v => other.Find(v.Setting.Name) is { } value && AreEqual(v.Value, value));

    public override bool Equals(object? obj) => Equals(obj as SettingsValues);

    public override int GetHashCode() => _values.Count;

    private static bool AreEqual(object left, object right) => (left, right) switch
    {
        (IReadOnlyList<string> one, IReadOnlyList<string> two) => one.SequenceEqual(two, StringComparer.Ordinal),
        (IReadOnlyList<SettingsValues> one, IReadOnlyList<SettingsValues> two) => one.SequenceEqual(two),
        _ => left.Equals(right),
    };
}
