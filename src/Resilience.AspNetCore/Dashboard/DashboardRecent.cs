using System.Collections.Concurrent;
using System.Diagnostics;
using Resilience.Events;
using Resilience.Extensibility;
using Resilience.Idempotency;

namespace Resilience;

/// <summary>What happened last: changes of circuits, kept always because they are rare; rejections and the like, gathered by kind while
/// there is a viewer. What goes on happening stays one entry, which grows.</summary>
internal sealed class DashboardRecent(int capacity, bool showKeys, TimeProvider time)
{
    private const int MaxKinds = 256;

    private readonly List<RecentEntry> _entries = []; // oldest first
    private readonly Lock _gate = new(); // guards the entries: a few times a second, never by a call that is only rejected
    private readonly ConcurrentDictionary<(string Pipeline, string Policy, string Kind), Collected> _gathered = new();
    private long _number;

    /// <summary>Tells that a circuit has changed.</summary>
    internal event Action? Changed;

    internal void Transition(CircuitChanged change)
    {
        string key = change.Key is { } known && showKeys ? $" ({known})" : "";
        string text = change.To switch
        {
            CircuitState.Open => FormattableString.Invariant(
                $"Open{key}: {change.Cause}. Calls are rejected for {change.BreakDuration?.TotalSeconds ?? 0:0.#} s."),
            CircuitState.HalfOpen => $"Half open{key}: a probe is on its way. It had opened because {change.Cause}.",
            CircuitState.Isolated => $"Isolated{key}: held open by hand.",
            _ => change.From == CircuitState.HalfOpen ? $"Closed{key}: the probes succeeded." : $"Closed{key}: by hand.",
        };
        Add(new(0, default, "transition", change.PipelineName, change.PolicyName, text, 1, Words.Of(change.To))
        {
            TraceId = Activity.Current?.TraceId.ToString(),
        });
        Changed?.Invoke();
    }

    /// <summary>An event of a single call: counted here, told at the next <see cref="Flush"/>.</summary>
    internal void Gather(ResilienceEvent happened)
    {
        if (Kind(happened) is not { } kind) return;
        (string, string, string) key = (happened.PipelineName, happened.PolicyName, kind);
        if (!_gathered.TryGetValue(key, out Collected? gathered))
        {
            if (_gathered.Count >= MaxKinds) return;
            gathered = _gathered.GetOrAdd(key, static _ => new());
        }

        Volatile.Write(ref gathered.Last, new(happened, Activity.Current?.TraceId));
        Interlocked.Increment(ref gathered.Count); // full fence: a thread that sees the count sees an event
    }

    /// <summary>Makes entries of what was gathered. By the one reader.</summary>
    internal void Flush()
    {
        foreach (((string pipeline, string policy, string kind), Collected gathered) in _gathered)
        {
            long count = Interlocked.Exchange(ref gathered.Count, 0);
            if (count == 0 || Volatile.Read(ref gathered.Last) is not { } last) continue;
            string shown = kind.StartsWith("rejected", StringComparison.Ordinal) ? "rejection" : "note";
            Add(new(0, default, shown, pipeline, policy, Text(last.Event), count, null)
            {
                Group = GroupOf(kind, last.Event),
                TraceId = last.Trace?.ToString(),
            });
        }
    }

    /// <summary>There is no viewer any more: what was collected and not sent is of no interest.</summary>
    internal void Forget() => _gathered.Clear();

    /// <summary>The number of the last entry.</summary>
    internal long LastNumber
    {
        get
        {
            lock (_gate) return _number;
        }
    }

    /// <summary>The entries after this number, oldest first.</summary>
    internal IReadOnlyList<RecentEntry> Since(long number)
    {
        lock (_gate) return [.. _entries.SkipWhile(e => e.Number <= number)];
    }

    private void Add(RecentEntry entry)
    {
        DateTimeOffset now = time.GetUtcNow();
        lock (_gate)
        {
            if (entry.Group is { } group && _entries.FindIndex(e => IsSame(e, entry, group)) is >= 0 and int same)
            {
                entry = entry with { Count = entry.Count + _entries[same].Count };
                _entries.RemoveAt(same);
            }

            if (_entries.Count == capacity) _entries.RemoveAt(0);
            _entries.Add(entry with { Number = ++_number, At = now });
        }
    }

    private static bool IsSame(RecentEntry one, RecentEntry other, string group) =>
        one.Group == group && one.Pipeline == other.Pipeline && one.Policy == other.Policy;

    /// <summary>What goes on: the rejections of one break, say. Their sentences differ in how long it still takes.</summary>
    private static string GroupOf(string kind, ResilienceEvent happened) =>
        happened is CircuitRejected { Rejection.Since: { } since } ? FormattableString.Invariant($"{kind} {since.UtcTicks}") : kind;

    /// <summary>What is told, and what belongs together. Null: not told. A new or repeated answer of a gate is daily bread.</summary>
    private static string? Kind(ResilienceEvent happened) => happened switch
    {
        CircuitChanged or RetryScheduled or HedgeStarted or HedgeWon => null,
        CircuitRejected e => $"rejected {Words.Of(e.Entry)}",
        LimitReached e => e.Rejection.Why == LimitReason.QueueFull ? "rejected full" : "rejected waited",
        RateLimitReached => "rejected rate",
        RetryStopped { Cause: RetryStopReason.Budget } => "no budget",
        RetryStopped { Cause: RetryStopReason.Deadline } => "no time",
        RetryStopped { Cause: RetryStopReason.RetryAfter } => "asked to wait too long",
        RetryStopped => null,
        CallTimedOut => "timeout",
        FallbackUsed => "fallback",
        FallbackFailed => "fallback failed",
        IdempotencyChecked { Status: IdempotencyStatus.Claimed or IdempotencyStatus.Replayed } => null,
        IdempotencyChecked e => Words.Of(e.Status),
        IdempotencyRejected e => $"rejected {Words.Of(e.Rejection.Why)}",
        HedgeSkipped e => $"no hedge {e.Cause}",
        ChaosInjected e => $"chaos {e.Kind}",
        ChaosSwitched e => e.IsOn ? "chaos on" : "chaos off",
        _ => happened.GetType().Name,
    };

    /// <summary>A sentence that gives away no more than the policy's name, numbers and types: no message of an exception, no key.</summary>
    private string Text(ResilienceEvent happened) => happened switch
    {
        CircuitRejected { Rejection: null } e => $"{e.PolicyName}: would have rejected (dry run).",
        CircuitRejected { Rejection: { } rejection } e => showKeys
            ? rejection.Reason
            : $"{e.PolicyName}: the circuit of a key is {Words.Of(rejection.State)} because {rejection.Cause}.", // the sentence names the key
        LimitReached e => e.Rejection.Reason,
        RateLimitReached e => $"{e.PolicyName}: the rate limit is reached.", // the limiter's own words may say more than they should
        RetryStopped { Cause: RetryStopReason.Budget } e => $"{e.PolicyName}: not repeated, the retry budget is spent ({e.Reason}).",
        RetryStopped { Cause: RetryStopReason.RetryAfter } e => $"{e.PolicyName}: not repeated, a longer wait was asked for than is allowed ({e.Reason}).",
        RetryStopped e => $"{e.PolicyName}: not repeated, a retry would not fit into the time that is left ({e.Reason}).",
        CallTimedOut e => FormattableString.Invariant(
            $"{e.PolicyName}: ended after {e.Timeout.TotalSeconds:0.###} s{(e.IsAbandoned ? ", and the call was left running" : "")}."),
        FallbackUsed e => $"{e.PolicyName}: a substitute was given ({e.Source}).",
        FallbackFailed e => $"{e.PolicyName}: the substitute failed ({e.Error.GetType().Name}).",
        IdempotencyChecked e => $"{e.PolicyName}: answered {Words.Of(e.Status)}.",
        IdempotencyRejected e => $"{e.PolicyName}: {Words.Of(e.Rejection.Why)}.",
        ChaosInjected e => $"{e.PolicyName}: injected on purpose: {e.Kind}.",
        ChaosSwitched e => $"{e.PolicyName}: chaos is {(e.IsOn ? "on" : "off")}.",
        HedgeSkipped e => $"{e.PolicyName}: no second attempt beside the first ({e.Cause}).",
        IdempotencyClaimLost e => $"{e.PolicyName}: a claim was lost while its call ran.",
        IdempotencyStoreFailed e => $"{e.PolicyName}: the store could not be asked to {e.Task}.",
        IdempotencyOutcomeNotKept e => $"{e.PolicyName}: an outcome could not be recorded ({e.Finish}).",
        _ => $"{happened.PolicyName}: {happened.GetMessage()}.",
    };

    private sealed class Collected
    {
        internal long Count;
        internal Happened? Last;
    }

    /// <summary>An event, and the trace of the call in which it happened.</summary>
    private sealed record Happened(ResilienceEvent Event, ActivityTraceId? Trace);
}

/// <summary>What things are called on the page.</summary>
internal static class Words
{
    internal static string Of(CircuitState state) => state switch
    {
        CircuitState.Closed => "closed",
        CircuitState.Open => "open",
        CircuitState.HalfOpen => "half-open",
        _ => "isolated",
    };

    internal static string Of(PolicyCondition condition) => condition switch
    {
        PolicyCondition.Ok => "ok",
        PolicyCondition.Warning => "warning",
        _ => "tripped",
    };

    internal static string Of(CircuitAdmission entry) => entry switch
    {
        CircuitAdmission.RejectedOpen => "open",
        CircuitAdmission.RejectedProbesTaken => "probes taken",
        CircuitAdmission.RejectedRamping => "ramping",
        CircuitAdmission.RejectedIsolated => "isolated",
        _ => "dry run",
    };

    /// <summary>Without the record and without what the store said, unlike the rejection's own sentence.</summary>
    internal static string Of(IdempotencyRejectionReason why) => why switch
    {
        IdempotencyRejectionReason.KeyMissing => "the call has no key",
        IdempotencyRejectionReason.KeyReused => "the key was used for a different call",
        IdempotencyRejectionReason.Busy => "the same call is under way",
        IdempotencyRejectionReason.OutcomeUnknown => "the call was begun before and its outcome is unknown",
        IdempotencyRejectionReason.ResultNotKept => "the call was done before, but its result was not kept",
        IdempotencyRejectionReason.Unreadable => "the outcome of the call cannot be read",
        IdempotencyRejectionReason.StoreUnavailable => "the store cannot be asked",
        _ => "the claim was lost while the call ran",
    };

    internal static string Of(IdempotencyStatus answer) => answer switch
    {
        IdempotencyStatus.Claimed => "new",
        IdempotencyStatus.Replayed => "replayed",
        IdempotencyStatus.Busy => "busy",
        IdempotencyStatus.KeyReused => "reused",
        IdempotencyStatus.OutcomeUnknown => "unknown",
        IdempotencyStatus.Unreadable => "unreadable",
        IdempotencyStatus.Unprotected => "unprotected",
        IdempotencyStatus.Stopping => "stopping",
        _ => "unavailable",
    };
}
