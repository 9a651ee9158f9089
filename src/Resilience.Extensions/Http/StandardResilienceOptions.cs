using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience.Http;

/// <summary>The standard pipeline for HTTP: total timeout &gt; retry &gt; endpoint (where some are given) &gt; circuit breaker &gt; concurrency
/// limit &gt; attempt timeout. The defaults can be used up: four attempts of seven seconds and the waits between them fit into thirty seconds. Other
/// numbers need not: a retry that does not fit into the total is not made.</summary>
public sealed class StandardResilienceOptions : HttpResilienceOptions
{
    private const string TotalTimeoutName = "total-timeout";
    private const string AttemptTimeoutName = "attempt-timeout";

    private static readonly TimeSpan Min = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan UsualAttemptTimeout = TimeSpan.FromSeconds(7);

    private static readonly PolicySettings<StandardResilienceOptions> Declared = Declare();

    private TimeSpan? _attemptTimeout;
    private bool _attemptTimeoutIsSet;

    /// <summary>The time from the call to the headers of the answer, all attempts and waits together: 1 ms to a day. Default 30 s. Null:
    /// no limit.</summary>
    public TimeSpan? TotalTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How failures are repeated. Default: three times, waiting up to 200, 400 and 800 ms, paid from a budget of 20 % of the
    /// calls and 10 a second. Null: not at all.</summary>
    public RetryOptions? Retry { get; set; } = new();

    /// <summary>The endpoints of the service, of which one is chosen for each attempt. All requests of the client go to them, whatever authority they name,
    /// and keep its name as their <c>Host</c>: give each service a client of its own. Default null: requests go where they say.</summary>
    public EndpointSetOptions? Endpoints { get; set; }

    /// <summary>Endpoints of which the application changes the list, in place of <see cref="Endpoints"/>. Default null.</summary>
    internal EndpointSet? SharedEndpoints { get; set; }

    /// <summary>When calls stop because the server fails. Default: when half of at least 20 attempts in 10 s failed. Null: never.</summary>
    public CircuitBreakerOptions? CircuitBreaker { get; set; } = new();

    /// <summary>How many attempts may be under way at once. Default null: no limit.</summary>
    public ConcurrencyLimitOptions? ConcurrencyLimit { get; set; }

    /// <summary>The time that each attempt has to bring the headers of the answer: 1 ms to a day. Default 7 s, or half of
    /// <see cref="TotalTimeout"/> where that is less, so that a hang is met by a second attempt. Null: no limit. It does not cut the body,
    /// unless that is buffered.</summary>
    public TimeSpan? AttemptTimeout
    {
        get => _attemptTimeoutIsSet ? _attemptTimeout : UsualWithin(TotalTimeout);
        set => (_attemptTimeout, _attemptTimeoutIsSet) = (value, true);
    }

    /// <summary>Codes of findings about the order and the arithmetic of the policies (such as <c>RES008</c>) that you mean. Of the others, those
    /// that say that something can never take effect (an attempt timeout as long as the total) are errors; the rest is kept in
    /// <see cref="PipelineDescription.Warnings"/> and, in a container, logged at the start.</summary>
    public ISet<string> AcceptedWarnings { get; private set; } = new HashSet<string>(StringComparer.OrdinalIgnoreCase);

    /// <inheritdoc/>
    protected override string Kind => "http";

    /// <inheritdoc/>
    protected override IReadOnlyList<PolicySetting> Settings => Declared;

    /// <inheritdoc/>
    protected override PolicyOptions CopyCore()
    {
        StandardResilienceOptions copy = (StandardResilienceOptions)base.CopyCore();
        copy.Retry = Retry?.Copy();
        copy.Endpoints = Endpoints?.Copy();
        copy.CircuitBreaker = CircuitBreaker?.Copy();
        copy.ConcurrencyLimit = ConcurrencyLimit?.Copy();
        copy.AcceptedWarnings = new HashSet<string>(AcceptedWarnings, StringComparer.OrdinalIgnoreCase);
        return copy;
    }

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        if (TotalTimeout is { } total) check.Span(nameof(TotalTimeout), total, Min);
        CheckPart(check, nameof(Retry), Retry);
        CheckPart(check, nameof(Endpoints), Endpoints);
        CheckPart(check, nameof(CircuitBreaker), CircuitBreaker);
        CheckPart(check, nameof(ConcurrencyLimit), ConcurrencyLimit);
        if (AttemptTimeout is { } attempt) check.Span(nameof(AttemptTimeout), attempt, Min);
        base.Check(check);
    }

    private static PolicySettings<StandardResilienceOptions> Declare()
    {
        PolicySettings<StandardResilienceOptions> keys = PolicySettings.For<StandardResilienceOptions>().Span(
            nameof(TotalTimeout), null, static (o, v) => o.TotalTimeout = v, Min, null,
            "The time allowed for the whole call, all attempts and waits together, from 1 ms to a day.");
        StandardPolicies.Get(nameof(Retry)).Declare(keys, static o => o.Retry, static (o, v) => o.Retry = (RetryOptions?)v);
        StandardPolicies.Get(nameof(Endpoints)).Declare(keys, static o => o.Endpoints, static (o, v) => o.Endpoints = (EndpointSetOptions?)v);
        StandardPolicies.Get(nameof(CircuitBreaker)).Declare(keys, static o => o.CircuitBreaker, static (o, v) => o.CircuitBreaker = (CircuitBreakerOptions?)v);
        StandardPolicies.Get(nameof(ConcurrencyLimit))
            .Declare(keys, static o => o.ConcurrencyLimit, static (o, v) => o.ConcurrencyLimit = (ConcurrencyLimitOptions?)v);
        keys.Span(nameof(AttemptTimeout), null, static (o, v) => o.AttemptTimeout = v, Min, null, "The time allowed for each attempt, from 1 ms to a day.")
            .Texts(
                nameof(AcceptedWarnings), static (o, codes) => o.AcceptedWarnings.UnionWith(codes),
                "Codes of findings about order and arithmetic of the policies, such as RES008, that are meant and therefore no errors.",
                "code such as RES008", "codes such as RES008", "[A-Z]+[0-9]{3}");
        return DeclareHandlers(keys);
    }

    private static TimeSpan? UsualWithin(TimeSpan? total)
    {
        if (total is not { } all || all >= 2 * UsualAttemptTimeout) return UsualAttemptTimeout;
        return all >= 2 * Min ? all / 2 : null; // what is too short to be divided is one attempt
    }

    private static void CheckPart(OptionsCheck check, string part, PolicyOptions? options)
    {
        foreach (OptionProblem problem in options?.FindProblems() ?? [])
            check.Require(false, $"{part}.{problem.Option}", problem.Value, problem.Allowed);
    }

    internal void AddTo(ResiliencePipelineBuilder<HttpResponseMessage> builder)
    {
        builder.TreatContradictionsAsErrors = true;
        builder.AcceptedWarnings.UnionWith(AcceptedWarnings);
        if (TotalTimeout is { } total)
        {
            builder.AddTimeout(new TimeoutOptions
            {
                Name = TotalTimeoutName,
                Timeout = total,
                TimeoutFor = static context => HttpRequestOverrides.TotalFor(context),
            });
        }

        if (Retry is not null) builder.AddRetry(Retry);
        if (SharedEndpoints is not null) builder.AddEndpoints(SharedEndpoints);
        else if (Endpoints is not null) builder.AddEndpoints(Endpoints);
        if (CircuitBreaker is not null) builder.AddCircuitBreaker(CircuitBreaker);
        if (ConcurrencyLimit is not null) builder.AddConcurrencyLimit(ConcurrencyLimit);
        if (AttemptTimeout is { } attempt)
        {
            builder.AddTimeout(new TimeoutOptions
            {
                Name = AttemptTimeoutName,
                Timeout = attempt,
                TimeoutFor = static context => HttpRequestOverrides.AttemptFor(context),
            });
        }
    }
}
