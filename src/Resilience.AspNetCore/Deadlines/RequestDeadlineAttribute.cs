namespace Resilience.Overload;

/// <summary>Deadlines of an endpoint where they shall differ from the application's, by which requests without one would be cut too, or that none is
/// read.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class RequestDeadlineAttribute : Attribute
{
    /// <summary>How long a request has that states no time, in milliseconds; 0 (default): as the application has it. 1 to 86,400,000.</summary>
    public int DefaultMilliseconds { get; set; }

    /// <summary>No caller has longer, in milliseconds; 0 (default): as the application has it. 1 to 86,400,000.</summary>
    public int MaxMilliseconds { get; set; }

    /// <summary>Whether requests of this endpoint have no deadline, whatever they say: for long polls and sockets. Default false.</summary>
    public bool IsDisabled { get; set; }
}
