namespace Resilience;

/// <summary>What configuration may say about chaos: <see cref="ChaosOptions"/> without its delegates.</summary>
/// <remarks>Null means not configured: the value of the code or the default stays. Equal by value. In an environment in which chaos is
/// not allowed, a section that has this group is wrong, unless <see cref="Enabled"/> is false.</remarks>
public sealed record ChaosSettings
{
    /// <summary>False takes chaos out of the pipeline. Null or true: it stays, and <see cref="IsOn"/> says whether it does anything.</summary>
    public bool? Enabled { get; set; }

    /// <summary>Whether chaos is on. A change turns the switch; without one the switch stays as it was set by hand. Default false.</summary>
    public bool? IsOn { get; set; }

    /// <summary>How often each kind is injected.</summary>
    public ChaosRatesSettings? Rates { get; set; }

    /// <inheritdoc cref="ChaosOptions.Latency"/>
    public TimeSpan? Latency { get; set; }

    /// <inheritdoc cref="ChaosOptions.MaxLatency"/>
    public TimeSpan? MaxLatency { get; set; }

    /// <summary>When there is chaos while it is on. It takes the place of one set in code.</summary>
    public ChaosScheduleSettings? Schedule { get; set; }

    /// <inheritdoc cref="ChaosOptions.Seed"/>
    public long? Seed { get; set; }

    /// <summary>Environments in which chaos is allowed besides those that the code says.</summary>
    public IReadOnlyList<string>? AllowedEnvironments { get; set; }

    /// <summary>Copies what was configured to the options.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public void ApplyTo(ChaosOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (IsOn is { } on) options.IsOn = on;
        if (Rates is { } rates) options.Rates = rates.Over(options.Rates);
        if (Latency is { } latency) options.Latency = latency;
        if (MaxLatency is { } max) options.MaxLatency = max;
        if (Schedule is { } schedule) options.Schedule = schedule.ToSchedule();
        if (Seed is { } seed) options.Seed = seed;
        foreach (string name in AllowedEnvironments ?? []) options.AllowedEnvironments.Add(name);
    }

    /// <inheritdoc/>
    public bool Equals(ChaosSettings? other) =>
        other is not null
        && (Enabled, IsOn, Latency, MaxLatency, Seed) == (other.Enabled, other.IsOn, other.Latency, other.MaxLatency, other.Seed)
        && Rates == other.Rates
        && Schedule == other.Schedule
        && SettingLists.Same(AllowedEnvironments, other.AllowedEnvironments);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Enabled, IsOn, Latency, MaxLatency, Seed, Rates, Schedule, AllowedEnvironments?.Count);
}

/// <summary>What configuration may say about the rates of chaos.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record ChaosRatesSettings
{
    /// <inheritdoc cref="ChaosRates.Behaviour"/>
    public double? Behaviour { get; set; }

    /// <inheritdoc cref="ChaosRates.Latency"/>
    public double? Latency { get; set; }

    /// <inheritdoc cref="ChaosRates.Fault"/>
    public double? Fault { get; set; }

    /// <inheritdoc cref="ChaosRates.Result"/>
    public double? Result { get; set; }

    /// <inheritdoc cref="ChaosRates.LostReply"/>
    public double? LostReply { get; set; }

    internal ChaosRates Over(ChaosRates said) => new()
    {
        Behaviour = Behaviour ?? said.Behaviour,
        Latency = Latency ?? said.Latency,
        Fault = Fault ?? said.Fault,
        Result = Result ?? said.Result,
        LostReply = LostReply ?? said.LostReply,
    };
}

/// <summary>What configuration may say about the schedule of chaos. It starts when chaos is turned on.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record ChaosScheduleSettings
{
    /// <inheritdoc cref="ChaosSchedule.RepeatEvery"/>
    public TimeSpan? RepeatEvery { get; set; }

    /// <inheritdoc cref="ChaosSchedule.Windows"/>
    public IReadOnlyList<ChaosWindowSettings>? Windows { get; set; }

    internal ChaosSchedule ToSchedule()
    {
        ChaosSchedule schedule = new() { RepeatEvery = RepeatEvery };
        ChaosWindow standard = new();
        foreach (ChaosWindowSettings window in Windows ?? [])
            schedule.Window(window.From ?? standard.From, window.Length ?? standard.Length, window.Rates?.Over(default));
        return schedule;
    }

    /// <inheritdoc/>
    public bool Equals(ChaosScheduleSettings? other) =>
        other is not null && RepeatEvery == other.RepeatEvery && (Windows ?? []).SequenceEqual(other.Windows ?? []);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(RepeatEvery, Windows?.Count);
}

/// <summary>What configuration may say about a window of the schedule.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record ChaosWindowSettings
{
    /// <inheritdoc cref="ChaosWindow.From"/>
    public TimeSpan? From { get; set; }

    /// <inheritdoc cref="ChaosWindow.Length"/>
    public TimeSpan? Length { get; set; }

    /// <summary>The rates in this window; a kind that is absent is not injected. Null: the rates of the whole.</summary>
    public ChaosRatesSettings? Rates { get; set; }
}
