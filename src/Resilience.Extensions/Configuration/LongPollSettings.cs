using Resilience.Http;

namespace Resilience.Configuration;

/// <summary>What configuration may say about long polls: <see cref="LongPollOptions"/> without its delegate.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record LongPollSettings
{
    /// <summary>As <see cref="LongPollOptions.Paths"/>; in addition to those of the code.</summary>
    public IReadOnlyList<string>? Paths { get; set; }

    /// <inheritdoc cref="LongPollOptions.Timeout"/>
    public TimeSpan? Timeout { get; set; }

    /// <summary>Copies what was configured to the options.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public void ApplyTo(LongPollOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        foreach (string path in Paths ?? []) options.Paths.Add(path);
        if (Timeout is { } timeout) options.Timeout = timeout;
    }

    /// <inheritdoc/>
    public bool Equals(LongPollSettings? other) => other is not null && Timeout == other.Timeout && SettingLists.Same(Paths, other.Paths);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Timeout, Paths?.Count);
}
