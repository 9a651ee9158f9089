namespace Resilience.Configuration;

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
