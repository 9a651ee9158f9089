using System.Collections.Concurrent;
using System.Diagnostics;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What happened last: changes of state, kept always because they are rare; rejections and the like, gathered by kind and made entries once in an
/// interval. What goes on happening stays one entry, which grows. Bounded: 256 kinds, and as many entries as the options say.</summary>
internal sealed class DashboardRecent(int capacity, bool showKeys, TimeProvider time)
{
    private const int MaxKinds = 256;

    private readonly List<RecentEntry> _entries = []; // oldest first
    private readonly Lock _gate = new(); // guards the entries: a few times a second, never by a call that is only rejected
    private readonly ConcurrentDictionary<(string Pipeline, string Policy, string Kind), Collected> _gathered = new();
    private long _number;

    /// <summary>Tells that a policy has changed its state.</summary>
    internal event Action? StateChanged;

    internal void Changed(ResilienceEvent change)
    {
        if (change.GetNewState() is not { } state) return;
        Add(new(0, default, "transition", change.PipelineName, change.PolicyName, Summary(change), 1, state)
        {
            TraceId = Activity.Current?.TraceId.ToString(),
        });
        StateChanged?.Invoke();
    }

    /// <summary>An event of a single call: counted here, told at the next <see cref="Flush"/>. Changes of state are there already.</summary>
    internal void Gather(ResilienceEvent happened)
    {
        if (happened.GetNewState() is not null || happened.GetGroup() is not { } group) return;
        (string, string, string) key = (happened.PipelineName, happened.PolicyName, group.Name);
        if (!_gathered.TryGetValue(key, out Collected? gathered))
        {
            if (_gathered.Count >= MaxKinds) return;
            gathered = _gathered.GetOrAdd(key, static _ => new());
        }

        Interlocked.Increment(ref gathered.Count); // full fence: a thread that takes the event sees it counted

        // The first after a flush stands for all until the next one: in a storm a rejection costs an addition, and no memory.
        if (Volatile.Read(ref gathered.First) is null) Volatile.Write(ref gathered.First, new(happened, group, Activity.Current?.TraceId));
    }

    /// <summary>Makes entries of what was gathered. Thread-safe: each rejection is in one entry, by any reader.</summary>
    internal void Flush()
    {
        foreach (((string pipeline, string policy, _), Collected gathered) in _gathered)
        {
            if (Interlocked.Exchange(ref gathered.First, null) is not { } first) continue;
            long count = Interlocked.Exchange(ref gathered.Count, 0);
            if (count == 0) continue; // it was counted by the flush before
            Add(new(0, default, first.Group.IsRejection ? "rejection" : "note", pipeline, policy, Summary(first.Event), count, null)
            {
                Group = FormattableString.Invariant($"{first.Group.Name} {first.Group.Part}"),
                TraceId = first.Trace?.ToString(),
            });
        }
    }

    /// <summary>Nothing is gathered any more: what was and is no entry yet is of no interest.</summary>
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

    /// <summary>What happened, in the event's own words. It may be a stranger's, and must not spoil the reading of all.</summary>
    private string Summary(ResilienceEvent happened)
    {
        try
        {
            return happened.GetSummary(showKeys);
        }
        catch (Exception)
        {
            return $"{happened.PolicyName}: {happened.GetType().Name}.";
        }
    }

    private sealed class Collected
    {
        internal long Count;
        internal Happened? First; // since the last flush
    }

    /// <summary>An event, and the trace of the call in which it happened.</summary>
    private sealed record Happened(ResilienceEvent Event, EventGroup Group, ActivityTraceId? Trace);
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
}
