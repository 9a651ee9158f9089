using System.Diagnostics;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Stands before the first link of a call that is measured or traced.</summary>
internal sealed class ObservedLink<T>(PolicyLink<T> next, CallSite site, OutcomeClassifier classifier) : SuspendingLink<T>
{
    private readonly Func<T, string?>? _nameOf = classifier.BindName<T>();
    private readonly KeyValuePair<string, object?>[] _tagsOfSuccess = CallInstruments.TagsOfSuccess(site.PipelineName);

    public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
    {
        if (ResilienceTelemetry.Source.HasListeners()) return TraceAsync(context);
        long start = site.Clock.Time.GetTimestamp();
        ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
        if (!running.IsCompletedSuccessfully) return Suspend(running, context, new(null, number: start));
        Outcome<T> outcome = running.Result;
        Measure(outcome, start, context);
        return new(outcome);
    }

    private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
    {
        Measure(outcome, state.Number, context);
        return true;
    }

    private void Measure(in Outcome<T> outcome, long start, ResilienceContext context)
    {
        if (outcome.Verdict != Verdict.Success || context.NameOfOperation is not null)
        {
            Record(start, context, TagsOf(outcome, context));
            return;
        }

        site.Instruments.Duration.Record(site.Clock.Time.GetElapsedTime(start).TotalSeconds, _tagsOfSuccess);
        site.Instruments.AttemptsOfCall.Record(context.AttemptNumber + 1, _tagsOfSuccess);
    }

    /// <summary>The same with a span. An async method, so that the span is current for what is below, and not for the caller.</summary>
    private async ValueTask<Outcome<T>> TraceAsync(ResilienceContext context)
    {
        using Span span = Span.Start(site.PipelineName.Length == 0 ? "resilience" : site.PipelineName);
        context.IsTraced = span.IsRecorded;
        long start = site.Clock.Time.GetTimestamp();
        Outcome<T> outcome;
        try
        {
            outcome = await next.ExecuteAsync(context).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            outcome = Broken(error);
        }

        context.IsTraced = false;
        TagList tags = TagsOf(outcome, context);
        Record(start, context, tags);
        if (!span.Exists) return outcome;
        foreach (KeyValuePair<string, object?> tag in tags) span.Tag(tag.Key, tag.Value);
        span.Tag("resilience.attempts", context.AttemptNumber + 1);
        if (outcome.Verdict != Verdict.Success) span.Fail();
        return outcome;
    }

    private void Record(long start, ResilienceContext context, in TagList tags)
    {
        if (!site.Instruments.CallsAreMeasured) return;
        site.Instruments.Duration.Record(site.Clock.Time.GetElapsedTime(start).TotalSeconds, tags);
        site.Instruments.AttemptsOfCall.Record(context.AttemptNumber + 1, tags);
    }

    private TagList TagsOf(in Outcome<T> outcome, ResilienceContext context)
    {
        TagList tags = new()
        {
            { ResilienceTelemetry.PipelineTag, site.PipelineName },
            { ResilienceTelemetry.VerdictTag, VerdictNames.Of(outcome.Verdict) },
        };
        if (context.NameOfOperation is { } operation) tags.Add(ResilienceTelemetry.OperationTag, operation);
        if (outcome.Verdict != Verdict.Success)
            tags.Add(ResilienceTelemetry.ErrorTypeTag, classifier.ErrorTypeOf(outcome.Error) ?? _nameOf?.Invoke(outcome.RawValue!) ?? "result");
        return tags;
    }
}
