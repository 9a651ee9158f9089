namespace Resilience;

/// <summary>A call that is described before it is made, and handed on until it is: its operation, its token and its properties. For programs in which
/// who begins a call is not who makes it; elsewhere <see cref="CallOptions"/> is enough, and costs no object.</summary>
/// <remarks>Not thread-safe while its properties are filled. It may be made several times; each is a call of its own, which sees the properties as they are
/// when it begins, and what policies and attempts set stays with them.</remarks>
/// <param name="operation">What the call does, for telemetry; null: nothing is said.</param>
/// <param name="cancellationToken">Ends the call.</param>
public sealed class PreparedCall(string? operation = null, CancellationToken cancellationToken = default)
{
    /// <summary>As above, without an operation.</summary>
    /// <param name="cancellationToken">Ends the call.</param>
    public PreparedCall(CancellationToken cancellationToken)
        : this(null, cancellationToken)
    {
    }

    /// <summary>What the call does, for telemetry; null: nothing is said.</summary>
    public string? Operation { get; } = operation;

    /// <summary>Ends the call.</summary>
    public CancellationToken CancellationToken { get; } = cancellationToken;

    /// <summary>What policies and attempts find in the context of the call.</summary>
    public CallProperties Properties { get; } = new();

    internal CallOptions Options => new(Operation) { Properties = Properties };
}
