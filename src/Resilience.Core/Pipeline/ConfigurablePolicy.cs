namespace Resilience.Extensibility;

/// <summary>A policy that a section of configuration can name: its key, its settings, its place among the others, and how it is added.</summary>
/// <remarks>Ours are in <c>StandardPolicies.Configurable</c>; a container takes others by <c>AddConfigurablePolicy</c>. Immutable.</remarks>
public abstract class ConfigurablePolicy
{
    private protected ConfigurablePolicy(string key, string text, IReadOnlyList<PolicySetting> settings)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        ArgumentException.ThrowIfNullOrEmpty(text);
        (Key, Text, Settings) = (key, text, settings);
    }

    /// <summary>The key of the policy in a section.</summary>
    public string Key { get; }

    /// <summary>What it is for, for the person who edits the file.</summary>
    public string Text { get; }

    /// <summary>What the policy is called in the text of its <c>Enabled</c>: "the retry". Default: its key with an article.</summary>
    public string Noun { get => field ?? $"the {Key}"; init; }

    /// <summary>The name of the policy where the options give none, when it is not that of their kind.</summary>
    public string? PolicyName { get; init; }

    /// <summary>What can be set.</summary>
    public IReadOnlyList<PolicySetting> Settings { get; }

    /// <summary>True for a policy without a group of its own: its settings are keys beside the groups of others, and it is there when the first of
    /// them is.</summary>
    public bool IsFlat { get; init; }

    /// <summary>Declares it as a part of something larger: by a group of its <see cref="Key"/>, which can say <c>Enabled: false</c>, or flat.</summary>
    /// <param name="settings">The settings of the whole.</param>
    /// <param name="get">Its options in the whole; null where there are none yet.</param>
    /// <param name="set">Takes the options with what was set; null: it is not enabled. Not called for what is flat.</param>
    /// <returns>The settings of the whole.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public PolicySettings<TWhole> Declare<TWhole>(
        PolicySettings<TWhole> settings, Func<TWhole, PolicyOptions?> get, Action<TWhole, PolicyOptions?> set)
        where TWhole : class
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(get);
        ArgumentNullException.ThrowIfNull(set);
        if (IsFlat) return settings.Of(whole => get(whole) ?? NewOptions(), Settings);
        PolicySettings<Switched> group = PolicySettings.For<Switched>()
            .Flag("Enabled", static (s, v) => s.IsEnabled = v, $"False takes {Noun} out of the pipeline. Default true.").Of(static s => s.Options, Settings);
        return settings.Group(
            Key, whole => new Switched(get(whole) ?? NewOptions()), group, Text, (whole, s) => set(whole, s.IsEnabled ? s.Options : null));
    }

    /// <summary>Options, and whether their policy is there at all.</summary>
    private sealed class Switched(PolicyOptions options)
    {
        internal PolicyOptions Options => options;

        internal bool IsEnabled { get; set; } = true;
    }

    /// <summary>The type of its options.</summary>
    public abstract Type OptionsType { get; }

    /// <summary>Options as they are without a word in the section.</summary>
    public abstract PolicyOptions NewOptions();

    /// <summary>Adds the policy to a pipeline.</summary>
    /// <exception cref="InvalidCastException"><paramref name="options"/> are of another type than <see cref="OptionsType"/>.</exception>
    public abstract void AddTo(ResiliencePipelineBuilderBase builder, PolicyOptions options);
}

/// <inheritdoc/>
/// <typeparam name="TOptions">Its options.</typeparam>
public sealed class ConfigurablePolicy<TOptions> : ConfigurablePolicy
    where TOptions : PolicyOptions, new()
{
    private readonly Action<ResiliencePipelineBuilderBase, TOptions> _add;

    /// <summary>Describes a policy that is made of its options alone.</summary>
    /// <param name="key">The key of the policy in a section.</param>
    /// <param name="text">What it is for, for the person who edits the file.</param>
    /// <param name="add">Adds it to a builder.</param>
    /// <param name="settings">What can be set. Default: what the options declare (<see cref="PolicyOptions.Settings"/>).</param>
    /// <exception cref="ArgumentNullException"><paramref name="add"/> is null.</exception>
    public ConfigurablePolicy(
        string key, string text, Action<ResiliencePipelineBuilderBase, TOptions> add, IReadOnlyList<PolicySetting>? settings = null)
        : base(key, text, settings ?? PolicySettings.Of(new TOptions()))
    {
        ArgumentNullException.ThrowIfNull(add);
        _add = add;
    }

    /// <inheritdoc/>
    public override Type OptionsType => typeof(TOptions);

    /// <inheritdoc/>
    public override PolicyOptions NewOptions() => new TOptions();

    /// <inheritdoc/>
    public override void AddTo(ResiliencePipelineBuilderBase builder, PolicyOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        _add(builder, (TOptions)options);
    }
}
