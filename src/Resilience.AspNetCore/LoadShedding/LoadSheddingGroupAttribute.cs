namespace Resilience.Overload;

/// <summary>Requests to this endpoint share a limit with those of the same group, beside the common one: for work that uses another resource.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class LoadSheddingGroupAttribute : Attribute, ILoadSheddingMetadata
{
    /// <summary>Puts it into a group.</summary>
    /// <param name="group">Its name, shown in telemetry.</param>
    /// <exception cref="ArgumentException">It is null or empty.</exception>
    public LoadSheddingGroupAttribute(string group)
    {
        ArgumentException.ThrowIfNullOrEmpty(group);
        Group = group;
    }

    /// <inheritdoc/>
    public bool IsDisabled => false;

    /// <inheritdoc/>
    public string Group { get; }
}
