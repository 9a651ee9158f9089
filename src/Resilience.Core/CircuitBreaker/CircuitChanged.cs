using System.Diagnostics;
using System.Globalization;
using System.Text;
using Resilience.Extensibility;

namespace Resilience.Events;

/// <summary>A circuit has changed its state.</summary>
/// <param name="PipelineName">The pipeline, empty if the breaker is used alone.</param>
/// <param name="PolicyName">The breaker.</param>
/// <param name="From">The state before.</param>
/// <param name="To">The state now.</param>
/// <param name="Epoch">The number of the epoch that began; events come in the order of these numbers, and no change is left out. A number is
/// passed over where a closed circuit was closed by hand, which changes no state.</param>
/// <param name="Cause">What opened the circuit; for a change to half open or closed, what had opened it, or <see cref="TripRule.ByHand"/>
/// for a closing by hand.</param>
/// <param name="BreakDuration">For a change to open: how long the break lasts.</param>
public sealed record CircuitChanged(
    string PipelineName, string PolicyName, CircuitState From, CircuitState To, long Epoch, TripCause Cause, TimeSpan? BreakDuration)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 3;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() =>
        To is CircuitState.Open or CircuitState.Isolated ? ResilienceEventLevel.Warning : ResilienceEventLevel.Information;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => Sentence().With(nameof(From), From).With(nameof(To), To).With(nameof(Key), Key);

    private string Circuit => Key is null ? "circuit" : $"circuit '{Key}'";

    private EventMessage Sentence() => To switch
    {
        CircuitState.Isolated => $"{Circuit} isolated by hand",
        CircuitState.Open when BreakDuration is null => $"{Circuit} opened: {Cause}",
        CircuitState.Open => $"{Circuit} opened for {BreakDuration}: {Cause}",
        CircuitState.HalfOpen => $"{Circuit} half-open, probing; it had opened because {Cause}",
        _ when Cause.Rule == TripRule.ByHand => $"{Circuit} closed by hand",
        _ => $"{Circuit} closed; it had opened because {Cause}",
    };

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new(
        "resilience.circuit_breaker.transitions", "{transition}", "Changes of state, by the states left and entered.");

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.circuit_breaker.transition";

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags)
    {
        tags.Add("resilience.circuit_breaker.from", CircuitNames.OfTag(From));
        tags.Add("resilience.circuit_breaker.to", CircuitNames.OfTag(To));
    }

    /// <inheritdoc/>
    public override void AddSpanTags(ref TagList tags)
    {
        if (To == CircuitState.Open) tags.Add(ResilienceTelemetry.ExplanationTag, Cause.ToString());
    }

    /// <inheritdoc/>
    public override string GetNewState() => CircuitNames.Of(To);

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys)
    {
        string key = Key is { } known && withKeys ? $" ({known})" : "";
        return To switch
        {
            CircuitState.Open => $"Open{key}: {Cause}.{(BreakDuration is { } length ? $" Calls are rejected for {TimeText.Of(length)}." : "")}",
            CircuitState.HalfOpen => $"Half open{key}: a probe is on its way. It had opened because {Cause}.",
            CircuitState.Isolated => $"Isolated{key}: held open by hand.",
            _ => Cause.Rule == TripRule.ByHand ? $"Closed{key}: by hand." : $"Closed{key}: the probes succeeded.",
        };
    }

    /// <summary>For a breaker of <see cref="CircuitBreakerPartitions"/>: its key.</summary>
    public string? Key { get; init; }

    /// <summary>For a change to open by calls: what the last failure before it has thrown; null where it was a result, or a call was slow.</summary>
    public Exception? LastException { get; init; }

    /// <summary>For a change to open by calls: the name of the result that was the last failure before it ("503"); null where it was an
    /// exception.</summary>
    public string? LastResult { get; init; }

    /// <summary>For a rejection the exception is made by this call.</summary>
    internal static Exception? ExceptionOf(object? failure) =>
        failure as Exception ?? (failure is Rejection rejection ? SafeRejection.ToException(rejection) : null);

    /// <summary>For <see cref="object.ToString"/>: the exception with its type and message alone.</summary>
    protected override bool PrintMembers(StringBuilder builder)
    {
        base.PrintMembers(builder);
        builder.Append(CultureInfo.InvariantCulture, $", {nameof(From)} = {From}, {nameof(To)} = {To}, {nameof(Epoch)} = {Epoch}, {nameof(Cause)} = {Cause}")
            .Append(CultureInfo.InvariantCulture, $", {nameof(BreakDuration)} = {BreakDuration}, {nameof(Key)} = {Key}")
            .Append(CultureInfo.InvariantCulture, $", {nameof(LastException)} = {Safely.TextOf(LastException)}, {nameof(LastResult)} = {LastResult}");
        return true;
    }
}
