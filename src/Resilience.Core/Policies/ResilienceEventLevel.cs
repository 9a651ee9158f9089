namespace Resilience.Events;

/// <summary>How much an event matters to those who run the application; the levels of a log.</summary>
public enum ResilienceEventLevel
{
    /// <summary>Ordinary work of a policy, such as a call that an open circuit rejected.</summary>
    Debug = 0,

    /// <summary>A change for the better, or help that was given.</summary>
    Information = 1,

    /// <summary>A failure that a policy dealt with, or a state in which calls are rejected.</summary>
    Warning = 2,

    /// <summary>Something that should be looked at.</summary>
    Error = 3,
}
