using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Resilience.Events;

/// <summary>An attempt failed and will be repeated after a wait.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The policy.</param>
/// <param name="Attempt">The attempt that failed, 0 for the first.</param>
/// <param name="Delay">The wait to come.</param>
/// <param name="Reason">What the attempt ended with: the type of the exception or rejection, or "result".</param>
/// <param name="AskedFor">Whether the wait was asked for by the server (or a policy that rejected) rather than computed.</param>
public sealed record RetryScheduled(string PipelineName, string PolicyName, int Attempt, TimeSpan Delay, string Reason, bool AskedFor)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <summary>What the attempt threw; null when it ended with a result. It may be another one for each listener.</summary>
    public Exception? Exception { get; init; }

    /// <summary>How long the attempt took, by the coarse clock; null when its beginning is not known. Where a policy below made several attempts,
    /// or had the call wait in a queue: the last of them, from when it left the queue.</summary>
    public TimeSpan? AttemptDuration { get; init; }

    private int AttemptNumber => Attempt + 1; // people count from one

    /// <inheritdoc/>
    public override int GetEventId() => 1;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => $"attempt {AttemptNumber} failed ({Reason}); next attempt in {Delay}";

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.retries", "{retry}", "Retries scheduled, by what the attempt before ended with.");

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.retry";

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags) => tags.Add(ResilienceTelemetry.ReasonTag, Reason);

    /// <inheritdoc/>
    public override void AddSpanTags(ref TagList tags) => tags.Add("resilience.retry.delay", Delay.TotalSeconds);

    /// <summary>Not shown: it is what retries are for.</summary>
    public override EventGroup? GetGroup() => null;

    /// <summary>For <see cref="object.ToString"/>: the exception with its type and message alone.</summary>
    protected override bool PrintMembers(StringBuilder builder)
    {
        base.PrintMembers(builder);
        builder.Append(CultureInfo.InvariantCulture, $", {nameof(Attempt)} = {Attempt}, {nameof(Delay)} = {Delay}, {nameof(Reason)} = {Reason}")
            .Append(CultureInfo.InvariantCulture, $", {nameof(AskedFor)} = {AskedFor}, {nameof(Exception)} = {Safely.TextOf(Exception)}")
            .Append(CultureInfo.InvariantCulture, $", {nameof(AttemptDuration)} = {AttemptDuration}");
        return true;
    }
}
