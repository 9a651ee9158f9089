using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>How failures are repeated.</summary>
public sealed class RetryOptions : PolicyOptions
{
    /// <summary>For <see cref="MaxRetries"/>: no limit but the budget, the deadline and the caller's patience.</summary>
    public const int Unlimited = -1;

    private static readonly TimeSpan UsualMaxDelay = TimeSpan.FromSeconds(5);

    private static readonly PolicySettings<RetryOptions> Declared = PolicySettings.For<RetryOptions>()
        .Whole(nameof(MaxRetries), static o => o.MaxRetries, static (o, v) => o.MaxRetries = v, Unlimited, int.MaxValue,
            "Retries after the first attempt; -1 means no limit. Default 3.", allowed: "0 or more, or RetryOptions.Unlimited (-1)")
        .Choice(nameof(BackoffKind), static o => o.BackoffKind, static (o, v) => o.BackoffKind = v, "How waits grow. Default Exponential.")
        .Span(nameof(BaseDelay), static o => o.BaseDelay, static (o, v) => o.BaseDelay = v, TimeSpan.Zero, null,
            "The ceiling of the first wait, from zero to a day. Default 00:00:00.2.")
        .Span(nameof(MaxDelay), null, static (o, v) => o.MaxDelay = v, TimeSpan.Zero, null,
            "No computed wait is longer, from BaseDelay to a day. Default 00:00:05, or BaseDelay if that is longer.")
        .Number(nameof(Factor), static o => o.Factor, static (o, v) => o.Factor = v, Backoff.MinFactor, Backoff.GreatestFactor,
            "The growth of exponential waits. Default 2.")
        .Choice(nameof(Jitter), static o => o.Jitter, static (o, v) => o.Jitter = v, "How waits are spread. Default Full.")
        .Span(nameof(MaxRetryAfter), static o => o.MaxRetryAfter, static (o, v) => o.MaxRetryAfter = v, TimeSpan.Zero, null,
            "The longest wait that a server can ask for, from zero to a day; a longer wish ends the call. Default 00:01:00.")
        .Number(nameof(RetryAfterJitter), static o => o.RetryAfterJitter, static (o, v) => o.RetryAfterJitter = v, 0, 1,
            "What is added to such a wait at most, as a share of it. Default 0.2.")
        .Flag(nameof(BackoffIsMinimum), static (o, v) => o.BackoffIsMinimum = v,
            "Whether the computed wait is the least even if the server asks for less. Default false.")
        .Flag(nameof(WaitForRejections), static (o, v) => o.WaitForRejections = v,
            "Whether to wait for a policy that rejected and said for how long. Default false.")
        .Group(nameof(Budget), static o => new RetryBudgetChoice(o.BudgetOptions), RetryBudgetChoice.Settings, RetryBudgetChoice.Text,
            static (o, choice) => (o.Budget, o.BudgetOptions) = choice.Over(o.Budget));

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
    public IList<RetryRule> Rules { get; private set; } = [];

    /// <summary>Called before each wait with the attempt that failed and the wait to come. What it throws is counted and
    /// swallowed.</summary>
    public Action<AttemptResult, TimeSpan>? OnRetry { get; set; }

    /// <summary>The same, awaited before the wait: for work without which the next attempt would fail again, such as another endpoint. What it takes
    /// is taken off the wait. Its token is cancelled with the call, and at the deadline of the call, after which there is no retry. What it throws is
    /// counted and swallowed. Default null.</summary>
    /// <remarks>Called after <see cref="OnRetry"/>. A call goes on when the task ends: one that ignores its token holds up its call.</remarks>
    public Func<AttemptResult, TimeSpan, CancellationToken, ValueTask>? OnRetryAsync { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "retry";

    /// <inheritdoc/>
    protected internal override IReadOnlyList<PolicySetting> Settings => Declared;

    /// <inheritdoc/>
    protected internal override PolicyOptions CopyCore()
    {
        RetryOptions copy = (RetryOptions)base.CopyCore();
        copy.Rules = [.. Rules];
        copy.BudgetOptions = BudgetOptions?.Copy();
        return copy;
    }

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Declared(this);
        bool baseIsLegal = BaseDelay >= TimeSpan.Zero && BaseDelay <= Backoff.MaxAllowedDelay;
        if (baseIsLegal || _maxDelay is not null) check.Span(nameof(MaxDelay), MaxDelay, baseIsLegal ? BaseDelay : TimeSpan.Zero);
        if (Budget is null) BudgetOptions?.Check(check);
        for (int i = 0; i < Rules.Count; i++) check.Require(Rules[i] is not null, $"{nameof(Rules)}[{i}]", null, "a RetryRule, not null");
    }
}
