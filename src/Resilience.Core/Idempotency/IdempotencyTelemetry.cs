using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;

namespace Resilience;

/// <summary>A caller asked to begin an operation.</summary>
/// <param name="PipelineName">Empty: a gate serves many pipelines.</param>
/// <param name="PolicyName">The gate.</param>
/// <param name="Id">The first digits of the record's id.</param>
/// <param name="Status">What he was answered.</param>
/// <param name="Attempt">When claimed: 1, or above 1 for a takeover.</param>
public sealed record IdempotencyChecked(string PipelineName, string PolicyName, string Id, IdempotencyStatus Status, int Attempt)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 30;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => this switch
    {
        { Status: IdempotencyStatus.StoreUnavailable or IdempotencyStatus.Unprotected } => ResilienceEventLevel.Error,
        { Status: IdempotencyStatus.OutcomeUnknown or IdempotencyStatus.Unreadable } or { Attempt: > 1 } => ResilienceEventLevel.Warning,
        _ => ResilienceEventLevel.Debug,
    };

    /// <inheritdoc/>
    public override Exception? GetException() => Error;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Attempt > 1) return $"record {Id} is {Status}, attempt {Attempt} after one that lapsed";
        return $"record {Id} is {Status}";
    }

    /// <summary>Unavailable, unprotected or unreadable: what the store said; otherwise null.</summary>
    public Exception? Error { get; init; }

    /// <summary>What kind of fault it was; null when there was no <see cref="Error"/>. <see cref="IdempotencyStoreFault.Misconfigured"/> does not pass
    /// by itself.</summary>
    public IdempotencyStoreFault? Fault => (Error as IdempotencyStoreException)?.Fault;

    /// <summary>For <see cref="object.ToString"/>: the error with its type and message alone.</summary>
    protected override bool PrintMembers(StringBuilder builder)
    {
        base.PrintMembers(builder);
        builder.Append($", {nameof(Id)} = {Id}, {nameof(Status)} = {Status}, {nameof(Attempt)} = {Attempt}");
        builder.Append($", {nameof(Error)} = {Safely.TextOf(Error)}, {nameof(Fault)} = {Fault}");
        return true;
    }
}

/// <summary>A claim was lost while its call was running: another caller may execute the operation as well.</summary>
/// <param name="PipelineName">Empty.</param>
/// <param name="PolicyName">The gate.</param>
/// <param name="Id">The first digits of the record's id.</param>
/// <param name="Fence">The fence of the lost claim.</param>
public sealed record IdempotencyClaimLost(string PipelineName, string PolicyName, string Id, long Fence)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 31;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override Exception? GetException() => Error;

    /// <inheritdoc/>
    public override EventMessage GetMessage() =>
        $"the claim of record {Id} (fence {Fence}) was lost while its call was running; another caller may execute it as well";

    /// <summary>Why the lease could not be renewed; null when the store said that the claim is gone.</summary>
    public Exception? Error { get; init; }
}

/// <summary>The store could not be asked for something for which no caller waits: a renewal, a claim that is given back, a sweep. What callers wait for
/// is told with the answer to them.</summary>
/// <param name="PipelineName">Empty.</param>
/// <param name="PolicyName">The gate.</param>
/// <param name="Task">What it was asked for: <c>renew</c>, <c>release</c>, <c>complete</c>, <c>withdraw</c> or <c>purge</c>.</param>
/// <param name="Error">What the store said.</param>
public sealed record IdempotencyStoreFailed(string PipelineName, string PolicyName, string Task, Exception Error)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 35;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override Exception? GetException() => Error;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => $"the store could not {Task}";

    /// <summary>What kind of fault it was. <see cref="IdempotencyStoreFault.Misconfigured"/> does not pass by itself.</summary>
    public IdempotencyStoreFault? Fault => (Error as IdempotencyStoreException)?.Fault;
}

/// <summary>An outcome could not be recorded.</summary>
/// <param name="PipelineName">Empty.</param>
/// <param name="PolicyName">The gate.</param>
/// <param name="Id">The first digits of the record's id.</param>
/// <param name="Finish">Lost, or the store failed.</param>
/// <param name="Error">What the store said.</param>
public sealed record IdempotencyOutcomeNotKept(string PipelineName, string PolicyName, string Id, IdempotencyFinish Finish, Exception? Error)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 32;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Error;

    /// <inheritdoc/>
    public override Exception? GetException() => Error;

    /// <inheritdoc/>
    public override EventMessage GetMessage() => $"the outcome of record {Id} was not recorded ({Finish})";

    /// <summary>For <see cref="object.ToString"/>: the error with its type and message alone.</summary>
    protected override bool PrintMembers(StringBuilder builder)
    {
        base.PrintMembers(builder);
        builder.Append($", {nameof(Id)} = {Id}, {nameof(Finish)} = {Finish}, {nameof(Error)} = {Safely.TextOf(Error)}");
        return true;
    }
}

/// <summary>A call was not executed, and no outcome could be given instead.</summary>
/// <param name="PipelineName">The pipeline, empty where a gate is used alone.</param>
/// <param name="PolicyName">The policy, or the gate that is used alone.</param>
/// <param name="Rejection">Why, and which record it was about.</param>
public sealed record IdempotencyRejected(string PipelineName, string PolicyName, IdempotencyRejection Rejection)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 15;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        string reason = ReasonWithoutNames(Rejection);
        return $"call rejected ({Rejection.Why}): {reason}";
    }
}

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
        SpanEvents.AddRejection(environment.PolicyName, reason, rejection);
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
