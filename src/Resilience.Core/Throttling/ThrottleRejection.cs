using System.Globalization;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>An adaptive throttle rejected the call: the dependency is overloaded, and was not asked. One instance for each class and tick of 100 ms.</summary>
public sealed class ThrottleRejection : Rejection
{
    private readonly long _ended;
    private readonly long _accepted;

    internal ThrottleRejection(PolicyEnvironment environment, Criticality criticality, double share, long ended, long accepted)
        : base(environment.PipelineName, environment.PolicyName)
    {
        Criticality = criticality;
        Share = share;
        _ended = ended;
        _accepted = accepted;
    }

    /// <summary>The class of the call.</summary>
    public Criticality Criticality { get; }

    /// <summary>The share of calls of this class that was rejected at that moment.</summary>
    public double Share { get; }

    /// <inheritdoc/>
    /// <remarks>Which call is rejected is chance, so there is no moment at which it would not be.</remarks>
    public override string Reason => string.Create(
        CultureInfo.InvariantCulture,
        $"{Who}: the dependency is overloaded, {Accepted} of criticality '{CriticalityNames.Of(Criticality)}', ")
        + string.Create(CultureInfo.InvariantCulture, $"so {Share * 100:0.#} % of such calls are rejected here at this moment; ")
        + "the share falls when it accepts more.";

    private string Accepted => (_accepted, _ended) switch
    {
        (0, 1) => "it did not accept the last call",
        (0, _) => string.Create(CultureInfo.InvariantCulture, $"it accepted none of the last {_ended} calls"),
        (_, 1) => "it accepted the last call",
        _ => string.Create(CultureInfo.InvariantCulture, $"it accepted {_accepted} of the last {_ended} calls"),
    };

    /// <inheritdoc/>
    public override ResilienceException ToException() => new ThrottledException(this);
}
