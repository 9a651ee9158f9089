using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>The gate's instruments. Keys and fingerprints are never in them.</summary>
internal sealed class IdempotencyTelemetry
{
    private static readonly double[] Seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

    private readonly SafeCounter<long> _takeovers;
    private readonly SafeUpDownCounter<long> _waiting;
    private readonly SafeHistogram<double> _storeDuration;

    private IdempotencyTelemetry(Meter meter)
    {
        _takeovers = SafeInstruments.Counter<long>(
            meter, "resilience.idempotency.takeovers", "{claim}", "Claims that took the place of a lapsed one: each may be a second execution.");
        _waiting = SafeInstruments.UpDownCounter<long>(meter, "resilience.idempotency.waiting", "{call}", "Duplicates that wait for the first.");
        _storeDuration = SafeInstruments.Histogram(
            meter, "resilience.idempotency.store.duration", "s", "Time that a store took to answer, by operation.",
            Seconds);
    }

    private static IdempotencyTelemetry Of(PolicyEnvironment environment) => environment.Instruments(static m => new IdempotencyTelemetry(m));

    internal static bool MeasuresStores(PolicyEnvironment environment) => Of(environment)._storeDuration.Enabled;

    internal static void StoreAnswered(PolicyEnvironment environment, string store, string operation, TimeSpan took, string? error)
    {
        SafeHistogram<double> duration = Of(environment)._storeDuration;
        if (!duration.Enabled) return;
        TagList tags = new()
        {
            { ResilienceTelemetry.PolicyTag, environment.PolicyName },
            { "resilience.idempotency.store", store },
            { "resilience.idempotency.operation", operation },
        };
        if (error is not null) tags.Add(ResilienceTelemetry.ErrorTypeTag, error);
        duration.Record(took.TotalSeconds, tags);
    }

    internal static void Answered(PolicyEnvironment environment, IdempotencyId id, in IdempotencyResult entry)
    {
        int attempt = entry.Claim?.Attempt ?? 0;
        if (attempt > 1 && Of(environment)._takeovers is { Enabled: true } takeovers) takeovers.Add(1, Tags(environment));
        if (!environment.IsObserved(IdempotencyChecked.Metric)) return;
        environment.Report(new IdempotencyChecked("", environment.PolicyName, ShownId(environment, id), entry.Status, attempt) { Error = entry.Error });
    }

    /// <summary>A counter needs none.</summary>
    private static string ShownId(PolicyEnvironment environment, IdempotencyId id) => environment.IsRead ? id.ToString() : "";

    internal static void Rejected(PolicyEnvironment environment, IdempotencyRejection rejection)
    {
        if (environment.IsObserved(IdempotencyRejected.Metric))
            environment.Report(new IdempotencyRejected(environment.PipelineName, environment.PolicyName, rejection));
    }

    /// <summary>No caller waits for it, so it is told to listeners.</summary>
    internal static void StoreFailed(PolicyEnvironment environment, string task, Exception error, IdempotencyId? id = null)
    {
        Safely.Report($"idempotency {task}", error);
        if (!environment.IsObserved()) return;
        string? shown = id is { } known && environment.IsRead ? known.ToString() : null;
        environment.Report(new IdempotencyStoreFailed("", environment.PolicyName, task, error) { Id = shown });
    }

    internal static void Ended(PolicyEnvironment environment, string how)
    {
        if (environment.CounterOf(IdempotencyOutcomeNotKept.Metric) is not { Enabled: true } completions) return;
        completions.Add(1, new TagList { { ResilienceTelemetry.PolicyTag, environment.PolicyName }, { IdempotencyOutcomeNotKept.CompletionTag, how } });
    }

    internal static void NotKept(PolicyEnvironment environment, IdempotencyClaim claim, IdempotencyFinish finish, Exception? error)
    {
        if (environment.IsObserved(IdempotencyOutcomeNotKept.Metric))
            environment.Report(new IdempotencyOutcomeNotKept("", environment.PolicyName, ShownId(environment, claim.Id), finish, error));
    }

    /// <summary>The keeper found it out, on a thread that belongs to no call: the story is told as part of the call's.</summary>
    internal static void Lost(PolicyEnvironment environment, IdempotencyClaim claim)
    {
        Activity? keepers = Activity.Current;
        if (claim.Span is { IsStopped: false } span) Span.MakeCurrent(span);
        if (environment.IsObserved(IdempotencyClaimLost.Metric))
        {
            environment.Report(
                new IdempotencyClaimLost("", environment.PolicyName, ShownId(environment, claim.Id), claim.Fence) { Error = claim.RenewalError });
        }

        Span.MakeCurrent(keepers);
    }

    /// <summary>True when it was recorded: what was not counted on the way in is not counted on the way out.</summary>
    internal static bool BeginsToWait(PolicyEnvironment environment)
    {
        SafeUpDownCounter<long> waiting = Of(environment)._waiting;
        if (!waiting.Enabled) return false;
        waiting.Add(1, Tags(environment));
        return true;
    }

    internal static void HasWaited(PolicyEnvironment environment) =>
        Of(environment)._waiting.Add(-1, Tags(environment));

    private static TagList Tags(PolicyEnvironment environment) => new() { { ResilienceTelemetry.PolicyTag, environment.PolicyName } };

    internal static string NameOf(IdempotencyStoreFault fault) => fault switch
    {
        IdempotencyStoreFault.Full => "full",
        IdempotencyStoreFault.Corrupt => "corrupt",
        IdempotencyStoreFault.Misconfigured => "misconfigured",
        _ => "unavailable",
    };
}
