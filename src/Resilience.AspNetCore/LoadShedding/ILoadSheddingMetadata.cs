namespace Resilience.Overload;

/// <summary>How an endpoint stands to load shedding.</summary>
public interface ILoadSheddingMetadata
{
    /// <summary>Whether its requests are never counted, made to wait or rejected.</summary>
    bool IsDisabled { get; }

    /// <summary>The group whose limit its requests share; null: the common one.</summary>
    string? Group { get; }
}
