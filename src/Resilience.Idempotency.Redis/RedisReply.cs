using System.Buffers.Binary;
using StackExchange.Redis;

namespace Resilience;

/// <summary>What the scripts answer: a letter, and numbers and bytes behind it. Null when the key is no record of ours.</summary>
internal static class RedisReply
{
    private const int First = 1, Second = First + sizeof(double);

    internal static AcquireAnswer? Acquire(RedisResult result)
    {
        ReadOnlyMemory<byte> answer = (byte[]?)result;
        return Letter(answer) switch
        {
            'A' => AcquireAnswer.Acquired(Number(answer, First), (int)Number(answer, Second)),
            'P' => AcquireAnswer.InFlight(Number(answer, First), Span(answer, Second)),
            'C' => AcquireAnswer.Completed(IdempotencyEnding.Completed, answer[Second..], Span(answer, First)),
            'U' => AcquireAnswer.Completed(IdempotencyEnding.Indeterminate, answer[Second..], Span(answer, First)),
            'M' => AcquireAnswer.Mismatch,
            'X' => AcquireAnswer.Abandoned,
            _ => null,
        };
    }

    internal static PeekAnswer? Peek(RedisResult result)
    {
        ReadOnlyMemory<byte> answer = (byte[]?)result;
        return Letter(answer) switch
        {
            '\0' => default(PeekAnswer),
            'P' => new(IdempotencyState.InProgress, Number(answer, First), Span(answer, Second)),
            'L' => new(IdempotencyState.Lapsed, Number(answer, First), TimeSpan.Zero),
            'C' => new(IdempotencyState.Completed, Number(answer, First), TimeSpan.Zero),
            'U' => new(IdempotencyState.Indeterminate, Number(answer, First), TimeSpan.Zero),
            _ => null,
        };
    }

    internal static ResolveAnswer? Resolve(RedisResult result)
    {
        ReadOnlyMemory<byte> answer = (byte[]?)result;
        ResolveStatus status = Letter(answer) switch
        {
            'R' => ResolveStatus.Resolved,
            'N' => ResolveStatus.Absent,
            'P' => ResolveStatus.InProgress,
            'C' => ResolveStatus.Completed,
            'F' => ResolveStatus.Changed,
            _ => ResolveStatus.None,
        };
        return status == ResolveStatus.None ? null : new ResolveAnswer(status, Number(answer, First));
    }

    private static char Letter(ReadOnlyMemory<byte> answer) => answer.IsEmpty ? '\0' : (char)answer.Span[0];

    private static long Number(ReadOnlyMemory<byte> answer, int at) => (long)BinaryPrimitives.ReadDoubleLittleEndian(answer.Span[at..]);

    private static TimeSpan Span(ReadOnlyMemory<byte> answer, int at) => TimeSpan.FromTicks(Number(answer, at) * TimeSpan.TicksPerMicrosecond);
}
