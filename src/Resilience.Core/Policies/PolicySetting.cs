namespace Resilience.Extensibility;

/// <summary>One option as people set it outside of the code: its name, what its value looks like and may be, and how it is put into the options. From it come
/// the check of its range, the key of a configuration section, the schema of that section, and the row in a table of the documentation.</summary>
/// <remarks>Declared by <see cref="PolicySettings.For{TOptions}"/>. Immutable.</remarks>
public sealed class PolicySetting
{
    private readonly Action<object, object> _set;
    private readonly Action<object, OptionsCheck>? _check;

    internal PolicySetting(string name, PolicySettingKind kind, string text, Action<object, object> set, Action<object, OptionsCheck>? check = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentException.ThrowIfNullOrEmpty(text);
        ArgumentNullException.ThrowIfNull(set);
        (Name, Option, Kind, Text, _set, _check) = (name, name, kind, text, set, check);
    }

    /// <summary>The name, as a key of a section.</summary>
    public string Name { get; }

    /// <summary>The name of the option that it sets, as problems name it: mostly the same.</summary>
    public string Option { get; internal init; }

    /// <summary>What its value looks like.</summary>
    public PolicySettingKind Kind { get; }

    /// <summary>What it means, its range and its default, in a sentence or two for the person who edits a file.</summary>
    public string Text { get; }

    /// <summary>The least number that may stand in a file; null if there is none, and for what is no number.</summary>
    public double? Min { get; internal init; }

    /// <summary>The greatest number that may stand in a file; null if there is none, and for what is no number.</summary>
    public double? Max { get; internal init; }

    /// <summary>The words of a choice; else empty.</summary>
    public IReadOnlyList<string> Choices { get; internal init; } = [];

    /// <summary>For texts, what one looks like, to be read after "a" and in the plural: ("code such as RES008", "codes such as RES008").</summary>
    public (string One, string Many) Noun { get; internal init; } = ("name", "names");

    /// <summary>For texts, a regular expression that each fulfills; null: any text that is not empty.</summary>
    public string? Pattern { get; internal init; }

    /// <summary>The settings of the group, or of each group of the list; else empty.</summary>
    public IReadOnlyList<PolicySetting> Settings { get; internal init; } = [];

    /// <summary>What each group of the list is.</summary>
    public string? ItemText { get; internal init; }

    /// <summary>The setting of this name in the group, whatever its case; null if there is none.</summary>
    public static PolicySetting? Find(IReadOnlyList<PolicySetting> settings, string name)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return settings.FirstOrDefault(s => string.Equals(s.Name, name, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Puts a value into the options.</summary>
    /// <param name="target">The options, of the type for which the setting was declared.</param>
    /// <param name="value">By <see cref="Kind"/>: a <see cref="bool"/>, <see cref="long"/>, <see cref="double"/>, <see cref="TimeSpan"/>, one of the
    /// <see cref="Choices"/>, a <see cref="string"/>, an <see cref="IReadOnlyList{T}"/> of strings; for a group an <see cref="Action{T}"/> that puts
    /// the values of the group
    /// into what it is given, and for a list of groups an <see cref="IReadOnlyList{T}"/> of such actions.</param>
    /// <exception cref="InvalidCastException">The options or the value are of another type.</exception>
    public void Set(object target, object value)
    {
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(value);
        _set(target, value);
    }

    /// <summary>The same for what has the options as a part.</summary>
    internal PolicySetting Of(Func<object, object> part) => new(Name, Kind, Text, (whole, value) => _set(part(whole), value))
    {
        Option = Option,
        Min = Min,
        Max = Max,
        Choices = Choices,
        Noun = Noun,
        Pattern = Pattern,
        Settings = Settings,
        ItemText = ItemText,
    };

    internal void Check(object target, OptionsCheck check) => _check?.Invoke(target, check);
}
