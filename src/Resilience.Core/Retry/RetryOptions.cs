namespace Resilience;

/// <summary>How failures are repeated.</summary>
public sealed class RetryOptions : PolicyOptions
{
    /// <summary>For <see cref="MaxRetries"/>: no limit but the budget, the deadline and the caller's patience.</summary>
    public const int Unlimited = -1;

    private static readonly TimeSpan UsualMaxDelay = TimeSpan.FromSeconds(5);

    private TimeSpan? _maxDelay;

    /// <summary>Retries after the first attempt. Default 3: what does not heal in three spread waits seldom heals in five. 0 (never),
    /// more, or <see cref="Unlimited"/>.</summary>
    public int MaxRetries { get; set; } = 3;

    /// <summary>How waits grow. Default <see cref="BackoffKind.Exponential"/>.</summary>
    public BackoffKind BackoffKind { get; set; } = BackoffKind.Exponential;

    /// <summary>The first ceiling. Default 200 ms, from zero to a day.</summary>
    public TimeSpan BaseDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>No computed wait is longer, jitter included, whatever the <see cref="BackoffKind"/>. From <see cref="BaseDelay"/> to a day.
    /// Default 5 s, or <see cref="BaseDelay"/> where that is longer. A <see cref="RetryRule"/> with a backoff of its own has the maximum of that
    /// one.</summary>
    public TimeSpan MaxDelay
    {
        get => _maxDelay ?? (BaseDelay > UsualMaxDelay ? BaseDelay : UsualMaxDelay);
        set => _maxDelay = value;
    }

    /// <summary>The growth of exponential waits. Default 2, from 1.01 to 1000.</summary>
    public double Factor { get; set; } = 2;

    /// <summary>How waits are spread. Default <see cref="BackoffJitter.Full"/>: clients that failed together come back apart.</summary>
    public BackoffJitter Jitter { get; set; } = BackoffJitter.Full;

    /// <summary>The account that retries are paid from. Default null: the policy opens one of its own (20 % of the calls, and 10 a
    /// second).</summary>
    /// <remarks>Set the same budget in several pipelines that call one dependency; <see cref="RetryBudget.Unlimited"/> turns it
    /// off.</remarks>
    public RetryBudget? Budget { get; set; }

    /// <summary>The options of the account that the policy opens when <see cref="Budget"/> is null. Default null: as
    /// <see cref="RetryBudgetOptions"/> come.</summary>
    public RetryBudgetOptions? BudgetOptions { get; set; }

    /// <summary>Reads from a failure when the server wants us back; zero means at once. Null, a negative span or an exception leave it to what
    /// the outcome itself carries, then to the backoff.</summary>
    public Func<AttemptResult, TimeSpan?>? RetryAfter { get; set; }

    /// <summary>The longest wait that a server can ask for, from zero to a day. Default 1 min. A wish beyond it is never cut: the failure is
    /// not repeated (<see cref="RetryStopReason.RetryAfter"/>), and the caller gets it.</summary>
    public TimeSpan MaxRetryAfter { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>What is added to a wait that was asked for, at most, as a share of that wait: clients that were told the same come back apart, and
    /// never early. From 0 to 1. Default 0.2: who is told 10 s comes back after 10 to 12 s. It takes at most half of what the deadline of the
    /// call leaves beyond the wait. With <see cref="BackoffJitter.None"/> nothing is added.</summary>
    public double RetryAfterJitter { get; set; } = 0.2;

    /// <summary>Whether the computed backoff is the least wait even if the server asks for less. Default false: the server knows.</summary>
    public bool BackoffIsMinimum { get; set; }

    /// <summary>Asked before each retry of a failure; can only say no. An exception means no. Default null: every failure is
    /// retried.</summary>
    public Func<AttemptResult, bool>? ShouldRetry { get; set; }

    /// <summary>Whether to wait for a policy of ours that rejected and said for how long (an open circuit). Default false: rejecting fast
    /// is its purpose.</summary>
    public bool WaitForRejections { get; set; }

    /// <summary>Other limits and waits for some failures; the first match wins. Default: none.</summary>
    public IList<RetryRule> Rules { get; } = [];

    /// <summary>Called before each wait with the attempt that failed and the wait to come. What it throws is counted and
    /// swallowed.</summary>
    public Action<AttemptResult, TimeSpan>? OnRetry { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "retry";

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Require(MaxRetries >= Unlimited, nameof(MaxRetries), MaxRetries, "0 or more, or RetryOptions.Unlimited (-1)");
        check.Defined(nameof(BackoffKind), BackoffKind);
        check.Span(nameof(BaseDelay), BaseDelay, TimeSpan.Zero);
        bool baseIsLegal = BaseDelay >= TimeSpan.Zero && BaseDelay <= Backoff.MaxAllowedDelay;
        if (baseIsLegal || _maxDelay is not null) check.Span(nameof(MaxDelay), MaxDelay, baseIsLegal ? BaseDelay : TimeSpan.Zero);
        check.Number(nameof(Factor), Factor, Backoff.MinFactor, Backoff.GreatestFactor);
        check.Defined(nameof(Jitter), Jitter);
        check.Span(nameof(MaxRetryAfter), MaxRetryAfter, TimeSpan.Zero);
        check.Number(nameof(RetryAfterJitter), RetryAfterJitter, 0, 1);
        if (Budget is null) BudgetOptions?.Check(check);
        for (int i = 0; i < Rules.Count; i++) check.Require(Rules[i] is not null, $"{nameof(Rules)}[{i}]", null, "a rule");
    }
}

/// <summary>Why a failure was not repeated.</summary>
public enum RetryStopReason
{
    /// <summary>The retries of the options, or of the rule that matched, are used up.</summary>
    Attempts = 0,

    /// <summary><see cref="RetryOptions.ShouldRetry"/> or <see cref="ResilienceContext.ForbidRetry"/> said no.</summary>
    NotAllowed,

    /// <summary>A layer below had given up and asked for no retry.</summary>
    Marked,

    /// <summary>The wait would not end before the deadline of the call.</summary>
    Deadline,

    /// <summary>The budget is spent.</summary>
    Budget,

    /// <summary>The wait that was asked for is longer than <see cref="RetryOptions.MaxRetryAfter"/>.</summary>
    RetryAfter,

    /// <summary>The classifier said that trying again would not help (<see cref="Classification.MayRepeat"/>).</summary>
    Permanent,
}

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
    private int AttemptNumber => Attempt + 1; // people count from one

    /// <inheritdoc/>
    public override int GetEventId() => 1;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => $"attempt {AttemptNumber} failed ({Reason}); next attempt in {Delay}";
}

/// <summary>An attempt failed and will not be repeated.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The policy.</param>
/// <param name="Attempt">The attempt that failed, 0 for the first.</param>
/// <param name="Cause">Why not.</param>
/// <param name="Reason">What the attempt ended with: the type of the exception or rejection, or "result".</param>
public sealed record RetryStopped(string PipelineName, string PolicyName, int Attempt, RetryStopReason Cause, string Reason)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <summary>The reason as a part of a sentence; null if the event was made without one.</summary>
    internal string? Because { get; init; }

    private int AttemptNumber => Attempt + 1; // people count from one

    /// <inheritdoc/>
    public override int GetEventId() => 2;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Because is { Length: > 0 }) return $"attempt {AttemptNumber} failed ({Reason}) and is not retried ({Cause}): {Because}";
        return $"attempt {AttemptNumber} failed ({Reason}) and is not retried ({Cause})";
    }

    /// <summary>The reason given to <see cref="ResilienceContext.ForbidRetry"/>, where that decided; otherwise null.</summary>
    public string? Detail { get; init; }

    /// <summary>One sentence for a human: which policy did not repeat the attempt and why, with the counts; what the caller gets; and what
    /// would have to change. Empty if the event was made without one.</summary>
    public string Explanation { get; init; } = "";
}

/// <summary>Adds retries to a pipeline.</summary>
public static class RetryBuilderExtensions
{
    /// <summary>Repeats failures with the default options.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static TBuilder AddRetry<TBuilder>(this TBuilder builder)
        where TBuilder : ResiliencePipelineBuilderBase => builder.AddRetry(new RetryOptions());

    /// <summary>Repeats failures. The options are read when the pipeline is built.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddRetry<TBuilder>(this TBuilder builder, RetryOptions options)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(options);
        return builder.AddPolicy(options, environment => new RetryPolicy(options, environment));
    }

    /// <summary>Repeats failures with the default options, changed by <paramref name="configure"/>, which runs at once.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddRetry<TBuilder>(this TBuilder builder, Action<RetryOptions> configure)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(configure);
        RetryOptions options = new();
        configure(options);
        return builder.AddRetry(options);
    }
}
