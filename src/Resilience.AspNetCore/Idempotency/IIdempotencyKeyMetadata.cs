namespace Resilience.Idempotency;

/// <summary>Endpoints with this metadata use idempotency keys.</summary>
public interface IIdempotencyKeyMetadata
{
    /// <summary>The options of this endpoint; null: those of the application.</summary>
    IdempotencyEndpointOptions? Options { get; }
}
