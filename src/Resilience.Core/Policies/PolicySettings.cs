using System.Collections;

namespace Resilience.Extensibility;

/// <summary>Declares the settings of options, once.</summary>
/// <example>
/// <code>
/// private static readonly PolicySettings&lt;PauseOptions&gt; Declared = PolicySettings.For&lt;PauseOptions&gt;()
///     .Span("MaxPause", o => o.MaxPause, (o, v) => o.MaxPause = v, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), "The longest pause. Default 01:00:00.")
///     .Flag("Loud", (o, v) => o.Loud = v, "Whether to tell of each call. Default false.");
///
/// protected override IReadOnlyList&lt;PolicySetting&gt; Settings => Declared;
/// </code>
/// </example>
public static class PolicySettings
{
    /// <summary>Begins a declaration. No reflection is needed to read it.</summary>
    public static PolicySettings<TOptions> For<TOptions>()
        where TOptions : class => new();

    /// <summary>What these options declare; empty when they declare nothing.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public static IReadOnlyList<PolicySetting> Of(PolicyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.Settings;
    }
}

/// <summary>The settings of one type of options, in the order in which people read them. Declared once and then only read.</summary>
/// <typeparam name="TOptions">The options that they set.</typeparam>
/// <remarks>A setting with a getter has its range checked with the options (<see cref="OptionsCheck.Declared"/>); a null is in range. Without a getter
/// its range
/// is a rule of <see cref="PolicyOptions.Check"/>.</remarks>
public sealed class PolicySettings<TOptions> : IReadOnlyList<PolicySetting>
    where TOptions : class
{
    private readonly List<PolicySetting> _settings = [];

    internal PolicySettings()
    {
    }

    /// <inheritdoc/>
    public int Count => _settings.Count;

    /// <inheritdoc/>
    public PolicySetting this[int index] => _settings[index];

    /// <inheritdoc/>
    public IEnumerator<PolicySetting> GetEnumerator() => _settings.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>True or false.</summary>
    /// <param name="name">The name of the option.</param>
    /// <param name="set">Sets it.</param>
    /// <param name="text">What it means and what its default is.</param>
    public PolicySettings<TOptions> Flag(string name, Action<TOptions, bool> set, string text) =>
        Add(new(name, PolicySettingKind.Flag, text, (o, v) => set((TOptions)o, (bool)v)));

    /// <summary>A whole number.</summary>
    /// <param name="name">The name of the option.</param>
    /// <param name="get">Reads it for the check of its range; null: not checked here.</param>
    /// <param name="set">Sets it.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <param name="text">What it means and what its default is.</param>
    /// <param name="allowed">What a problem says must be. Default: from the one to the other.</param>
    public PolicySettings<TOptions> Whole(
        string name, Func<TOptions, int?>? get, Action<TOptions, int> set, int min, int max, string text, string? allowed = null) => Add(
            new(name, PolicySettingKind.Whole, text, (o, v) => set((TOptions)o, checked((int)(long)v)), Checked(get, (check, value) =>
            {
                if (allowed is null) check.Number(name, value, min, max);
                else check.Require(value >= min && value <= max, name, value, allowed);
            }))
            {
                Min = min,
                Max = max,
            });

    /// <summary>A whole number of 64 bits, without a range.</summary>
    /// <inheritdoc cref="Flag"/>
    public PolicySettings<TOptions> Whole(string name, Action<TOptions, long> set, string text) =>
        Add(new(name, PolicySettingKind.Whole, text, (o, v) => set((TOptions)o, (long)v)) { Max = long.MaxValue });

    /// <summary>A number.</summary>
    /// <inheritdoc cref="Whole(string, Func{TOptions, int?}?, Action{TOptions, int}, int, int, string, string?)"/>
    /// <param name="name">The name of the option.</param>
    /// <param name="get">Reads it for the check of its range; null: not checked here.</param>
    /// <param name="set">Sets it.</param>
    /// <param name="min">The least.</param>
    /// <param name="max">The greatest.</param>
    /// <param name="text">What it means and what its default is.</param>
    /// <param name="allowed">What a problem says must be. Default: from the one to the other.</param>
    /// <param name="isAboveMin">Whether it must be more than <paramref name="min"/>. Default false.</param>
    public PolicySettings<TOptions> Number(
        string name, Func<TOptions, double?>? get, Action<TOptions, double> set, double min, double max, string text, string? allowed = null,
        bool isAboveMin = false) => Add(
            new(name, PolicySettingKind.Number, text, (o, v) => set((TOptions)o, (double)v), Checked(get, (check, value) =>
            {
                if (allowed is null) check.Number(name, value, min, max);
                else check.Require(value >= min && value <= max && !(isAboveMin && value == min), name, value, allowed);
            }))
            {
                Min = min,
                Max = max,
            });

    /// <summary>A span of time.</summary>
    /// <param name="name">The key.</param>
    /// <param name="get">Reads it for the check of its range; null: not checked here.</param>
    /// <param name="set">Sets it.</param>
    /// <param name="min">The shortest.</param>
    /// <param name="max">The longest. Default: a day.</param>
    /// <param name="text">What it means, its range and its default.</param>
    /// <param name="option">The name of the option, where it is not that of the key.</param>
    public PolicySettings<TOptions> Span(
        string name, Func<TOptions, TimeSpan?>? get, Action<TOptions, TimeSpan> set, TimeSpan min, TimeSpan? max, string text, string? option = null) => Add(
            new(name, PolicySettingKind.Span, text, (o, v) => set((TOptions)o, (TimeSpan)v), Checked(get, (check, value) =>
                check.Span(option ?? name, value, min, max)))
            {
                Option = option ?? name,
            });

    /// <summary>One of the words of an enumeration.</summary>
    /// <param name="name">The name of the option.</param>
    /// <param name="get">Reads it for the check.</param>
    /// <param name="set">Sets it.</param>
    /// <param name="text">What it means and what its default is.</param>
    public PolicySettings<TOptions> Choice<TEnum>(string name, Func<TOptions, TEnum> get, Action<TOptions, TEnum> set, string text)
        where TEnum : struct, Enum
    {
        ArgumentNullException.ThrowIfNull(get);
        return Add(new(
            name, PolicySettingKind.Choice, text, (o, v) => set((TOptions)o, Enum.Parse<TEnum>((string)v, ignoreCase: true)),
            (o, check) => check.Defined(name, get((TOptions)o)))
        {
            Choices = Enum.GetNames<TEnum>(),
        });
    }

    /// <summary>A text.</summary>
    /// <inheritdoc cref="Flag"/>
    public PolicySettings<TOptions> Text(string name, Action<TOptions, string> set, string text) =>
        Add(new(name, PolicySettingKind.Text, text, (o, v) => set((TOptions)o, (string)v)));

    /// <summary>A list of texts.</summary>
    /// <param name="name">The name of the option.</param>
    /// <param name="set">Sets or adds them.</param>
    /// <param name="text">What they mean and what the default is.</param>
    /// <param name="one">What one is called, to be read after "a". Default "name".</param>
    /// <param name="many">What several are called. Default "names".</param>
    /// <param name="pattern">A regular expression that each fulfills, whatever its case. Default: any text that is not empty.</param>
    public PolicySettings<TOptions> Texts(
        string name, Action<TOptions, IReadOnlyList<string>> set, string text, string one = "name", string many = "names", string? pattern = null) => Add(
            new(name, PolicySettingKind.Texts, text, (o, v) => set((TOptions)o, (IReadOnlyList<string>)v))
            {
                Noun = (one, many),
                Pattern = pattern,
            });

    /// <summary>A group of settings of another object, which belongs to the options.</summary>
    /// <param name="name">The key.</param>
    /// <param name="open">What the group is put into: a part of the options, or something that holds what was read until <paramref name="close"/>.</param>
    /// <param name="settings">The settings of the group.</param>
    /// <param name="text">What the group is.</param>
    /// <param name="close">Puts what was read into the options. Default: nothing is left to do.</param>
    public PolicySettings<TOptions> Group<TInner>(
        string name, Func<TOptions, TInner> open, IReadOnlyList<PolicySetting> settings, string text, Action<TOptions, TInner>? close = null)
        where TInner : class
    {
        ArgumentNullException.ThrowIfNull(open);
        ArgumentNullException.ThrowIfNull(settings);
        return Add(new(name, PolicySettingKind.Group, text, (o, v) =>
        {
            TInner inner = open((TOptions)o);
            ((Action<object>)v)(inner);
            close?.Invoke((TOptions)o, inner);
        })
        {
            Settings = settings,
        });
    }

    /// <summary>A list of groups.</summary>
    /// <param name="name">The key.</param>
    /// <param name="settings">The settings of each group.</param>
    /// <param name="add">Puts one that was read into the options.</param>
    /// <param name="text">What the list is.</param>
    /// <param name="itemText">What each group is.</param>
    public PolicySettings<TOptions> Groups<TItem>(
        string name, IReadOnlyList<PolicySetting> settings, Action<TOptions, TItem> add, string text, string itemText)
        where TItem : class, new()
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(add);
        return Add(new(name, PolicySettingKind.Groups, text, (o, v) =>
        {
            foreach (Action<object> fill in (IReadOnlyList<Action<object>>)v)
            {
                TItem item = new();
                fill(item);
                add((TOptions)o, item);
            }
        })
        {
            Settings = settings,
            ItemText = itemText,
        });
    }

    /// <summary>The settings of a part of the options, as if they were the options' own. Their ranges are checked with the part.</summary>
    /// <param name="part">The part, made when a setting of it is used.</param>
    /// <param name="settings">Its settings.</param>
    public PolicySettings<TOptions> Of<TPart>(Func<TOptions, TPart> part, IEnumerable<PolicySetting> settings)
        where TPart : class
    {
        ArgumentNullException.ThrowIfNull(part);
        ArgumentNullException.ThrowIfNull(settings);
        foreach (PolicySetting setting in settings) Add(setting.Of(o => part((TOptions)o)));
        return this;
    }

    private PolicySettings<TOptions> Add(PolicySetting setting)
    {
        if (PolicySetting.Find(_settings, setting.Name) is not null)
            throw new ArgumentException($"The setting '{setting.Name}' of {typeof(TOptions).Name} is declared twice.", nameof(setting));
        _settings.Add(setting);
        return this;
    }

    private static Action<object, OptionsCheck>? Checked<TValue>(Func<TOptions, TValue?>? get, Action<OptionsCheck, TValue> check)
        where TValue : struct => get is null ? null : (options, found) =>
        {
            if (get((TOptions)options) is { } value) check(found, value);
        };
}
