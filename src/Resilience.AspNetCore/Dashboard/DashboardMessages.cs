using System.Text.Json.Serialization;

namespace Resilience;

/// <summary>What changes rarely: who there is and how it is set. Sent to a new viewer and when it has changed.</summary>
/// <param name="Version">Counts the layouts of a session; a state names the layout that it belongs to.</param>
/// <param name="Title">What stands at the top.</param>
/// <param name="Environment">The name of the environment.</param>
/// <param name="Started">When the process started.</param>
/// <param name="MeasuredSince">Since when calls are measured and counted; null when they are not.</param>
/// <param name="IntervalMs">The time of one point in the charts.</param>
/// <param name="Pipelines">Those that are shown.</param>
/// <param name="Hidden">How many are not.</param>
internal sealed record DashboardLayout(
    long Version,
    string Title,
    string Environment,
    DateTimeOffset Started,
    DateTimeOffset? MeasuredSince,
    long IntervalMs,
    IReadOnlyList<PipelineLayout> Pipelines,
    int Hidden);

/// <param name="Id">Names the pipeline in states; stays the same while the pipeline lives.</param>
/// <param name="Name">The name for people.</param>
/// <param name="Kind">pipeline, http, store or gate.</param>
/// <param name="Detail">What kind, in words.</param>
/// <param name="Policies">Outermost first, those of nested pipelines among them.</param>
/// <param name="Warnings">The findings about the order.</param>
internal sealed record PipelineLayout(
    string Id, string Name, string Kind, string Detail, IReadOnlyList<PolicyLayout> Policies, IReadOnlyList<WarningLayout> Warnings)
{
    /// <summary>The name in the metrics.</summary>
    [JsonIgnore]
    public string Series { get; init; } = "";
}

/// <param name="Id">Names the policy in states.</param>
/// <param name="Name">Its name.</param>
/// <param name="Role">What it is for.</param>
/// <param name="Depth">How many pipelines it is nested in.</param>
/// <param name="Options">The options in effect.</param>
internal sealed record PolicyLayout(string Id, string Name, string Role, int Depth, IReadOnlyList<OptionLayout> Options);

internal sealed record OptionLayout(string Name, string Value);

internal sealed record WarningLayout(string Code, string Message);

/// <summary>A moment.</summary>
/// <param name="Layout">The layout that the ids belong to.</param>
/// <param name="Tick">Counts the points of the charts.</param>
/// <param name="At">When.</param>
/// <param name="Viewers">How many look.</param>
/// <param name="Pipelines">In the order of the layout.</param>
/// <param name="Recent">What happened since the state before.</param>
internal sealed record DashboardState(
    long Layout, long Tick, DateTimeOffset At, int Viewers, IReadOnlyList<PipelineNow> Pipelines, IReadOnlyList<RecentEntry> Recent);

/// <param name="Id">Which pipeline.</param>
/// <param name="Point">The newest point of its chart; null between the points.</param>
/// <param name="Times">How long its calls took; null between the points.</param>
/// <param name="Policies">In the order of the layout.</param>
internal sealed record PipelineNow(string Id, ChartPoint? Point, LatencyNow? Times, IReadOnlyList<PolicyNow> Policies);

/// <param name="Minute">In the last minute; null when no call ended.</param>
/// <param name="FiveMinutes">In the last five minutes; null when no call ended.</param>
internal sealed record LatencyNow(LatencyQuantiles? Minute, LatencyQuantiles? FiveMinutes);

/// <summary>What a policy is doing; only what it has is there.</summary>
internal sealed record PolicyNow(string Id)
{
    public CircuitsNow? Circuits { get; init; }

    /// <summary>What the policy says of itself, whose ever it is; a circuit has a card of its own instead.</summary>
    public StatusNow? Status { get; init; }

    public ChaosNow? Chaos { get; init; }

    public string? Store { get; init; }

    /// <summary>The id of a gate whose records can be decided about.</summary>
    public string? Gate { get; init; }

    public IReadOnlyList<CountNow>? Counts { get; init; }
}

/// <param name="Shown">One without a key, or those of a partitioned breaker that are shown.</param>
/// <param name="Total">How many there are.</param>
/// <param name="IsPartitioned">Whether there is one for each key.</param>
/// <param name="NotClosed">How many are not closed.</param>
internal sealed record CircuitsNow(IReadOnlyList<CircuitNow> Shown, int Total, bool IsPartitioned, int NotClosed);

/// <summary>A circuit and its window.</summary>
internal sealed record CircuitNow(string Id, string? Key, string State, long Epoch)
{
    public long InStateMs { get; init; }

    public int Calls { get; init; }

    public int Failures { get; init; }

    public int SlowCalls { get; init; }

    public int OverdueCalls { get; init; }

    public int ConsecutiveFailures { get; init; }

    public int ProbesOut { get; init; }

    public int ProbesSucceeded { get; init; }

    public long? BreakLeftMs { get; init; }

    public string? Cause { get; init; }

    public int MinimumCalls { get; init; }

    public double? OpensAtRatio { get; init; }

    public int? OpensAtConsecutive { get; init; }
}

/// <param name="Condition">ok, warning or tripped.</param>
/// <param name="Text">A line for people.</param>
/// <param name="Share">Of a bar, from 0 to 1; null when there is nothing to show as one.</param>
/// <param name="Readings">The numbers behind the line.</param>
/// <param name="Parts">Those of a key each that are shown.</param>
internal sealed record StatusNow(string Condition, string Text, double? Share, IReadOnlyList<ReadingNow> Readings, IReadOnlyList<PartNow> Parts);

internal sealed record ReadingNow(string Name, double? Value, double? Max, string? Unit);

internal sealed record PartNow(string Key, string Text);

/// <summary>A switch that injects faults, and can be turned off here.</summary>
internal sealed record ChaosNow(string Id, bool IsOn);

/// <summary>What was counted since the beginning of the measurement.</summary>
/// <param name="What">The instrument, without the name of the library.</param>
/// <param name="Label">By what it was counted: a reason, an answer.</param>
/// <param name="Count">How many.</param>
internal sealed record CountNow(string What, string Label, long Count);

/// <summary>What was measured in one interval.</summary>
/// <param name="Calls">Calls that ended.</param>
/// <param name="Failures">Those that failed.</param>
/// <param name="Rejections">Those that were rejected.</param>
/// <param name="Retries">Retries that were scheduled, and hedges that were started.</param>
/// <param name="P50">The median time in milliseconds of those that were not rejected; null when there were none.</param>
/// <param name="P95">The time in milliseconds that 95 % of them did not exceed; null when there were none.</param>
internal readonly record struct ChartPoint(int Calls, int Failures, int Rejections, int Retries, float? P50, float? P95);

/// <param name="Pipeline">The id.</param>
/// <param name="LastTick">The number of the last point.</param>
/// <param name="Points">Oldest first.</param>
internal sealed record ChartHistory(string Pipeline, long LastTick, IReadOnlyList<ChartPoint> Points);

/// <summary>Something that happened.</summary>
/// <param name="Number">Counts the entries.</param>
/// <param name="At">When; of several the last.</param>
/// <param name="Kind">transition, rejection or note.</param>
/// <param name="Pipeline">The pipeline's name.</param>
/// <param name="Policy">The policy's name.</param>
/// <param name="Text">A sentence.</param>
/// <param name="Count">How often it happened.</param>
/// <param name="To">For a transition: the state now.</param>
internal sealed record RecentEntry(
    long Number, DateTimeOffset At, string Kind, string Pipeline, string Policy, string Text, long Count, string? To)
{
    /// <summary>What it is one of: an entry takes the place of an earlier one of the same pipeline, policy and group.</summary>
    public string? Group { get; init; }

    /// <summary>The trace of the call in which it happened, of several the last; null when that call had none.</summary>
    public string? TraceId { get; init; }
}

/// <summary>All that a new viewer needs.</summary>
internal sealed record DashboardAll(DashboardLayout Layout, IReadOnlyList<ChartHistory> History, DashboardState State, bool MayAct);

/// <summary>An action that a viewer asks for.</summary>
/// <param name="Action">isolate or close, for a circuit; turn-off, for a switch that injects faults; look-at-record, record-not-done, record-done and
/// record-unknown, for a gate.</param>
/// <param name="Target">The id of the circuit, the switch or the gate, as in the state.</param>
/// <param name="Record">The id of the record, 64 hexadecimal digits.</param>
/// <param name="Fence">The fence of the record that was looked at.</param>
internal sealed record DashboardAction(string? Action, string? Target, string? Record = null, long? Fence = null);

/// <summary>What came of it.</summary>
internal sealed record DashboardResponse(string Said)
{
    /// <summary>The fence of a record that can be decided about; null when there is nothing to decide.</summary>
    public long? Fence { get; init; }
}

/// <summary>Text without reflection. The encoder escapes everything that could mean something in HTML.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DashboardAll))]
[JsonSerializable(typeof(DashboardAction))]
[JsonSerializable(typeof(DashboardResponse))]
internal sealed partial class DashboardJson : JsonSerializerContext;
