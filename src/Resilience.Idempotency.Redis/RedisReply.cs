using System.Globalization;
using StackExchange.Redis;

namespace Resilience;

/// <summary>What the scripts answer; null when the key is no record of ours.</summary>
internal static class RedisReply
{
    internal const string Completed = "2";
    internal const string Released = "3";
    internal const string Indeterminate = "4";

    internal static AcquireAnswer? Acquire(RedisResult result)
    {
        RedisResult[] parts = (RedisResult[]?)result ?? [];
        return parts.Length == 0 ? null : (string?)parts[0] switch
        {
            "A" => AcquireAnswer.Acquired(Number(parts[1]), (int)Number(parts[2])),
            "P" => AcquireAnswer.InFlight(Number(parts[1]), Span(parts[2])),
            "C" => AcquireAnswer.Completed(
                (string?)parts[1] == Completed ? IdempotencyEnding.Completed : IdempotencyEnding.Indeterminate, (byte[]?)parts[2] ?? [], Span(parts[3])),
            "M" => AcquireAnswer.Mismatch,
            "X" => AcquireAnswer.Abandoned,
            _ => null,
        };
    }

    internal static PeekAnswer? Peek(RedisResult result)
    {
        RedisResult[] parts = (RedisResult[]?)result ?? [];
        if (parts.Length == 0) return default(PeekAnswer);
        return (string?)parts[0] switch
        {
            "P" => new(IdempotencyState.InProgress, Number(parts[1]), Span(parts[2])),
            "L" => new(IdempotencyState.Lapsed, Number(parts[1]), TimeSpan.Zero),
            Completed => new(IdempotencyState.Completed, Number(parts[1]), TimeSpan.Zero),
            Indeterminate => new(IdempotencyState.Indeterminate, Number(parts[1]), TimeSpan.Zero),
            _ => null,
        };
    }

    internal static ResolveAnswer? Resolve(RedisResult result)
    {
        RedisResult[] parts = (RedisResult[]?)result ?? [];
        ResolveStatus status = parts.Length == 0 ? ResolveStatus.None : (string?)parts[0] switch
        {
            "R" => ResolveStatus.Resolved,
            "N" => ResolveStatus.Absent,
            "P" => ResolveStatus.InProgress,
            "C" => ResolveStatus.Completed,
            "F" => ResolveStatus.Changed,
            _ => ResolveStatus.None,
        };
        return status == ResolveStatus.None ? null : new ResolveAnswer(status, Number(parts[1]));
    }

    private static long Number(RedisResult part) => long.Parse((string?)part ?? "", NumberStyles.None, CultureInfo.InvariantCulture);

    private static TimeSpan Span(RedisResult part) => TimeSpan.FromTicks(Number(part) * TimeSpan.TicksPerMicrosecond);
}
