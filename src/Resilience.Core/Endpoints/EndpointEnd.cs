namespace Resilience.Overload;

/// <summary>How a call to an endpoint has ended, as far as it says something about the endpoint.</summary>
public enum EndpointEnd
{
    /// <summary>It was answered.</summary>
    Answered = 0,

    /// <summary>It failed, and that speaks against the endpoint. However fast, it counts as slow: a second at least.</summary>
    Failed,

    /// <summary>The endpoint asked for patience: it is not ejected for that, and is asked less.</summary>
    Throttled,

    /// <summary>It was cancelled, for example because a hedge was faster: it took at least so long.</summary>
    Cut,

    /// <summary>Nothing was sent.</summary>
    NotSent,
}
