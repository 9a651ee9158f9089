namespace Resilience;

/// <summary>The standard pipeline for HTTP: total timeout &gt; retry &gt; circuit breaker &gt; concurrency limit &gt; attempt timeout. The
/// defaults can be used up: four attempts of seven seconds and the waits between them fit into thirty seconds.</summary>
public sealed class StandardResilienceOptions : HttpResilienceOptions
{
    private const string TotalTimeoutName = "total-timeout";
    private const string AttemptTimeoutName = "attempt-timeout";

    /// <summary>The time from the call to the headers of the answer, all attempts and waits together: 1 ms to a day. Default 30 s. Null:
    /// no limit.</summary>
    public TimeSpan? TotalTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How failures are repeated. Default: three times, waiting up to 200, 400 and 800 ms, paid from a budget of 20 % of the
    /// calls and 10 a second. Null: not at all.</summary>
    public RetryOptions? Retry { get; set; } = new();

    /// <summary>When calls stop because the server fails. Default: when half of at least 20 attempts in 10 s failed. Null: never.</summary>
    public CircuitBreakerOptions? CircuitBreaker { get; set; } = new();

    /// <summary>How many attempts may be under way at once. Default null: no limit.</summary>
    public ConcurrencyLimitOptions? ConcurrencyLimit { get; set; }

    /// <summary>The time that each attempt has to bring the headers of the answer: 1 ms to a day. Default 7 s. Null: no limit. It does
    /// not cut the body, unless that is buffered.</summary>
    public TimeSpan? AttemptTimeout { get; set; } = TimeSpan.FromSeconds(7);

    /// <summary>Codes of findings about the order and the arithmetic of the policies (such as <c>RES008</c>) that you mean; all others
    /// are errors.</summary>
    public ISet<string> AcceptedWarnings { get; } = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

    /// <inheritdoc/>
    protected override string Kind => "http";

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        TimeSpan least = TimeSpan.FromMilliseconds(1);
        if (TotalTimeout is { } total) check.Span(nameof(TotalTimeout), total, least);
        CheckPart(check, nameof(Retry), Retry);
        CheckPart(check, nameof(CircuitBreaker), CircuitBreaker);
        CheckPart(check, nameof(ConcurrencyLimit), ConcurrencyLimit);
        if (AttemptTimeout is { } attempt) check.Span(nameof(AttemptTimeout), attempt, least);
        base.Check(check);
    }

    private static void CheckPart(OptionsCheck check, string part, PolicyOptions? options)
    {
        foreach (OptionProblem problem in options?.FindProblems() ?? [])
            check.Require(false, $"{part}.{problem.Option}", problem.Value, problem.Allowed);
    }

    internal void AddTo(ResiliencePipelineBuilder<HttpResponseMessage> builder)
    {
        builder.TreatWarningsAsErrors = true;
        builder.AcceptedWarnings.UnionWith(AcceptedWarnings);
        if (TotalTimeout is { } total)
        {
            builder.AddTimeout(new TimeoutOptions
            {
                Name = TotalTimeoutName,
                Timeout = total,
                TimeoutFor = static context => HttpRequestOverrides.Of(context)?.TotalTimeout,
            });
        }

        if (Retry is not null) builder.AddRetry(Retry);
        if (CircuitBreaker is not null) builder.AddCircuitBreaker(CircuitBreaker);
        if (ConcurrencyLimit is not null) builder.AddConcurrencyLimit(ConcurrencyLimit);
        if (AttemptTimeout is { } attempt)
        {
            builder.AddTimeout(new TimeoutOptions
            {
                Name = AttemptTimeoutName,
                Timeout = attempt,
                TimeoutFor = static context => HttpRequestOverrides.Of(context)?.AttemptTimeout,
            });
        }
    }
}
