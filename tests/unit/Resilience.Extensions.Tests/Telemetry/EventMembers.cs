using System.Reflection;

namespace Resilience.Tests.Telemetry;

/// <summary>Which members of the enums that events hold no sample has: each may have a sentence of its own. Looked for in the event, in its rejection and
/// in the cause of a trip; of two properties of one enum, in each change from one member to another.</summary>
internal static class EventMembers
{
    /// <summary>What never comes, and why.</summary>
    private static readonly Dictionary<string, string> Never = new()
    {
        ["CircuitRejected.Entry Admitted"] = Passes,
        ["CircuitRejected.Entry AdmittedAsProbe"] = Passes,
        ["CircuitChanged.Cause.Rule None"] = "a circuit that never opened does not change",
        ["CircuitChanged Closed > HalfOpen"] = "a circuit opens first",
        ["CircuitChanged Isolated > Open"] = OnlyClosed,
        ["CircuitChanged Isolated > HalfOpen"] = OnlyClosed,
        ["CircuitRejected.Rejection.Cause.Rule None"] = InSpokenTexts,
        ["CircuitRejected.Rejection.Cause.Rule FailureRatio"] = InSpokenTexts,
        ["CircuitRejected.Rejection.Cause.Rule SlowCalls"] = InSpokenTexts,
        ["CircuitRejected.Rejection.Cause.Rule ProbeFailed"] = InSpokenTexts,
        ["FallbackUsed.Replaced None"] = NoVerdict,
        ["FallbackUsed.Replaced Success"] = NotReplaced,
        ["FallbackUsed.Replaced Ignored"] = NotReplaced,
        ["FallbackFailed.Kept None"] = NoVerdict,
        ["FallbackFailed.Kept Success"] = NotReplaced,
        ["FallbackFailed.Kept Ignored"] = NotReplaced,
        ["RuleVerdictIgnored.Answer None"] = "a rule that answers None is passed over, and counted",
        ["RuleVerdictIgnored.Answer Failure"] = "a result and an exception can both be that",
        ["RuleVerdictIgnored.Answer Ignored"] = "a result and an exception can both be that",
        ["IdempotencyChecked.Status None"] = "the content of default: no answer",
        ["IdempotencyOutcomeNotKept.Finish None"] = "the content of default: no answer",
        ["IdempotencyOutcomeNotKept.Finish Kept"] = "it was recorded",
        ["IdempotencyOutcomeNotKept.Finish Unprotected"] = "there is nothing that could be recorded",
    };

    private const string Passes = "the call passes", NoVerdict = "the content of default: no verdict", NotReplaced = "a fallback does not replace it",
        OnlyClosed = "an isolated circuit is only closed, by hand", InSpokenTexts = "docs/spoken-texts.txt has the sentence of a rejection for each rule";

    /// <summary>Of the exception, which the line has beside its sentence.</summary>
    private static readonly string[] Beside = ["IdempotencyChecked.Fault", "IdempotencyStoreFailed.Fault"];

    internal static IEnumerable<string> Unseen(IReadOnlyList<ResilienceEvent> samples) => All(samples).Where(m => !Never.ContainsKey(m));

    internal static IEnumerable<string> Superfluous(IReadOnlyList<ResilienceEvent> samples) => Never.Keys.Except(All(samples));

    private static IEnumerable<string> All(IReadOnlyList<ResilienceEvent> samples) =>
        from type in EventLogTests.Ours()
        let own = samples.Where(s => s.GetType() == type).ToArray()
        from unseen in OfProperties(type, type.Name, [.. own]).Concat(OfChanges(type, own))
        select unseen;

    private static IEnumerable<string> OfProperties(Type type, string path, object[] all)
    {
        foreach (PropertyInfo property in type.GetProperties().Where(p => p.GetIndexParameters().Length == 0 && p.GetMethod is { IsStatic: false }))
        {
            string here = $"{path}.{property.Name}";
            if (Beside.Contains(here)) continue;
            object[] values = [.. all.Select(property.GetValue).OfType<object>()];
            Type held = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            IEnumerable<string> unseen = held.IsEnum ? Enum.GetNames(held).Except(values.Select(v => v.ToString())).Select(n => $"{here} {n}")
                : held.IsSubclassOf(typeof(Rejection)) || held == typeof(TripCause) ? OfProperties(held, here, values)
                : [];
            foreach (string one in unseen) yield return one;
        }
    }

    private static IEnumerable<string> OfChanges(Type type, ResilienceEvent[] own) =>
        from pair in type.GetProperties().Where(p => p.PropertyType.IsEnum).GroupBy(p => p.PropertyType).Where(g => g.Count() == 2)
        let parts = pair.ToArray()
        from before in Enum.GetNames(pair.Key)
        from after in Enum.GetNames(pair.Key)
        where before != after && !own.Any(e => parts[0].GetValue(e)!.ToString() == before && parts[1].GetValue(e)!.ToString() == after)
        select $"{type.Name} {before} > {after}";
}
