namespace Resilience.Events;

/// <summary>Something that a policy did: base of the event records.</summary>
/// <param name="PipelineName">The pipeline, empty if it has no name.</param>
/// <param name="PolicyName">The policy.</param>
public abstract record ResilienceEvent(string PipelineName, string PolicyName)
{
    /// <summary>What the caller said it was doing (<see cref="CallOptions.Operation"/>); null if it did not say, or if the event belongs
    /// to no single call.</summary>
    public string? Operation { get; init; }

    /// <summary>A stable number for the line in a log; zero (default) if it has none of its own. Numbers below 1000 are the library's.</summary>
    public virtual int GetEventId() => 0;

    /// <summary>How much it matters. Default <see cref="ResilienceEventLevel.Debug"/>.</summary>
    public virtual ResilienceEventLevel GetLevel() => ResilienceEventLevel.Debug;

    /// <summary>The exception that a log prints with the line; default null.</summary>
    public virtual Exception? GetException() => null;

    /// <summary>What happened, in a sentence without the names of pipeline and policy, which stand before it in a log. Default: the record itself.
    /// Called only where the line is written.</summary>
    public virtual EventMessage GetMessage()
    {
        ResilienceEvent happened = this;
        return $"{happened}";
    }

    /// <summary>The sentence of a rejection without the names before it, which stand before the message already.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rejection"/> is null.</exception>
    protected string ReasonWithoutNames(Rejection rejection)
    {
        ArgumentNullException.ThrowIfNull(rejection);
        string reason = SafeRejection.ReasonOf(rejection);
        foreach (string names in (ReadOnlySpan<string>)[$"{PipelineName}/{PolicyName}: ", $"{PolicyName}: "])
        {
            if (reason.StartsWith(names, StringComparison.Ordinal)) return reason[names.Length..];
        }

        return reason;
    }
}
