using Resilience.Extensibility;

namespace Resilience;

/// <summary>How long a call, or an attempt, may take.</summary>
public sealed class TimeoutOptions : PolicyOptions
{
    internal static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);

    /// <summary>The time allowed, 1 ms to a day. Default 30 s.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Another time for this call; null, a throw or an answer out of range means <see cref="Timeout"/>; the latter two are
    /// counted in <c>resilience.callback.errors</c>. Default null.</summary>
    public Func<ResilienceContext, TimeSpan?>? TimeoutFor { get; set; }

    /// <summary>
    /// How long to wait, after the time is up, for a delegate that does not honor its token, before walking away from it. Zero to a day.
    /// Default null: wait until it ends, because a delegate that is left alone still runs and still holds what it holds.
    /// </summary>
    public TimeSpan? AbandonAfter { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "timeout";

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Span(nameof(Timeout), Timeout, Shortest);
        if (AbandonAfter is { } abandon) check.Span(nameof(AbandonAfter), abandon, TimeSpan.Zero);
    }
}
