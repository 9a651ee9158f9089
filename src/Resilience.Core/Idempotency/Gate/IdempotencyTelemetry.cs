using System.Diagnostics;
using System.Diagnostics.Metrics;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>The gate's instruments. Keys and fingerprints are never in them.</summary>
internal sealed class IdempotencyTelemetry
{
    private const string StatusTag = "resilience.idempotency.status", CompletionTag = "resilience.idempotency.completion";

    private static readonly double[] Seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

    private readonly SafeCounter<long> _answers;
    private readonly SafeCounter<long> _takeovers;
    private readonly SafeCounter<long> _completions;
    private readonly SafeCounter<long> _lost;
    private readonly SafeUpDownCounter<long> _waiting;
    private readonly SafeCounter<long> _rejections;
    private readonly SafeHistogram<double> _storeDuration;

    private IdempotencyTelemetry(Meter meter)
    {
        _answers = SafeInstruments.Counter<long>(meter, "resilience.idempotency.requests", "{call}", "Calls that asked to begin an operation, by answer.");
        _takeovers = SafeInstruments.Counter<long>(
            meter, "resilience.idempotency.takeovers", "{claim}", "Claims that took the place of a lapsed one: each may be a second execution.");
        _completions = SafeInstruments.Counter<long>(meter, "resilience.idempotency.completions", "{claim}", "Claims that ended, by how.");
        _lost = SafeInstruments.Counter<long>(meter, "resilience.idempotency.claims.lost", "{claim}", "Claims that were lost while their call was running.");
        _rejections = SafeInstruments.Counter<long>(
            meter, "resilience.idempotency.rejections", "{call}", "Calls that were neither executed nor answered with an outcome, by reason.");
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
        IdempotencyTelemetry own = Of(environment);
        int attempt = entry.Claim?.Attempt ?? 0;
        if (own._answers.Enabled) own._answers.Add(1, Tags(environment, StatusTag, NameOf(entry.Status)));
        if (attempt > 1 && own._takeovers.Enabled) own._takeovers.Add(1, Tags(environment));
        if (environment.HasListeners)
            environment.Publish(new IdempotencyChecked("", environment.PolicyName, id.ToString(), entry.Status, attempt) { Error = entry.Error });
        if (SpanEvents.Find() is { } span) Tell(span, "resilience.idempotency", environment, id, StatusTag, NameOf(entry.Status));
    }

    private static void Tell(Activity span, string name, PolicyEnvironment environment, IdempotencyId id, string tag, string value)
    {
        ActivityTagsCollection tags = SpanEvents.Tags(environment.PolicyName);
        tags.Add(tag, value);
        tags.Add("resilience.idempotency.id", id.ToString());
        SpanEvents.Add(span, name, tags);
    }

    internal static void Rejected(PolicyEnvironment environment, IdempotencyRejection rejection)
    {
        SafeCounter<long> rejections = Of(environment)._rejections;
        string reason = NameOf(rejection.Why);
        if (rejections.Enabled)
        {
            rejections.Add(1, new TagList
            {
                { ResilienceTelemetry.PipelineTag, environment.PipelineName },
                { ResilienceTelemetry.PolicyTag, environment.PolicyName },
                { ResilienceTelemetry.ReasonTag, reason },
            });
        }

        if (environment.HasListeners) environment.Publish(new IdempotencyRejected(environment.PipelineName, environment.PolicyName, rejection));
        SafeRejection.TellSpan(environment.PolicyName, reason, rejection);
    }

    /// <summary>No caller waits for it, so it is told to listeners.</summary>
    internal static void StoreFailed(PolicyEnvironment environment, string task, Exception error)
    {
        Safely.Report($"idempotency {task}", error);
        if (environment.HasListeners) environment.Publish(new IdempotencyStoreFailed("", environment.PolicyName, task, error));
    }

    internal static void Ended(PolicyEnvironment environment, string how)
    {
        SafeCounter<long> completions = Of(environment)._completions;
        if (completions.Enabled) completions.Add(1, Tags(environment, CompletionTag, how));
    }

    internal static void NotKept(PolicyEnvironment environment, IdempotencyClaim claim, IdempotencyFinish finish, Exception? error)
    {
        string how = finish == IdempotencyFinish.Lost ? "stale" : "store_failed";
        Ended(environment, how);
        if (SpanEvents.Find() is { } span) Tell(span, "resilience.idempotency.not_kept", environment, claim.Id, CompletionTag, how);
        if (environment.HasListeners)
            environment.Publish(new IdempotencyOutcomeNotKept("", environment.PolicyName, claim.Id.ToString(), finish, error));
    }

    /// <summary>The keeper found it out, on a thread that belongs to no call: the story is told as part of the call's.</summary>
    internal static void Lost(PolicyEnvironment environment, IdempotencyClaim claim)
    {
        Activity? keepers = Activity.Current;
        if (claim.Span is { IsStopped: false } span) Span.MakeCurrent(span);
        ReportLost(environment, claim);
        Span.MakeCurrent(keepers);
    }

    private static void ReportLost(PolicyEnvironment environment, IdempotencyClaim claim)
    {
        SafeCounter<long> lost = Of(environment)._lost;
        if (lost.Enabled) lost.Add(1, Tags(environment));
        if (environment.HasListeners)
            environment.Publish(new IdempotencyClaimLost("", environment.PolicyName, claim.Id.ToString(), claim.Fence) { Error = claim.RenewalError });
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

    private static TagList Tags(PolicyEnvironment environment, string name, string value) =>
        new() { { ResilienceTelemetry.PolicyTag, environment.PolicyName }, { name, value } };

    internal static string NameOf(IdempotencyStoreFault fault) => fault switch
    {
        IdempotencyStoreFault.Full => "full",
        IdempotencyStoreFault.Corrupt => "corrupt",
        IdempotencyStoreFault.Misconfigured => "misconfigured",
        _ => "unavailable",
    };

    private static string NameOf(IdempotencyRejectionReason why) => why switch
    {
        IdempotencyRejectionReason.KeyMissing => "key_missing",
        IdempotencyRejectionReason.KeyReused => "key_reused",
        IdempotencyRejectionReason.Busy => "busy",
        IdempotencyRejectionReason.OutcomeUnknown => "outcome_unknown",
        IdempotencyRejectionReason.ResultNotKept => "result_not_kept",
        IdempotencyRejectionReason.Unreadable => "unreadable",
        IdempotencyRejectionReason.ClaimLost => "claim_lost",
        IdempotencyRejectionReason.Stopping => "stopping",
        _ => "store_unavailable",
    };

    private static string NameOf(IdempotencyStatus answer) => answer switch
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
