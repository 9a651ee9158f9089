using Resilience.Extensibility;

namespace Resilience;

/// <summary>When a second attempt runs beside a slow first one.</summary>
public sealed class HedgingOptions : PolicyOptions
{
    internal const int MaxAllowedAttempts = 10;

    private static readonly PolicySettings<HedgingOptions> Declared = PolicySettings.For<HedgingOptions>()
        .Whole(nameof(MaxAttempts), static o => o.MaxAttempts, static (o, v) => o.MaxAttempts = v, 1, MaxAllowedAttempts,
            "Attempts in all, the first included. Default 2.")
        .Span(nameof(Delay), static o => o.Delay == System.Threading.Timeout.InfiniteTimeSpan ? null : o.Delay, static (o, v) => o.Delay = v,
            TimeSpan.Zero, null,
            "How long an attempt may take before the next one starts, from zero to a day; -00:00:00.001: only after a failure. Default 00:00:01.")
        .Group(nameof(Budget), static o => new RetryBudgetChoice(o.BudgetOptions), RetryBudgetChoice.Settings, RetryBudgetChoice.Text,
            static (o, choice) => (o.Budget, o.BudgetOptions) = choice.Over(o.Budget));

    /// <summary>Attempts in all, the first included. Default 2: one hedge removes most of a long tail, the next ones little of what is
    /// left. 1 (no hedging) to 10.</summary>
    public int MaxAttempts { get; set; } = 2;

    /// <summary>How long the attempt that began last may take before the next one starts beside it. Default 1 s. Set it near the 95th
    /// percentile of your latency, so that about one call in twenty is hedged. From zero (all attempts start at once) to a day, or
    /// <see cref="Timeout.InfiniteTimeSpan"/>: the next one starts only when one has failed.</summary>
    /// <remarks>After a failure that says when to come back (<c>Retry-After</c>, a pushback of gRPC) the next attempt starts exactly then, and none before.
    /// After one that asks for patience and does not say how long (429) it starts when the delay is over, and not at all where there is none. Where more than
    /// a minute is asked for, no other attempt starts: what is under way may still win, else that failure is the answer.</remarks>
    public TimeSpan Delay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Another delay for this call, asked before each wait; null, a throw or an answer out of range means <see cref="Delay"/>; the
    /// latter two are counted in <c>resilience.callback.errors</c>. Default null.</summary>
    public Func<ResilienceContext, TimeSpan?>? DelayFor { get; set; }

    /// <summary>
    /// Chooses the way of each hedge: asked before it starts, with the context of that attempt alone and its number in this race (1 for
    /// the first hedge). What it sets on the context, the attempt sees. True: it goes another way than the attempts before, so it is
    /// worth starting also after one of our own policies rejected. False, a throw, or null (the default): the same way, on which a
    /// rejection would only be met again.
    /// </summary>
    public Func<ResilienceContext, int, bool>? Route { get; set; }

    /// <summary>Asked of each attempt that failed, or that a policy of ours rejected, before another one is started because of it; can only say no: then
    /// it is the answer of the call, and the attempts under way are cancelled. An exception means no. Default null: every failure.</summary>
    public Func<AttemptResult, bool>? ShouldHedge { get; set; }

    /// <summary>The account that hedges are paid from, as retries are. Default null: the policy opens one of its own (20 % of the calls,
    /// and 10 a second).</summary>
    /// <remarks>Set the same budget for the retries and hedges of everything that calls one dependency;
    /// <see cref="RetryBudget.Unlimited"/> turns it off.</remarks>
    public RetryBudget? Budget { get; set; }

    /// <summary>The options of the account that the policy opens when <see cref="Budget"/> is null. Default null: as
    /// <see cref="RetryBudgetOptions"/> come.</summary>
    public RetryBudgetOptions? BudgetOptions { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "hedging";

    /// <inheritdoc/>
    protected internal override IReadOnlyList<PolicySetting> Settings => Declared;

    /// <inheritdoc/>
    protected internal override PolicyOptions CopyCore()
    {
        HedgingOptions copy = (HedgingOptions)base.CopyCore();
        copy.BudgetOptions = BudgetOptions?.Copy();
        return copy;
    }

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Declared(this);
        if (Budget is null) BudgetOptions?.Check(check);
    }

    internal static bool IsDelay(TimeSpan delay) =>
        delay == System.Threading.Timeout.InfiniteTimeSpan || (delay >= TimeSpan.Zero && delay <= OptionsCheck.MaxSpan);
}
