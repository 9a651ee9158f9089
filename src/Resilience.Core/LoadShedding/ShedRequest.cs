namespace Resilience.Overload;

/// <summary>What a <see cref="LoadShedder"/> goes by. <c>default</c> is a request of class <see cref="Criticality.Sheddable"/>.</summary>
/// <param name="Criticality">Its class.</param>
public readonly record struct ShedRequest(Criticality Criticality)
{
    /// <summary>The user or tenant: requests with the same one are served or rejected together, for an hour. Null (default): each request for itself, by
    /// chance.</summary>
    public string? FairnessKey { get; init; }

    /// <summary>Whether the caller has sent it before. Default false.</summary>
    public bool IsRepeated { get; init; }

    /// <summary>How long its caller still waits: it does not wait longer for a place. Null (default): as long as the options allow.</summary>
    public TimeSpan? TimeLeft { get; init; }
}
