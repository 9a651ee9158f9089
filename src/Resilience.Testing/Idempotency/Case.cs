using System.Runtime.CompilerServices;
using Resilience.Idempotency;

namespace Resilience.Testing;

/// <summary>One law being checked: a store, a fresh id, and short words for what laws do.</summary>
internal sealed class Case(IdempotencyStoreSubject subject, IIdempotencyStore store)
{
    internal static readonly TimeSpan LongLease = TimeSpan.FromMinutes(5);
    internal static readonly TimeSpan Retention = TimeSpan.FromHours(1);
    internal static readonly byte[] Mine = [1, 2, 3], Theirs = [4, 5];

    internal static readonly Fingerprint This = Fingerprint.Of("this"), Other = Fingerprint.Of("something else");

    internal IdempotencyStoreSubject Subject { get; } = subject;

    internal IIdempotencyStore Store { get; } = store;

    internal IdempotencyId Id { get; } = NewId();

    internal TimeSpan ShortLease => Subject.ShortLease;

    internal static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString("N")).ToId();

    internal static AcquireRequest Request(IdempotencyId id, Fingerprint fingerprint, TimeSpan lease, int maxAttempts = 100,
        TimeSpan? retention = null) => new()
        {
            Id = id,
            Fingerprint = fingerprint,
            Nonce = Guid.NewGuid(),
            Lease = lease,
            Retention = retention ?? Retention,
            MaxAttempts = maxAttempts,
        };

    internal ValueTask<AcquireResult> AskAsync(TimeSpan? lease = null, Fingerprint? fingerprint = null, int maxAttempts = 100,
        TimeSpan? retention = null) =>
        Store.TryAcquireAsync(Request(Id, fingerprint ?? This, lease ?? LongLease, maxAttempts, retention));

    internal async Task<long> AcquireAsync(TimeSpan? lease = null, Fingerprint? fingerprint = null, TimeSpan? retention = null)
    {
        AcquireResult answer = await AskAsync(lease, fingerprint, retention: retention).ConfigureAwait(false);
        Demand(answer.Status == AcquireStatus.Acquired, $"A free id was answered with {answer.Status}.");
        Demand(answer.Fence > 0, $"The fence is {answer.Fence}, but must be above zero.");
        return answer.Fence;
    }

    internal ValueTask<bool> CompleteAsync(long fence, ReadOnlyMemory<byte> payload, IdempotencyCompletion completion = IdempotencyCompletion.Completed,
        TimeSpan? retention = null) =>
        Store.CompleteAsync(Id, fence, completion, payload, retention ?? Retention);

    internal ValueTask<bool> ReleaseAsync(long fence) => Store.ReleaseAsync(Id, fence);

    internal ValueTask<bool> RenewAsync(long fence, TimeSpan? lease = null) => Store.RenewAsync(Id, fence, lease ?? LongLease);

    internal ValueTask<PeekResult> PeekAsync() => Store.PeekAsync(Id);

    /// <summary>Lets a short lease end, with something to spare.</summary>
    internal Task LapseAsync() => Subject.PassAsync(ShortLease + (ShortLease / 4));

    internal async Task ExpectAsync(AcquireStatus status, Fingerprint? fingerprint = null, string? when = null)
    {
        AcquireResult answer = await AskAsync(fingerprint: fingerprint).ConfigureAwait(false);
        Demand(answer.Status == status, $"{when ?? "The claim"} was answered with {answer.Status} instead of {status}.");
    }

    internal async Task ExpectPayloadAsync(byte[] payload, IdempotencyCompletion completion = IdempotencyCompletion.Completed)
    {
        AcquireResult answer = await AskAsync().ConfigureAwait(false);
        Demand(answer.Status == AcquireStatus.Completed, $"A completed operation was answered with {answer.Status}.");
        Demand(answer.Completion == completion, $"It ended as {answer.Completion} instead of {completion}.");
        Demand(answer.Payload.Span.SequenceEqual(payload),
            $"The payload came back changed: {answer.Payload.Length} bytes instead of {payload.Length}, or other ones.");
    }

    internal static void Demand(bool holds, string message)
    {
        if (!holds) throw new ContractViolationException(message);
    }

    internal static async Task DemandThrowsAsync<TException>(Func<Task> act, string message, [CallerArgumentExpression(nameof(act))] string? said = null)
        where TException : Exception
    {
        try
        {
            await act().ConfigureAwait(false);
        }
        catch (TException)
        {
            return;
        }

        throw new ContractViolationException($"{message} ({said})");
    }

    internal static IdempotencyStoreLaw Law(string name, Func<Case, Task> check) => new(name, async subject =>
    {
        ArgumentNullException.ThrowIfNull(subject);
        await check(new(subject, await subject.OpenAsync().ConfigureAwait(false))).ConfigureAwait(false);
    });
}
