namespace Resilience.Events;

/// <summary>Why a hedge was not started although its time had come.</summary>
public enum HedgeSkipReason
{
    /// <summary>An attempt has said that it must not be repeated (<see cref="ResilienceContext.ForbidRetry"/>).</summary>
    NotAllowed = 0,

    /// <summary>A layer below had given up and asked for no further attempt.</summary>
    Marked,

    /// <summary>The deadline of the call has come.</summary>
    Deadline,

    /// <summary>The budget is spent.</summary>
    Budget,

    /// <summary>The call is <see cref="Overload.Criticality.Sheddable"/>: it is not worth a second attempt.</summary>
    Sheddable,

    /// <summary><see cref="HedgingOptions.CanHedge"/> said no.</summary>
    NotWanted,

    /// <summary>A policy inside shows that the dependency is overloaded: a throttle or an adaptive limit rejects calls, or the limit looks for its
    /// baseline.</summary>
    Overloaded,
}
