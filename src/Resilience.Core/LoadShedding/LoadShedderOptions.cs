using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>How much work a server takes on at once, and what it rejects when that is too much.</summary>
public sealed class LoadShedderOptions : PolicyOptions
{
    private static readonly TimeSpan LeastWait = TimeSpan.FromSeconds(1), MaxWait = TimeSpan.FromHours(1);

    private static readonly PolicySettings<LoadShedderOptions> Declared = PolicySettings.For<LoadShedderOptions>()
        .Number(nameof(DoNotRetryAbove), static o => o.DoNotRetryAbove, static (o, v) => o.DoNotRetryAbove = v, 0, 1,
            "The share of repeated requests from which a rejection says that it is no use to try elsewhere. Default 0.1.", "more than 0, and at most 1",
            isAboveMin: true)
        .Span(nameof(MinRetryAfter), static o => o.MinRetryAfter, static (o, v) => o.MinRetryAfter = v, LeastWait, MaxWait,
            "The earliest time to come back, from 1 s to 1 h, in whole seconds. Default 00:00:01.")
        .Span(nameof(MaxRetryAfter), static o => o.MaxRetryAfter, static (o, v) => o.MaxRetryAfter = v, LeastWait, MaxWait,
            "The latest time to come back, from 1 s to 1 h, in whole seconds. Default 00:00:03.")
        .Flag(nameof(DryRun), static (o, v) => o.DryRun = v, "Whether it only counts what it would reject. Default false.");

    /// <summary>The limit: how many requests are carried out at once. Default: <see cref="LimitAlgorithm.Gradient"/>, from 20, at least 4 and at most
    /// 10,000, with a queue of 64 requests, or as many as may run where that is more, that wait 100 ms at most.</summary>
    /// <remarks>The server sees all traffic to its resource, so its limit follows the latency. What waits in the queue is not part of that latency.</remarks>
    public AdaptiveConcurrencyLimitOptions Limit { get; set; } = new()
    {
        Algorithm = LimitAlgorithm.Gradient,
        MinLimit = 4,
        MaxLimit = 10_000,
        MaxQueued = 64,
        QueueFollowsLimit = true,
        MaxWait = TimeSpan.FromMilliseconds(100),
    };

    /// <summary>The share of the processors' time that is in use. Default 0.8 → 0.95; null: not looked at. The number of processors is that of the
    /// container where it has a limit.</summary>
    public OverloadRange? Cpu { get; set; } = new(0.8, 0.95);

    /// <summary>How long work waits for a thread of the pool, in milliseconds. Default 20 → 200; null: not looked at.</summary>
    public OverloadRange? ThreadPoolDelay { get; set; } = new(20, 200);

    /// <summary>Memory in use as a share of what the collector calls high (of the container, where it has a limit). Default 0.9 → 1; null: not looked
    /// at.</summary>
    public OverloadRange? Memory { get; set; } = new(0.9, 1);

    /// <summary>Signals of the application's own. Default: none.</summary>
    public IList<OverloadSignal> Signals { get; private set; } = [];

    /// <summary>The share of repeated requests among those of the last ten seconds above which a rejection says that it is no use to try elsewhere, more
    /// than 0 and at most 1. Default 0.1: when so many repeat, the overload is everywhere (Google, Site Reliability Engineering, ch. 21).</summary>
    public double DoNotRetryAbove { get; set; } = 0.1;

    /// <summary>The earliest time to come back that a rejection names, 1 s to an hour, in whole seconds. Default 1 s.</summary>
    public TimeSpan MinRetryAfter { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>The latest time that it names, from <see cref="MinRetryAfter"/> to an hour. Default 3 s. Each rejection draws its own: callers that all
    /// come back at the same moment would be the next overload.</summary>
    public TimeSpan MaxRetryAfter { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>Whether it only counts what it would reject, and lets everything pass. Default false.</summary>
    public bool DryRun { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "load-shedding";

    /// <inheritdoc/>
    protected internal override IReadOnlyList<PolicySetting> Settings => Declared;

    /// <inheritdoc/>
    protected internal override PolicyOptions CopyCore()
    {
        LoadShedderOptions copy = (LoadShedderOptions)base.CopyCore();
        copy.Limit = Limit?.Copy()!; // null is reported by the check
        copy.Signals = [.. Signals];
        return copy;
    }

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Declared(this);
        check.Require(Limit is not null, nameof(Limit), null, "options of a limit");
        Limit?.Check(check);
        Cpu?.Check(nameof(Cpu), check);
        ThreadPoolDelay?.Check(nameof(ThreadPoolDelay), check);
        Memory?.Check(nameof(Memory), check);
        check.Require(!(MaxRetryAfter < MinRetryAfter), nameof(MaxRetryAfter), MaxRetryAfter, $"at least MinRetryAfter ({TimeText.Of(MinRetryAfter)})");
        foreach (OverloadSignal signal in Signals) CheckSignal(signal, check);
        IEnumerable<string> names = Signals.Where(s => s?.Name is not null).Select(s => s.Name);
        foreach (string name in names.GroupBy(n => n, StringComparer.Ordinal).Where(g => g.Count() > 1).Select(g => g.Key))
            check.Require(false, nameof(Signals), name, "names that differ");
    }

    private static void CheckSignal(OverloadSignal? signal, OptionsCheck check)
    {
        if (signal is null)
        {
            check.Require(false, nameof(Signals), null, "signals, none of them null");
            return;
        }

        check.Require(!string.IsNullOrEmpty(signal.Name), nameof(OverloadSignal.Name), signal.Name, "not empty");
        check.Require(signal.Read is not null, nameof(OverloadSignal.Read), null, "something that reads its value");
        check.Require(signal.Smoothing is > 0 and <= 1, nameof(OverloadSignal.Smoothing), signal.Smoothing, "more than 0, and at most 1");
        signal.Range.Check(nameof(OverloadSignal.Range), check);
    }
}
