namespace Resilience.Overload;

/// <summary>The deadline of a request, for middleware of ours behind that of deadlines: a feature of the request.</summary>
internal interface IRequestExpiry
{
    /// <summary>Whether the time of the request is up.</summary>
    bool IsExpired { get; }

    /// <summary>Answers that its time was up before anything of it began.</summary>
    /// <param name="stage">Where it was then: "queue".</param>
    Task RejectAsync(string stage);
}
