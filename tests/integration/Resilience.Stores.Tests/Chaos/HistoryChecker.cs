using System.Globalization;
using Resilience.StoreChaos;

namespace Resilience.Idempotency.Tests.Chaos;

/// <summary>What a set of histories amounts to.</summary>
internal sealed record ChaosVerdict(IReadOnlyList<string> Violations, int Keys, int Executions, int Takeovers, int Kept, int Replays, int Stale, int NotKept)
{
    public override string ToString() =>
        $"{Keys} keys, {Executions} executions, {Takeovers} of them takeovers, {Kept} outcomes kept, {Replays} tellings, {Stale} stale completions rejected, "
        + $"{NotKept} not recorded in time; {Violations.Count} violations{string.Concat(Violations.Take(5).Select(v => $"\n  {v}"))}";
}

/// <summary>Judges histories after the fact. Knows nothing of how stores or gates work.</summary>
internal static class HistoryChecker
{
    /// <summary>How coarse the machine's clock is.</summary>
    private const long ClockMs = 20;

    /// <param name="entries">Of all processes, in any order.</param>
    /// <param name="stored">What the store holds at the end, by key; null for a key without an outcome.</param>
    /// <param name="leaseMs">The lease.</param>
    internal static ChaosVerdict Check(IReadOnlyList<Entry> entries, IReadOnlyDictionary<string, string?> stored, long leaseMs)
    {
        List<string> violations = [];
        foreach (IGrouping<string, Entry> operation in entries.GroupBy(e => e.Key))
            CheckOne(operation.Key, [.. operation.OrderBy(e => e.At)], stored.GetValueOrDefault(operation.Key), leaseMs, violations);
        int Count(Step step) => entries.Count(e => e.Step == step);
        return new(
            violations, stored.Count, Count(Step.Begun), entries.Count(e => e is { Step: Step.Begun, Attempt: > 1 }), Count(Step.Kept), Count(Step.Told), Count(Step.Stale),
            Count(Step.NotKept));
    }

    private static void CheckOne(string key, Entry[] entries, string? stored, long leaseMs, List<string> violations)
    {
        // One outcome for ever: all callers that received a result received the same one, and it is the one that is stored.
        string[] told = [.. entries.Where(e => e.Step == Step.Told).Select(e => e.Text).Distinct()];
        if (told.Length > 1) violations.Add($"{key}: callers were told different results: {string.Join(", ", told)}");
        if (told.Length == 1 && stored != told[0]) violations.Add($"{key}: callers were told {told[0]}, but the store holds {stored ?? "nothing"}");

        // Acknowledged means kept, and kept once.
        Entry[] kept = [.. entries.Where(e => e.Step == Step.Kept)];
        foreach (Entry one in kept.Where(k => k.Text != stored)) violations.Add($"{key}: {one.Text} was acknowledged, but the store holds {stored ?? "nothing"}");
        if (kept.Select(k => k.Fence).Distinct().Count() > 1) violations.Add($"{key}: kept under {kept.Length} fences");

        // No stale completion: what was kept belongs to the last claim that was granted.
        Entry[] begun = [.. entries.Where(e => e.Step == Step.Begun).OrderBy(e => e.Fence)];
        foreach (Entry one in kept.Where(k => begun.Any(b => b.Fence > k.Fence))) violations.Add($"{key}: kept under fence {one.Fence}, though a later claim was granted");

        // Every further execution is explained: a later attempt, a larger fence, and a lease that had time to end.
        for (int i = 1; i < begun.Length; i++)
        {
            Entry before = begun[i - 1], after = begun[i];
            if (after.Fence == before.Fence) violations.Add($"{key}: fence {after.Fence} was granted twice");
            if (after.Attempt <= before.Attempt) violations.Add($"{key}: attempt {after.Attempt} followed attempt {before.Attempt}");

            // The first was granted after it was asked for, the second before it was written down: so this is the longest that can lie between.
            long between = after.At - long.Parse(before.Text.TrimEnd('.'), CultureInfo.InvariantCulture);
            if (between < leaseMs - ClockMs) violations.Add($"{key}: claimed again at most {between} ms after a claim");
        }
    }
}
