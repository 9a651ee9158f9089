namespace Resilience.StormLab;

/// <summary>How a service, or the clients of it, are protected from overload.</summary>
public enum OverloadSide
{
    /// <summary>Not at all: every call is taken.</summary>
    Naive = 0,

    /// <summary>By a limit that was right on an ordinary day.</summary>
    Static = 1,

    /// <summary>By a limit that finds itself.</summary>
    Adaptive = 2,
}
