using System.Diagnostics;

namespace Resilience.Events;

/// <summary>Something that a policy did, with all that is told of it: a counter, an event on the current span, a line in the log, an entry on the live
/// page. A policy makes one and gives it to <see cref="Extensibility.PolicyEnvironment.Report"/>, which does the rest.</summary>
/// <remarks>A type of event overrides what is not so by default. What an override throws is counted and swallowed.</remarks>
/// <param name="PipelineName">The pipeline, empty if it has no name.</param>
/// <param name="PolicyName">The policy.</param>
public abstract record ResilienceEvent(string PipelineName, string PolicyName)
{
    /// <summary>What the caller said it was doing (<see cref="CallOptions.Operation"/>); null if it did not say, or if the event belongs
    /// to no single call.</summary>
    public string? Operation { get; init; }

    /// <summary>A stable number for the line in a log; zero (default) if it has none of its own. Numbers below 1000 are the library's.</summary>
    public virtual int GetEventId() => 0;

    /// <summary>How much it matters. Default <see cref="ResilienceEventLevel.Debug"/>.</summary>
    public virtual ResilienceEventLevel GetLevel() => ResilienceEventLevel.Debug;

    /// <summary>The exception that a log prints with the line; default null.</summary>
    public virtual Exception? GetException() => null;

    /// <summary>What happened, in a sentence without the names of pipeline and policy, which stand before it in a log. Default: the record itself.
    /// Called only where the line is written.</summary>
    public virtual EventMessage GetMessage()
    {
        ResilienceEvent happened = this;
        return $"{happened}";
    }

    /// <summary>What counts events of this type; null (default): they are not counted. Always the same object.</summary>
    public virtual EventMetric? GetMetric() => null;

    /// <summary>For a call that was rejected: why; otherwise null (default).</summary>
    public virtual Rejection? GetRejection() => null;

    /// <summary>The name under which it is written on the current span; null: it is not. Default: <c>resilience.rejected</c> for a rejection, otherwise
    /// null.</summary>
    public virtual string? GetSpanEventName() => GetRejection() is null ? null : SpanEvents.Rejected;

    /// <summary>Adds what the counter and the span are told beside pipeline and policy. Values of few kinds only: each makes a series.</summary>
    public virtual void AddTags(ref TagList tags)
    {
    }

    /// <summary>Adds what only the span is told: sentences, ids, times. The sentence of a rejection is there already.</summary>
    public virtual void AddSpanTags(ref TagList tags)
    {
    }

    /// <summary>For a change of state: the state now, in a word ("open"). Null (default): it happened to a single call. Changes are rare, are told to
    /// all listeners and are always kept by the live page.</summary>
    public virtual string? GetNewState() => null;

    /// <summary>What the live page gathers with it in one entry; null: it is not shown there. Default: all events of this type.</summary>
    public virtual EventGroup? GetGroup() => new(GetType().Name);

    /// <summary>What happened, in a sentence for the live page, whose viewers may be more than those who read the logs: numbers, types and names of
    /// policies, no message of an exception, and no key of a call unless it is asked for. Default: <see cref="GetMessage"/>.</summary>
    /// <param name="withKeys">Whether keys of calls may be shown.</param>
    public virtual string GetSummary(bool withKeys) => $"{PolicyName}: {GetMessage()}.";

    /// <summary>False for what serves many pipelines and is counted without the name of one.</summary>
    private protected virtual bool HasPipelineTag => true;

    /// <summary>Whom the counter is told of.</summary>
    internal TagList MetricTags()
    {
        TagList tags = default;
        if (HasPipelineTag) tags.Add(ResilienceTelemetry.PipelineTag, PipelineName);
        tags.Add(ResilienceTelemetry.PolicyTag, PolicyName);
        AddTags(ref tags);
        return tags;
    }

    /// <summary>Whom the span is told of: the pipeline is the span's own.</summary>
    internal TagList SpanTags()
    {
        TagList tags = new() { { ResilienceTelemetry.PolicyTag, PolicyName } };
        AddTags(ref tags);
        if (GetRejection() is { } rejection) tags.Add(ResilienceTelemetry.ExplanationTag, SafeRejection.ReasonOf(rejection));
        AddSpanTags(ref tags);
        return tags;
    }

    /// <summary>The sentence of a rejection without the names before it, which stand before the message already.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rejection"/> is null.</exception>
    protected string ReasonWithoutNames(Rejection rejection)
    {
        ArgumentNullException.ThrowIfNull(rejection);
        string reason = SafeRejection.ReasonOf(rejection);
        foreach (string names in (ReadOnlySpan<string>)[$"{PipelineName}/{PolicyName}: ", $"{PolicyName}: "])
        {
            if (reason.StartsWith(names, StringComparison.Ordinal)) return reason[names.Length..];
        }

        return reason;
    }
}
