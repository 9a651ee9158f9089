using Resilience.Chaos;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What a chaos policy injects, how often, when and where.</summary>
/// <remarks>
/// Off until <see cref="IsOn"/> is set or the <see cref="ChaosSwitch"/> is turned on, and rejected by <c>Build</c> in an environment
/// that <see cref="AllowedEnvironments"/> does not name. For each call, in this order: behaviour, latency, then fault or result in the
/// place of the call, or the call itself and then perhaps the loss of its reply; see <see cref="ChaosRates"/> for the draws.
/// </remarks>
public sealed class ChaosOptions : PolicyOptions
{
    private static readonly PolicySettings<ChaosOptions> Declared = PolicySettings.For<ChaosOptions>()
        .Flag(nameof(IsOn), static (o, v) => o.IsOn = v, "Whether chaos is on; a change turns its switch. Default false.")
        .Group(nameof(Rates), static o => new ChaosRatesChoice(o.Rates), ChaosRatesChoice.Settings, ChaosRatesChoice.Text, static (o, c) => o.Rates = c.Rates)
        .Span(nameof(Latency), static o => o.Latency, static (o, v) => o.Latency = v, TimeSpan.FromMilliseconds(1), null,
            "How late a call begins, from 1 ms to a day. Default 00:00:01.")
        .Span(nameof(MaxLatency), null, static (o, v) => o.MaxLatency = v, TimeSpan.Zero, null,
            "With it, latencies are spread from Latency to this. Default: all are the same.")
        .Group(nameof(Schedule), static _ => new ChaosSchedule(), ChaosSchedule.Settings,
            "When there is chaos while it is on: in the windows, counted from the moment at which it was turned on.", static (o, s) => o.Schedule = s)
        .Whole(nameof(Seed), static (o, v) => o.Seed = v, "The same seed disturbs the same calls. Default: drawn, and told in the log.")
        .Texts(nameof(AllowedEnvironments), static (o, names) => o.AllowedEnvironments.UnionWith(names),
            "Environments in which chaos is allowed besides Development and Staging: Production must be named here.");

    private readonly Dictionary<Type, Delegate> _results = [];

    /// <summary>How often each kind is injected. Default: never.</summary>
    public ChaosRates Rates { get; set; }

    /// <summary>Whether chaos is on from the start. Default false. After an update that changes it, the switch follows; otherwise the switch stays
    /// as it is.</summary>
    public bool IsOn { get; set; }

    /// <summary>Makes the exception of an injected fault. Null leaves the call alone; a throw is counted and means the default. Default
    /// null: <see cref="ChaosInjectedException"/>.</summary>
    public Func<ResilienceContext, Exception?>? Fault { get; set; }

    /// <summary>Makes the exception in the place of a lost reply, as a broken connection looks to the caller. A null or a throw (counted) means
    /// the default. Default null: <see cref="ChaosInjectedException"/>.</summary>
    public Func<ResilienceContext, Exception?>? LostReply { get; set; }

    /// <summary>How late a call begins, 1 ms to a day. Default 1 s. It may be longer than the timeouts around it, which then end the call.</summary>
    public TimeSpan Latency { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>With it, latencies are spread evenly from <see cref="Latency"/> to this, up to a day. Default null: they are all the same.</summary>
    public TimeSpan? MaxLatency { get; set; }

    /// <summary>Runs before the call: for what the other kinds cannot do, such as emptying a cache. What it throws is the outcome of the
    /// attempt. Give it the token of the context. Default null.</summary>
    public Func<ResilienceContext, ValueTask>? Behaviour { get; set; }

    /// <summary>Which calls may be disturbed. Others are left alone and have no number; a throw (counted) means no. Default null: all.</summary>
    public Func<ResilienceContext, bool>? Filter { get; set; }

    /// <summary>When there is chaos while it is on. Default null: all the time.</summary>
    public ChaosSchedule? Schedule { get; set; }

    /// <summary>What happens to call number n depends on this and on n alone. Default null: drawn when the pipeline is built, and told in
    /// <see cref="ChaosSwitched"/> so that a run can be repeated.</summary>
    public long? Seed { get; set; }

    /// <summary>A switch to share between pipelines. Default null: one of the policy's own.</summary>
    public ChaosSwitch? Switch { get; set; }

    /// <summary>Where this runs. Default null: the builder's <see cref="ResiliencePipelineBuilderBase.EnvironmentName"/> (in a container
    /// the host's), else <c>DOTNET_ENVIRONMENT</c>, else <c>ASPNETCORE_ENVIRONMENT</c>, else Production.</summary>
    public string? EnvironmentName { get; set; }

    /// <summary>The environments in which chaos may be built at all, whatever their case. Default Development and Staging. To have it in
    /// Production, add <c>"Production"</c>: there is no other way.</summary>
    public ISet<string> AllowedEnvironments { get; private set; } = new HashSet<string>(StringComparer.OrdinalIgnoreCase) { "Development", "Staging" };

    /// <summary>The value that calls with a result of exactly this type get when a result is injected. It is judged by the classifier like
    /// any result. A value that is disposable is better made anew for each call.</summary>
    /// <returns>These options.</returns>
    public ChaosOptions Result<T>(T value) => Result(_ => value);

    /// <summary>Makes that value for each call. A throw is counted, and the call is left alone.</summary>
    /// <returns>These options.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="make"/> is null.</exception>
    public ChaosOptions Result<T>(Func<ResilienceContext, T> make)
    {
        ArgumentNullException.ThrowIfNull(make);
        _results[typeof(T)] = make;
        return this;
    }

    internal IReadOnlyDictionary<Type, Delegate> Results => _results;

    /// <inheritdoc/>
    protected internal override string Kind => "chaos";

    /// <inheritdoc/>
    protected internal override IReadOnlyList<PolicySetting> Settings => Declared;

    /// <inheritdoc/>
    protected internal override PolicyOptions CopyCore()
    {
        ChaosOptions copy = (ChaosOptions)base.CopyCore();
        copy.Schedule = Schedule?.Copy();
        copy.AllowedEnvironments = new HashSet<string>(AllowedEnvironments, StringComparer.OrdinalIgnoreCase);
        return copy;
    }

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        CheckRates(check, Rates, nameof(Rates));
        check.Declared(this);
        if (MaxLatency is { } max) check.Span(nameof(MaxLatency), max, Latency);
        if (Schedule is not { } schedule) return;
        schedule.Check(check, nameof(Schedule));
        for (int i = 0; i < schedule.Windows.Count; i++)
        {
            if (schedule.Windows[i]?.Rates is not { } rates) continue;
            CheckPresence(check, rates, $"{nameof(Schedule)}.{nameof(ChaosSchedule.Windows)}[{i}].{nameof(Rates)}");
        }
    }

    private void CheckRates(OptionsCheck check, in ChaosRates rates, string option)
    {
        rates.Check(check, option);
        CheckPresence(check, rates, option);
    }

    /// <summary>A rate for something that does not exist is a mistake that would go unnoticed.</summary>
    private void CheckPresence(OptionsCheck check, in ChaosRates rates, string option)
    {
        check.Require(
            rates.Behaviour is 0 || Behaviour is not null, $"{option}.{nameof(ChaosRates.Behaviour)}", rates.Behaviour, "0 unless Behaviour is set");
        check.Require(
            rates.Result is 0 || _results.Count > 0, $"{option}.{nameof(ChaosRates.Result)}", rates.Result, "0 unless a value is given with Result<T>");
    }
}
