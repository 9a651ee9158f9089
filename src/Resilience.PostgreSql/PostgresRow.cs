using Npgsql;

namespace Resilience.Idempotency;

/// <summary>What a row means. The numbers of the states are the same in all stores.</summary>
internal static class PostgresRow
{
    internal const short Granted = 0; // never in the table: a claim's own answer, in the columns of a look
    internal const short InFlight = 1;
    internal const short Completed = 2;
    internal const short Released = 3;
    internal const short OutcomeUnknown = 4;

    /// <summary>What became of a claim; null when the row is no record. Not final: as the row is now, the claim would be granted, or renewed.</summary>
    internal static (AcquireResult Result, bool IsFinal)? Explain(NpgsqlDataReader row, in AcquireRequest request)
    {
        if (!IsTrue(row, 6)) return null;
        short state = row.GetInt16(0);
        long fence = row.GetInt64(1);
        if (state == Granted) return (AcquireResult.Acquired(fence, 1), row.GetBoolean(3));
        if (state == Released || !row.GetBoolean(4)) return (AcquireResult.InFlight(fence, TimeSpan.Zero), false);
        if (!row.GetBoolean(3)) return (AcquireResult.Mismatch, true);
        if (state != InFlight)
            return row.IsDBNull(7) ? null : (AcquireResult.Completed(CompletionOf(state), row.GetFieldValue<byte[]>(7), Left(row, 9)), true);
        if (IsTrue(row, 8)) return (AcquireResult.InFlight(fence, TimeSpan.Zero), false); // our own: the reply was lost
        TimeSpan left = Left(row, 5);
        if (left > TimeSpan.Zero) return (AcquireResult.InFlight(fence, left), true);
        return row.GetInt32(2) >= request.MaxAttempts ? (AcquireResult.Abandoned, true) : (AcquireResult.InFlight(fence, TimeSpan.Zero), false);
    }

    /// <summary>What a look at the row shows; null when it is no record.</summary>
    internal static PeekResult? Peek(NpgsqlDataReader row)
    {
        if (!IsTrue(row, 4)) return null;
        short state = row.GetInt16(0);
        long fence = row.GetInt64(1);
        if (state == Released || !row.GetBoolean(2)) return default(PeekResult);
        if (state == Completed) return new(IdempotencyState.Completed, fence, TimeSpan.Zero);
        if (state == OutcomeUnknown) return new(IdempotencyState.OutcomeUnknown, fence, TimeSpan.Zero);
        TimeSpan left = Left(row, 3);
        return left > TimeSpan.Zero ? new(IdempotencyState.InFlight, fence, left) : new(IdempotencyState.Lapsed, fence, TimeSpan.Zero);
    }

    /// <summary>Why a decision changed nothing; null when the row is no record. Not final: as the row is now, it would be changed, unless another caller's
    /// transaction is at it.</summary>
    internal static (ResolveResult Result, bool IsFinal)? ExplainResolve(NpgsqlDataReader row, in ResolveRequest request)
    {
        if (!IsTrue(row, 4)) return null;
        short state = row.GetInt16(0);
        long fence = row.GetInt64(1);
        bool isLive = row.GetBoolean(2);
        if (isLive && IsTrue(row, 5)) return (new(ResolveStatus.Resolved, fence), true); // this very decision: the reply was lost
        if (state == Released || !isLive) return (new(ResolveStatus.Absent, 0), true);
        if (state == Completed) return (new(ResolveStatus.Completed, fence), true);
        if (state == InFlight && Left(row, 3) > TimeSpan.Zero) return (new(ResolveStatus.InFlight, fence), true);
        if (request.Fence != 0 && request.Fence != fence) return (new(ResolveStatus.Changed, fence), true);
        return (new(ResolveStatus.InFlight, fence), false);
    }

    /// <summary>False also for NULL: where a constraint was dropped, anything can be missing.</summary>
    private static bool IsTrue(NpgsqlDataReader row, int column) => !row.IsDBNull(column) && row.GetBoolean(column);

    private static IdempotencyCompletion CompletionOf(short state) =>
        state == Completed ? IdempotencyCompletion.Completed : IdempotencyCompletion.OutcomeUnknown;

    private static TimeSpan Left(NpgsqlDataReader row, int column) =>
        TimeSpan.FromTicks(Math.Min(row.GetInt64(column), TimeSpan.MaxValue.Ticks / TimeSpan.TicksPerMicrosecond) * TimeSpan.TicksPerMicrosecond);
}
