using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Resilience.Idempotency;

namespace Resilience;

/// <summary>The way out for a record whose outcome is unknown, on the page: an operator looks at it and says what happened.</summary>
/// <remarks>The operator names the fence that was seen, so a decision about one doubt changes nothing about the next. A result cannot be given here:
/// "done" is told without one, and code can say more (<see cref="IdempotencyGate.ResolveAsync"/>).</remarks>
internal sealed class DashboardRecords(DashboardReader reader, ResilienceDashboardOptions options, ILogger logger)
{
    internal const string Look = "look-at-record";

    private static readonly Dictionary<string, (IdempotencyResolution Resolution, string Said)> Decisions = new(StringComparer.Ordinal)
    {
        ["record-not-done"] = (IdempotencyResolution.NotDone, "not done: the next request executes it"),
        ["record-done"] = (IdempotencyResolution.Done, "done: duplicates are told so, without a result"),
        ["record-unknown"] = (IdempotencyResolution.OutcomeUnknown, "still unknown: it is not begun again"),
    };

    internal static bool Knows(string? action) => action == Look || (action is not null && Decisions.ContainsKey(action));

    internal async Task<(int Status, DashboardResponse Result)> DoAsync(DashboardAction asked, string user)
    {
        if (!options.EnableResolving) return (StatusCodes.Status404NotFound, new("Records are not decided about on this page."));
        if (asked.Target is null || reader.Find(asked.Target) is not IdempotencyGate gate) return (StatusCodes.Status404NotFound, new("That is gone."));
        if (!IdempotencyId.TryParse(asked.Record, out IdempotencyId id))
            return (StatusCodes.Status400BadRequest, new("That is no record: its id has 64 hexadecimal digits, as the log has it."));
        try
        {
            return asked.Action == Look ? await LookAsync(gate, id).ConfigureAwait(false) : await DecideAsync(gate, id, asked, user).ConfigureAwait(false);
        }
        catch (IdempotencyStoreException failed)
        {
            EndpointLog.PageRecordFailed(logger, user, id.ToHex(), gate.Name, failed);
            return (StatusCodes.Status503ServiceUnavailable, new("The store does not answer. The log tells why."));
        }
        catch (NotSupportedException)
        {
            return (StatusCodes.Status409Conflict, new($"The store '{gate.Store.Traits.Name}' has no way to resolve a record."));
        }
    }

    private static async Task<(int Status, DashboardResponse Result)> LookAsync(IdempotencyGate gate, IdempotencyId id)
    {
        PeekResult seen = await gate.PeekAsync(id).ConfigureAwait(false);
        string said = seen.State switch
        {
            IdempotencyState.OutcomeUnknown => "The outcome is unknown.",
            IdempotencyState.Lapsed => "It was begun, and its lease has ended without an outcome.",
            IdempotencyState.InFlight => "It is being carried out. Look again when its lease has ended.",
            IdempotencyState.Completed => "It has an outcome, which is never changed.",
            _ => "There is no such record, or it has expired.",
        };
        bool isInDoubt = seen.State is IdempotencyState.OutcomeUnknown or IdempotencyState.Lapsed;
        return (StatusCodes.Status200OK, new(said) { Fence = isInDoubt ? seen.Fence : null });
    }

    private async Task<(int Status, DashboardResponse Result)> DecideAsync(IdempotencyGate gate, IdempotencyId id, DashboardAction asked, string user)
    {
        if (asked.Fence is not > 0) return (StatusCodes.Status400BadRequest, new("Look at the record first."));
        (IdempotencyResolution resolution, string said) = Decisions[asked.Action!];
        ResolveResult answer = await gate.ResolveAsync(id, resolution with { OnlyIfFence = asked.Fence.Value }).ConfigureAwait(false);
        EndpointLog.PageResolved(logger, user, id.ToHex(), gate.Name, said, AnswerOf(answer.Status));
        return answer.Status == ResolveStatus.Resolved
            ? (StatusCodes.Status200OK, new($"Decided: {said}."))
            : (StatusCodes.Status409Conflict, new(WhyNot(answer.Status)));
    }

    /// <summary>What became of it, for the log.</summary>
    internal static string AnswerOf(ResolveStatus status) => status switch
    {
        ResolveStatus.Resolved => "recorded",
        ResolveStatus.Completed => "not recorded, because it has an outcome by now, which is never changed",
        ResolveStatus.InFlight => "not recorded, because it is being carried out",
        ResolveStatus.Changed => "not recorded, because it has changed since it was looked at",
        _ => "not recorded, because there is no such record any more",
    };

    private static string WhyNot(ResolveStatus status) => status switch
    {
        ResolveStatus.Completed => "It has an outcome by now, which is never changed.",
        ResolveStatus.InFlight => "It is being carried out. Look again when its lease has ended.",
        ResolveStatus.Changed => "It has changed since you looked. Look again.",
        _ => "There is no such record any more.",
    };
}
