using System.Buffers.Binary;
using StackExchange.Redis;

namespace Resilience.Idempotency;

/// <summary>What the scripts answer: a letter, and numbers and bytes behind it. Null when the key is no record of ours.</summary>
internal static class RedisReply
{
    private const int First = 1, Second = First + sizeof(double);

    internal static AcquireResult? Acquire(RedisResult result)
    {
        ReadOnlyMemory<byte> answer = (byte[]?)result;
        return Letter(answer) switch
        {
            'A' => AcquireResult.Acquired(Number(answer, First), (int)Number(answer, Second)),
            'P' => AcquireResult.InFlight(Number(answer, First), Span(answer, Second)),
            'C' => AcquireResult.Completed(IdempotencyCompletion.Completed, answer[Second..], Span(answer, First)),
            'U' => AcquireResult.Completed(IdempotencyCompletion.OutcomeUnknown, answer[Second..], Span(answer, First)),
            'M' => AcquireResult.Mismatch,
            'X' => AcquireResult.Abandoned,
            _ => null,
        };
    }

    internal static PeekResult? Peek(RedisResult result)
    {
        ReadOnlyMemory<byte> answer = (byte[]?)result;
        return Letter(answer) switch
        {
            '\0' => default(PeekResult),
            'P' => new(IdempotencyState.InFlight, Number(answer, First), Span(answer, Second)),
            'L' => new(IdempotencyState.Lapsed, Number(answer, First), TimeSpan.Zero),
            'C' => new(IdempotencyState.Completed, Number(answer, First), TimeSpan.Zero),
            'U' => new(IdempotencyState.OutcomeUnknown, Number(answer, First), TimeSpan.Zero),
            _ => null,
        };
    }

    internal static ResolveResult? Resolve(RedisResult result)
    {
        ReadOnlyMemory<byte> answer = (byte[]?)result;
        ResolveStatus status = Letter(answer) switch
        {
            'R' => ResolveStatus.Resolved,
            'N' => ResolveStatus.Absent,
            'P' => ResolveStatus.InFlight,
            'C' => ResolveStatus.Completed,
            'F' => ResolveStatus.Changed,
            _ => ResolveStatus.None,
        };
        return status == ResolveStatus.None ? null : new ResolveResult(status, Number(answer, First));
    }

    private static char Letter(ReadOnlyMemory<byte> answer) => answer.IsEmpty ? '\0' : (char)answer.Span[0];

    private static long Number(ReadOnlyMemory<byte> answer, int at) => (long)BinaryPrimitives.ReadDoubleLittleEndian(answer.Span[at..]);

    private static TimeSpan Span(ReadOnlyMemory<byte> answer, int at) => TimeSpan.FromTicks(Number(answer, at) * TimeSpan.TicksPerMicrosecond);
}
