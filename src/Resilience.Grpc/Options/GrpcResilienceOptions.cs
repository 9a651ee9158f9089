using Resilience.Extensibility;

namespace Resilience.Grpc;

/// <summary>The standard pipeline of a gRPC client, and what its interceptor does besides. For unary calls: total timeout &gt; retry &gt; hedging &gt;
/// circuit breaker &gt; concurrency limit &gt; attempt timeout. Streams have the retry until their first message, the circuit breaker and the limit, and no
/// timeouts but those that are set for them.</summary>
/// <remarks>Which statuses are repeated and counted is a table, <see cref="GrpcClassifier"/>. A status that may have come after the operation was carried out
/// is repeated only for methods that are declared idempotent (<c>Idempotent</c>), and for calls that carry a key. The page on gRPC has the table of what can
/// stand in a section of the configuration.</remarks>
public sealed class GrpcResilienceOptions : GrpcClientOptions<GrpcResilienceOptions>
{
    private const string TotalTimeoutName = "total-timeout", AttemptTimeoutName = "attempt-timeout";

    private static readonly TimeSpan UsualAttemptTimeout = TimeSpan.FromSeconds(7);

    private static readonly PolicySettings<GrpcResilienceOptions> Declared = Declare();

    private TimeSpan? _attemptTimeout;
    private bool _attemptTimeoutIsSet;

    /// <summary>The time for a unary call, all attempts and waits together: 1 ms to a day. Default 30 s. Null: no limit but the caller's deadline.</summary>
    public TimeSpan? TotalTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The time for each attempt of a unary call: 1 ms to a day. Default 7 s, or half of <see cref="TotalTimeout"/> where that is less. Null: no
    /// limit. The server is told the least of this, of what is left of the total and of the caller's deadline (<c>grpc-timeout</c>).</summary>
    public TimeSpan? AttemptTimeout
    {
        get => _attemptTimeoutIsSet ? _attemptTimeout : UsualWithin(TotalTimeout);
        set => (_attemptTimeout, _attemptTimeoutIsSet) = (value, true);
    }

    /// <summary>How failures are repeated. Default: three times, waiting up to 200, 400 and 800 ms, paid from a budget of 20 % of the calls and 10 a second; a
    /// wait that the server asks for is kept exactly (<see cref="RetryOptions.RetryAfterJitter"/> is 0). Null, or no retries: the retrying is left to the
    /// service config of the channel.</summary>
    public RetryOptions? Retry { get; set; } = new() { RetryAfterJitter = 0 };

    /// <summary>When a second attempt runs beside a slow first one: for unary calls of methods that are declared idempotent. Default null: never.</summary>
    public HedgingOptions? Hedging { get; set; }

    /// <summary>When calls stop because the server fails. Default: when half of at least 20 attempts in 10 s failed. Null: never.</summary>
    public CircuitBreakerOptions? CircuitBreaker { get; set; } = new();

    /// <summary>How many attempts may be under way at once; client and duplex streams have a place as long as they last. Default null: no limit.</summary>
    public ConcurrencyLimitOptions? ConcurrencyLimit { get; set; }

    /// <inheritdoc/>
    protected override IReadOnlyList<PolicySetting> Settings => Declared;

    /// <inheritdoc/>
    protected override PolicyOptions CopyCore()
    {
        GrpcResilienceOptions copy = (GrpcResilienceOptions)base.CopyCore();
        copy.Retry = Retry?.Copy();
        copy.Hedging = Hedging?.Copy();
        copy.CircuitBreaker = CircuitBreaker?.Copy();
        copy.ConcurrencyLimit = ConcurrencyLimit?.Copy();
        return copy;
    }

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        CheckSpan(check, nameof(TotalTimeout), TotalTimeout);
        CheckPart(check, nameof(Retry), Retry);
        CheckPart(check, nameof(Hedging), Hedging);
        CheckPart(check, nameof(CircuitBreaker), CircuitBreaker);
        CheckPart(check, nameof(ConcurrencyLimit), ConcurrencyLimit);
        CheckSpan(check, nameof(AttemptTimeout), AttemptTimeout);
        base.Check(check);
    }

    /// <inheritdoc/>
    internal override void AddTo(ResiliencePipelineBuilder builder)
    {
        Prepare(builder);
        if (TotalTimeout is { } total) builder.AddTimeout(new TimeoutOptions { Name = TotalTimeoutName, Timeout = total });
        if (Retry is not null) builder.AddRetry(PushbackWaits.Within(Retry, builder.Randomness));
        if (Hedging is not null) builder.AddHedging(Hedging);
        if (CircuitBreaker is not null) builder.AddCircuitBreaker(CircuitBreaker);
        if (ConcurrencyLimit is not null) builder.AddConcurrencyLimit(ConcurrencyLimit);
        if (AttemptTimeout is { } attempt) builder.AddTimeout(new TimeoutOptions { Name = AttemptTimeoutName, Timeout = attempt });
    }

    /// <inheritdoc/>
    internal override void AddTo(ResiliencePipelineBuilder builder, ResiliencePipeline unary, bool mayBegin)
    {
        Prepare(builder);
        if (mayBegin && Retry is not null)
        {
            RetryOptions shared = PushbackWaits.Within(Retry, builder.Randomness);
            shared.Budget = unary.Find<RetryBudget>() ?? shared.Budget;
            builder.AddRetry(shared);
        }

        if (unary.Find<CircuitBreaker>() is { } breaker) builder.AddCircuitBreaker(breaker);
        if (unary.Find<ConcurrencyLimit>() is { } limit) builder.AddConcurrencyLimit(limit);
        if (mayBegin) AddFirstMessageTimeout(builder);
    }

    private static PolicySettings<GrpcResilienceOptions> Declare()
    {
        PolicySettings<GrpcResilienceOptions> keys = PolicySettings.For<GrpcResilienceOptions>().Span(
            nameof(TotalTimeout), null, static (o, v) => o.TotalTimeout = v, Min, null,
            "The time allowed for a unary call, all attempts and waits together, from 1 ms to a day. Default 00:00:30.");
        StandardPolicies.Get(nameof(Retry)).Declare(keys, static o => o.Retry, static (o, v) => o.Retry = (RetryOptions?)v);
        StandardPolicies.Get(nameof(Hedging)).Declare(keys, static o => o.Hedging, static (o, v) => o.Hedging = (HedgingOptions?)v);
        StandardPolicies.Get(nameof(CircuitBreaker)).Declare(keys, static o => o.CircuitBreaker, static (o, v) => o.CircuitBreaker = (CircuitBreakerOptions?)v);
        StandardPolicies.Get(nameof(ConcurrencyLimit))
            .Declare(keys, static o => o.ConcurrencyLimit, static (o, v) => o.ConcurrencyLimit = (ConcurrencyLimitOptions?)v);
        return keys
            .Span(nameof(AttemptTimeout), null, static (o, v) => o.AttemptTimeout = v, Min, null,
                "The time allowed for each attempt of a unary call, from 1 ms to a day. Default 00:00:07, or half of a shorter total.")
            .Span(nameof(FirstMessageTimeout), null, static (o, v) => o.FirstMessageTimeout = v, Min, null,
                "How long an attempt of a server stream may take to its first message, from 1 ms to a day. Default: as long as it likes.")
            .Span(nameof(StreamIdleTimeout), null, static (o, v) => o.StreamIdleTimeout = v, Min, null,
                "How long a server stream may be silent between two messages, from 1 ms to a day. Default: as long as it likes.")
            .Flag(nameof(RepeatUnavailable), static (o, v) => o.RepeatUnavailable = v,
                "Whether UNAVAILABLE is repeated for methods that are not declared idempotent. Default false.")
            .Whole(nameof(MaxTargets), null, static (o, v) => o.MaxTargets = v, 1, 100_000,
                "How many targets or partitions may have circuits, budgets and limits of their own. Default 1000.")
            .Texts(
                nameof(AcceptedWarnings), static (o, codes) => o.AcceptedWarnings.UnionWith(codes),
                "Codes of findings about order and arithmetic of the policies, such as RES008, that are meant and therefore no errors.",
                "code such as RES008", "codes such as RES008", "[A-Z]+[0-9]{3}");
    }

    private void Prepare(ResiliencePipelineBuilder builder)
    {
        builder.TreatContradictionsAsErrors = true;
        builder.AcceptedWarnings.UnionWith(AcceptedWarnings);
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
}
