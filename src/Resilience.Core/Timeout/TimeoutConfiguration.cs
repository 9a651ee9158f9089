using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a section of configuration names the timeouts of a call and of its attempts: by a span beside the groups of the other policies.</summary>
internal static class TimeoutConfiguration
{
    private static readonly TimeSpan Shortest = TimeoutOptions.Shortest;

    internal static ConfigurablePolicy OfCall { get; } = new ConfigurablePolicy<TimeoutOptions>(
        "TotalTimeout", "How long the whole call may take.", static (builder, options) => builder.AddTimeout(options),
        PolicySettings.For<TimeoutOptions>().Span(
            "TotalTimeout", null, static (o, v) => o.Timeout = v, Shortest, null,
            "The time allowed for the whole call, all attempts and waits together, from 1 ms to a day.", option: nameof(TimeoutOptions.Timeout)))
    {
        IsFlat = true,
        PolicyName = "total-timeout",
    };

    internal static ConfigurablePolicy OfAttempt { get; } = new ConfigurablePolicy<TimeoutOptions>(
        "AttemptTimeout", "How long each attempt may take.", static (builder, options) => builder.AddTimeout(options),
        PolicySettings.For<TimeoutOptions>()
            .Span("AttemptTimeout", null, static (o, v) => o.Timeout = v, Shortest, null, "The time allowed for each attempt, from 1 ms to a day.",
                option: nameof(TimeoutOptions.Timeout))
            .Span("AbandonAttemptAfter", null, static (o, v) => o.AbandonAfter = v, TimeSpan.Zero, null,
                "How long to wait, after the time of an attempt is up, for code that does not honor its token, from zero to a day. Default: until it ends.",
                option: nameof(TimeoutOptions.AbandonAfter)))
    {
        IsFlat = true,
        PolicyName = "attempt-timeout",
    };
}
