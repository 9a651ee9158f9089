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
        .Number(nameof(DelayQuantile), static o => o.DelayQuantile, static (o, v) => o.DelayQuantile = v, 0.5, 0.999,
            "Measure the delay instead: the share of first attempts that need no hedge, from 0.5 to 0.999. Default: not measured.")
        .Span(nameof(MinDelay), static o => o.MinDelay, static (o, v) => o.MinDelay = v, TimeSpan.FromMilliseconds(1), null,
            "The least delay that is measured, from 1 ms to a day. Default 00:00:00.001.")
        .Span(nameof(MaxDelay), static o => o.MaxDelay, static (o, v) => o.MaxDelay = v, TimeSpan.FromMilliseconds(1), null,
            "The greatest delay that is measured, from 1 ms to a day. Default: Delay.")
        .Whole(nameof(MinSamples), static o => o.MinSamples, static (o, v) => o.MinSamples = v, 10, 1_000_000,
            "How many first attempts of the last half minute to minute must be known; until then Delay is used. Default 100.")
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

    /// <summary>Measures the delay: it is that quantile of what first attempts take, so that a share of 1 − <see cref="DelayQuantile"/> of the calls is hedged.
    /// Default null: <see cref="Delay"/>. 0.5 to 0.999; 0.95 is a good one.</summary>
    /// <remarks>Looks back 30 to 60 s, and is computed once a second. A first attempt that loses to its hedge counts as slower than the delay, however much, so
    /// that hedging does not draw the delay down; one that fails before the delay is not counted. An update of the pipeline keeps what was measured.</remarks>
    public double? DelayQuantile { get; set; }

    /// <summary>The least delay that <see cref="DelayQuantile"/> gives, 1 ms (the default) to a day.</summary>
    public TimeSpan MinDelay { get; set; } = TimeSpan.FromMilliseconds(1);

    /// <summary>The greatest delay that <see cref="DelayQuantile"/> gives, at least <see cref="MinDelay"/> and at most a day. Default null:
    /// <see cref="Delay"/>.</summary>
    public TimeSpan? MaxDelay { get; set; }

    /// <summary>How many first attempts <see cref="DelayQuantile"/> must know, 10 to 1,000,000. Default 100. With fewer, <see cref="Delay"/> is used.</summary>
    public int MinSamples { get; set; } = 100;

    /// <summary>Whether this call may be hedged at all: asked before its first hedge, whether that is due to the delay or to a failure. An exception means no.
    /// Default null: yes.</summary>
    /// <remarks>Calls of the class <see cref="Overload.Criticality.Sheddable"/> are not hedged in any case, and none is while a throttle or an adaptive limit
    /// inside shows that the dependency is overloaded.</remarks>
    public Func<ResilienceContext, bool>? CanHedge { get; set; }

    /// <summary>Another delay for this call, asked before each wait; null, a throw or an answer out of range means <see cref="Delay"/>, or what
    /// <see cref="DelayQuantile"/> measures; the latter two are counted in <c>resilience.callback.errors</c>. Default null.</summary>
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
        if (DelayQuantile is not null && MinDelay <= OptionsCheck.MaxSpan)
        {
            string atLeast = $"{nameof(MinDelay)} ({TimeText.Of(MinDelay)}) or more";
            if (MaxDelay is { } max) check.Require(max >= MinDelay, nameof(MaxDelay), max, atLeast);
            else if (IsDelay(Delay) && Delay != System.Threading.Timeout.InfiniteTimeSpan)
                check.Require(Delay >= MinDelay, nameof(Delay), Delay, $"{atLeast}, unless {nameof(MaxDelay)} is set");
        }

        if (Budget is null) BudgetOptions?.Check(check);
    }

    internal static bool IsDelay(TimeSpan delay) =>
        delay == System.Threading.Timeout.InfiniteTimeSpan || (delay >= TimeSpan.Zero && delay <= OptionsCheck.MaxSpan);
}
