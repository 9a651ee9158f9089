using System.Globalization;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>A server rejected a request to protect those that it serves: nothing was carried out. Shared instances.</summary>
public sealed class ShedRejection : Rejection
{
    private readonly Func<string> _because;

    internal ShedRejection(PolicyEnvironment environment, ShedReason why, Criticality criticality, bool isEverywhere, Func<string> because)
        : base(environment.PipelineName, environment.PolicyName)
    {
        Why = why;
        Criticality = criticality;
        IsEverywhere = isEverywhere;
        _because = because;
    }

    /// <summary>What was overloaded.</summary>
    public ShedReason Why { get; }

    /// <summary>The class of the request.</summary>
    public Criticality Criticality { get; }

    /// <summary>Whether the same request is probably rejected by other instances too, so that the caller should not repeat it there.</summary>
    public bool IsEverywhere { get; }

    /// <inheritdoc/>
    public override string Reason => string.Create(
        CultureInfo.InvariantCulture, $"{Who}: a request of criticality '{CriticalityNames.Of(Criticality)}' was rejected: {_because()}.");

    /// <inheritdoc/>
    public override ResilienceException ToException() => new LoadShedException(this);
}
