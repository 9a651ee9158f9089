using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>When an endpoint is left out for a time, and how it comes back.</summary>
/// <remarks>It comes back one call at a time until three have succeeded, then with a weight that grows from a tenth to the whole in ten seconds. One that
/// fails meanwhile is left out again, for longer.</remarks>
public sealed class EndpointEjectionOptions : PolicyOptions
{
    private static readonly PolicySettings<EndpointEjectionOptions> Declared = PolicySettings.For<EndpointEjectionOptions>()
        .Whole(nameof(ConsecutiveFailures), static o => o.ConsecutiveFailures, static (o, v) => o.ConsecutiveFailures = v, 1, 1000,
            "Failures in a row after which an endpoint is left out, from 1 to 1000. Default 5.")
        .Span(nameof(Interval), static o => o.Interval, static (o, v) => o.Interval = v, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5),
            "How often the shares and latencies are compared, from 100 ms to 5 min. Default 00:00:02.")
        .Number(nameof(FailureShare), static o => o.FailureShare, static (o, v) => o.FailureShare = v, 0.01, 1,
            "The share of failures of an interval from which on an endpoint is left out, from 0.01 to 1. Default 0.5.")
        .Whole(nameof(MinRequests), static o => o.MinRequests, static (o, v) => o.MinRequests = v, 1, 1_000_000,
            "Calls of an interval below which its share of failures proves nothing. Default 10.")
        .Whole(nameof(MinEndpoints), static o => o.MinEndpoints, static (o, v) => o.MinEndpoints = v, 2, 1000,
            "Endpoints below which they are not compared. Default 3.")
        .Number(nameof(SlowFactor), static o => o.SlowFactor, static (o, v) => o.SlowFactor = v, 1.5, 1000,
            "How many times slower than the median of the others an endpoint must be in two intervals, from 1.5 to 1000. Default 5.")
        .Span(nameof(Base), static o => o.Base, static (o, v) => o.Base = v, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1),
            "How long an endpoint is left out the first time, and how much longer each further time, from 100 ms to 1 h. Default 00:00:30.")
        .Span(nameof(Max), static o => o.Max, static (o, v) => o.Max = v, TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1),
            "The longest time for which an endpoint is left out, from 100 ms to a day. Default 00:05:00.")
        .Number(nameof(MaxShare), static o => o.MaxShare, static (o, v) => o.MaxShare = v, 0, 0.9,
            "The largest share of the endpoints that is left out at once, and one at least; 0: none. Default 0.3.")
        .Number(nameof(PanicBelow), static o => o.PanicBelow, static (o, v) => o.PanicBelow = v, 0, 1,
            "The share of endpoints that are well below which all are used. Default 0.5.");

    /// <summary>Failures in a row after which an endpoint is left out at once, 1 to 1,000. Default 5, as in Envoy.</summary>
    public int ConsecutiveFailures { get; set; } = 5;

    /// <summary>How often shares and latencies are compared, 100 ms to 5 min. Default 2 s.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The share of failures of an interval from which on an endpoint is left out, 0.01 to 1. Default 0.5.</summary>
    public double FailureShare { get; set; } = 0.5;

    /// <summary>Calls of an interval below which its share of failures proves nothing, 1 to 1,000,000. Default 10.</summary>
    public int MinRequests { get; set; } = 10;

    /// <summary>Endpoints below which they are not compared, 2 to 1,000. Default 3.</summary>
    public int MinEndpoints { get; set; } = 3;

    /// <summary>How many times slower than the median of the others an endpoint must be, in two intervals running, to be left out: 1.5 to 1,000. Default 5.
    /// Null: slow ones are not left out, only chosen less.</summary>
    public double? SlowFactor { get; set; } = 5;

    /// <summary>How long an endpoint is left out the first time; the nth time it is n times that. 100 ms to an hour; default 30 s.</summary>
    public TimeSpan Base { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The longest time for which an endpoint is left out, <see cref="Base"/> to a day. Default 5 min.</summary>
    public TimeSpan Max { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>The largest share of the endpoints that is left out at once, 0 to 0.9, and one endpoint at least. Default 0.3. 0: none is ever left
    /// out.</summary>
    public double MaxShare { get; set; } = 0.3;

    /// <summary>The share of endpoints that are well below which all are used, also those that are left out: 0 (never) to 1. Default 0.5. When most fail,
    /// choosing among the few that do not would only bring these down.</summary>
    public double PanicBelow { get; set; } = 0.5;

    /// <inheritdoc/>
    protected internal override string Kind => "ejection";

    /// <inheritdoc/>
    protected internal override IReadOnlyList<PolicySetting> Settings => Declared;

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Declared(this);
        if (Base <= TimeSpan.FromHours(1)) check.Require(Max >= Base, nameof(Max), Max, $"{nameof(Base)} ({TimeText.Of(Base)}) or more");
    }
}
