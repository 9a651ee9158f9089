using Resilience.Overload;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Deadlines and classes of endpoints.</summary>
public static class RequestDeadlineEndpointConventionBuilderExtensions
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    /// <summary>Requests of these endpoints that state no time have this one, and none has more than <paramref name="maxTimeout"/>.</summary>
    /// <param name="builder">An endpoint, or a group of them.</param>
    /// <param name="defaultTimeout">From 1 ms to a day; null: as the application has it.</param>
    /// <param name="maxTimeout">From 1 ms to a day; null: as the application has it.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A time is out of range.</exception>
    public static TBuilder WithRequestDeadline<TBuilder>(this TBuilder builder, TimeSpan? defaultTimeout = null, TimeSpan? maxTimeout = null)
        where TBuilder : IEndpointConventionBuilder
    {
        RequestDeadlineAttribute deadline = new()
        {
            DefaultMilliseconds = Milliseconds(defaultTimeout, nameof(defaultTimeout)),
            MaxMilliseconds = Milliseconds(maxTimeout, nameof(maxTimeout)),
        };
        return builder.WithMetadata(deadline);
    }

    /// <summary>Requests of these endpoints have no deadline, whatever they say.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static TBuilder DisableRequestDeadline<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder => builder.WithMetadata(new RequestDeadlineAttribute { IsDisabled = true });

    /// <summary>Requests of these endpoints that state no class have this one.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="criticality"/> is undefined.</exception>
    public static TBuilder WithCriticality<TBuilder>(this TBuilder builder, Criticality criticality)
        where TBuilder : IEndpointConventionBuilder
    {
        if (!Enum.IsDefined(criticality)) throw new ArgumentOutOfRangeException(nameof(criticality), criticality, "A defined class of criticality.");
        return builder.WithMetadata(new RequestCriticalityAttribute(criticality));
    }

    private static int Milliseconds(TimeSpan? time, string name)
    {
        if (time is not { } given) return 0;
        if (given < TimeSpan.FromMilliseconds(1) || given > Longest) throw new ArgumentOutOfRangeException(name, given, "From 1 ms to a day.");
        return (int)Math.Ceiling(given.TotalMilliseconds);
    }
}
