namespace Resilience.DriverTests;

/// <summary>A call that fails again and again, through a pipeline that retries and counts: what came of it.</summary>
/// <param name="Calls">How often the delegate was called.</param>
/// <param name="Counted">How many failures the breaker has seen.</param>
/// <param name="Outcome">The outcome of the call.</param>
internal sealed record Driven(int Calls, int Counted, Outcome<int> Outcome)
{
    internal const int Tries = 2;

    internal Verdict Verdict => Outcome.Verdict;

    /// <summary>One retry at once, whatever is asked for, and a breaker that does not open.</summary>
    internal static async Task<Driven> By(Func<OutcomeClassifier, OutcomeClassifier> rules, Func<CancellationToken, Task> fail, CancellationToken cancellationToken = default)
    {
        CircuitBreaker breaker = new(new() { MinimumCalls = 1000 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .Classify(rules)
            .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.RetryAfter) = (Tries - 1, TimeSpan.Zero, _ => TimeSpan.Zero))
            .AddCircuitBreaker(breaker)
            .Build();
        int calls = 0;
        Outcome<int> outcome = await pipeline.TryExecuteAsync(
            async token =>
            {
                calls++;
                await fail(token);
                return 0;
            },
            cancellationToken);
        return new(calls, breaker.TakeSnapshot().Failures, outcome);
    }

    /// <summary>Null, or how this differs from what a row says.</summary>
    internal string? DifferenceTo(TransportRow row)
    {
        bool isRepeated = row.Classification.Verdict == Verdict.Failure && row.Repeat != Repeatability.Never;
        (Verdict, int, int) said = (row.Classification.Verdict, isRepeated ? Tries : 1, row.Counts ? isRepeated ? Tries : 1 : 0);
        return (Verdict, Calls, Counted) == said ? null : $"{row.Code} {row.When}: {Verdict}, {Calls} calls, {Counted} counted; said {said}; {Outcome}";
    }
}
