using System.Runtime.CompilerServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>The bottom of every chain: run the delegate once, catch once, classify once.</summary>
/// <remarks>Where a policy of the pipeline repeats calls, it carries marks: it listens to the calls that the delegate makes.</remarks>
internal abstract class AttemptLink<T>(string pipelineName, OutcomeClassifier classifier, CallInstruments instruments, bool carriesMarks) : PolicyLink<T>
{
    private readonly Func<T, Classification>? _resultRule = classifier.BindFirst<T>();
    private readonly Func<T, string?>? _nameOf = classifier.BindName<T>();
    private readonly KeyValuePair<string, object?>[] _tagsOfSuccess = CallInstruments.TagsOfSuccess(pipelineName);

    /// <summary>The bottom of a chain: one that judges results later only where there are rules for that.</summary>
    internal static AttemptLink<T> Make(string pipelineName, OutcomeClassifier classifier, CallInstruments instruments, bool carriesMarks = false) =>
        classifier.LaterFor<T>() is { Length: > 0 } later
            ? new JudgedLaterLink<T>(pipelineName, classifier, instruments, carriesMarks, later)
            : new PlainAttemptLink<T>(pipelineName, classifier, instruments, carriesMarks);

    private protected ValueTask<Outcome<T>> RunAsync(ResilienceContext context)
    {
        Call<T> call = Unsafe.As<Call<T>>(context);
        try
        {
            ValueTask<T> running = carriesMarks ? InvokeAround(call) : call.Invoke();
            if (!running.IsCompletedSuccessfully) return Await(running, call);
            T result = running.Result;
            return IsPlain
                ? new(new Outcome<T>(result, null, Verdict.Success, OutcomeMarks.None))
                : new(EndedWith(result, context));
        }
        catch (Exception error)
        {
            return new(EndedWith(error, context)); // of the delegate, or of what it returned: its source may be the user's
        }
    }

    /// <summary>The delegate has not ended at once, or badly.</summary>
    internal ValueTask<Outcome<T>> Await(in ValueTask<T> running, Call<T> call) =>
        call.IsCompleted(running) ? new(End(running, call)) : Suspension<T>.Begin(call, this, running);

    /// <summary>A success is neither judged nor counted.</summary>
    internal bool IsPlain => _resultRule is null && !instruments.Attempts.Enabled;

    /// <summary>The delegate has ended after the call had suspended, and there is no caller on the stack to whom an exception could go.</summary>
    internal Outcome<T> EndSafely(in ValueTask<T> ended, Call<T> call)
    {
        try
        {
            return End(ended, call);
        }
        catch (Exception error)
        {
            return SuspendingLink<T>.Broken(error);
        }
    }

    private Outcome<T> End(in ValueTask<T> ended, Call<T> call) =>
        call.End(ended, out T? result) is { } error ? EndedWith(error, call) : EndedWith(result!, call);

    /// <summary>Calls that begin while the delegate is being invoked are inside this one.</summary>
    private static ValueTask<T> InvokeAround(Call<T> call)
    {
        ResilienceContext? around = CallScope.Current;
        call.BeginScope(around);
        CallScope.Current = call;
        try
        {
            return call.Invoke();
        }
        finally
        {
            CallScope.Current = around;
        }
    }

    /// <summary>The same as a span below the call's. An async method, so that the span is current for the delegate alone.</summary>
    private protected async ValueTask<Outcome<T>> TraceAsync(ResilienceContext context)
    {
        int number = context.AttemptNumber;
        using Span span = Span.Start(ResilienceTelemetry.AttemptSpanName);
        Outcome<T> outcome = await RunJudgedAsync(context).ConfigureAwait(false);
        if (!span.IsRecorded) return outcome;
        span.Tag(ResilienceTelemetry.PipelineTag, pipelineName);
        span.Tag(ResilienceTelemetry.AttemptTag, number);
        span.Tag(ResilienceTelemetry.VerdictTag, VerdictNames.Of(outcome.Verdict));
        if (outcome.Verdict == Verdict.Success) return outcome;
        span.Tag(ResilienceTelemetry.ErrorTypeTag, classifier.ErrorTypeOf(outcome.Error) ?? _nameOf?.Invoke(outcome.RawValue!) ?? "result");
        span.Fail();
        return outcome;
    }

    /// <summary>The attempt to its verdict.</summary>
    private protected abstract ValueTask<Outcome<T>> RunJudgedAsync(ResilienceContext context);

    private Outcome<T> EndedWith(T result, ResilienceContext context)
    {
        if (_resultRule is not null) return Judged(result, context);
        if (instruments.Attempts.Enabled) instruments.Attempts.Add(1, _tagsOfSuccess);
        return new(result, null, Verdict.Success, OutcomeMarks.None);
    }

    private Outcome<T> Judged(T result, ResilienceContext context)
    {
        Classification judged = _resultRule!(result);
        return judged.Verdict == Verdict.None ? new(result, null, Verdict.Success, OutcomeMarks.Unjudged) : Counted(result, judged, context);
    }

    private protected Outcome<T> Counted(T result, Classification judged, ResilienceContext context)
    {
        if (instruments.Attempts.Enabled)
        {
            if (judged.Verdict == Verdict.Success) instruments.Attempts.Add(1, _tagsOfSuccess);
            else instruments.CountAttempt(pipelineName, judged.Verdict, _nameOf?.Invoke(result));
        }

        if (judged.RetryAfter is { } wait) context.StatedRetryAfter = wait;
        return new(result, null, judged.Verdict, judged.EffectiveMarks);
    }

    internal Outcome<T> EndedWith(Exception error, ResilienceContext context)
    {
        if (context.HasEnded) return new(default, ResilienceContext.Ended(), Verdict.Ignored, OutcomeMarks.None); // a policy let it go on too late
        Outcome<T> outcome = AttemptJudge.Of<T>(error, context, classifier, context.Token);
        if (!carriesMarks && outcome.DoNotRetry) context.ReportAround(outcome.Error); // no policy here repeats: the mark set inside is passed on
        if (instruments.Attempts.Enabled) instruments.CountAttempt(pipelineName, outcome.Verdict, classifier.ErrorTypeOf(outcome.Error));
        return outcome;
    }
}

/// <summary>The bottom of most chains.</summary>
internal sealed class PlainAttemptLink<T>(string pipelineName, OutcomeClassifier classifier, CallInstruments instruments, bool carriesMarks)
    : AttemptLink<T>(pipelineName, classifier, instruments, carriesMarks)
{
    public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => context.IsTraced ? TraceAsync(context) : RunAsync(context);

    private protected override ValueTask<Outcome<T>> RunJudgedAsync(ResilienceContext context) => RunAsync(context);
}
