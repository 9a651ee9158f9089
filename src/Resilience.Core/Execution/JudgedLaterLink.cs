namespace Resilience;

/// <summary>The bottom of a chain for whose results there are rules that are awaited: they are asked within the attempt, where the user's other rules
/// are silent, and before the tables.</summary>
internal sealed class JudgedLaterLink<T>(
    string pipelineName, OutcomeClassifier classifier, CallInstruments instruments, bool carriesMarks, ResultRule[] later)
    : AttemptLink<T>(pipelineName, classifier, instruments, carriesMarks)
{
    private readonly OutcomeClassifier _classifier = classifier;
    private readonly Func<T, Classification>? _tables = classifier.BindTables<T>();
    private readonly Func<T, ResilienceContext, ValueTask<Classification?>>[] _rules = [.. later.Select(static r => ((LaterRule)r).Bind<T>())];

    public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => context.IsTraced ? TraceAsync(context) : RunJudgedAsync(context);

    private protected override async ValueTask<Outcome<T>> RunJudgedAsync(ResilienceContext context)
    {
        Outcome<T> outcome = await RunAsync(context).ConfigureAwait(false);
        return (outcome.Marks & OutcomeMarks.Unjudged) == 0 ? outcome : await JudgeAsync(outcome.RawValue!, context).ConfigureAwait(false);
    }

    private async ValueTask<Outcome<T>> JudgeAsync(T result, ResilienceContext context)
    {
        foreach (Func<T, ResilienceContext, ValueTask<Classification?>> rule in _rules)
        {
            try
            {
                Classification? answer = await context
                    .BeginSettled((Rule: rule, Result: result, Context: context.Shown()), static begun => begun.Rule(begun.Result, begun.Context))
                    .ConfigureAwait(false);
                if (answer is { } judged && _classifier.Accepts(judged)) return Counted(result, judged, context);
            }
            catch (Exception error)
            {
                if (context.Token.IsCancellationRequested) return Cut(result, error, context);
                Safely.Report("classifier", error);
            }
        }

        return Counted(result, _tables?.Invoke(result) ?? Verdict.Success, context);
    }

    /// <summary>The attempt was cut while it was judged: it ends as it would have ended while it ran, and its result with it.</summary>
    private Outcome<T> Cut(T result, Exception error, ResilienceContext context)
    {
        new Outcome<T>(result, null, Verdict.Ignored, OutcomeMarks.None).Discard(context);
        return EndedWith(error, context);
    }
}
