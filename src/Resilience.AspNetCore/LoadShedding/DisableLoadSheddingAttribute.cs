namespace Resilience.Overload;

/// <summary>Requests to this endpoint are never counted, made to wait or rejected by load shedding.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class DisableLoadSheddingAttribute : Attribute, ILoadSheddingMetadata
{
    /// <inheritdoc/>
    public bool IsDisabled => true;

    /// <inheritdoc/>
    public string? Group => null;
}
