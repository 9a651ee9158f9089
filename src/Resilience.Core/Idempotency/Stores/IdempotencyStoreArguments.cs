using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>What all stores check alike before they ask the database.</summary>
public static class IdempotencyStoreArguments
{
    /// <summary>The longest retention: ten years.</summary>
    public static readonly TimeSpan MaxRetention = TimeSpan.FromDays(3653);

    /// <summary>Throws when a claim makes no sense.</summary>
    /// <exception cref="ArgumentException">The nonce is empty, a span is not positive or too long, or no attempt is allowed.</exception>
    public static void Check(in AcquireRequest request)
    {
        if (request.Nonce == Guid.Empty) throw new ArgumentException("The nonce is empty.", nameof(request));
        CheckSpan(request.Lease, nameof(request.Lease), OptionsCheck.MaxSpan);
        CheckSpan(request.Retention, nameof(request.Retention), MaxRetention);
        if (request.MaxAttempts < 1) throw new ArgumentOutOfRangeException(nameof(request), request.MaxAttempts, "At least one attempt must be allowed.");
    }

    /// <summary>Throws when a lease makes no sense.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not from a microsecond to a day.</exception>
    public static void CheckLease(TimeSpan lease) => CheckSpan(lease, nameof(lease), OptionsCheck.MaxSpan);

    /// <summary>Throws when an outcome makes no sense.</summary>
    /// <exception cref="ArgumentException">The outcome is none, the payload is larger than <paramref name="maxPayloadBytes"/>, or the
    /// retention is not from a microsecond to ten years.</exception>
    public static void CheckCompletion(IdempotencyCompletion completion, ReadOnlyMemory<byte> payload, TimeSpan retention, int maxPayloadBytes)
    {
        if (completion is not (IdempotencyCompletion.Completed or IdempotencyCompletion.OutcomeUnknown))
            throw new ArgumentOutOfRangeException(nameof(completion), completion, "An outcome is Completed or OutcomeUnknown.");
        if (payload.Length > maxPayloadBytes)
            throw new ArgumentException($"The payload has {payload.Length} bytes, but this store keeps at most {maxPayloadBytes}.", nameof(payload));
        CheckSpan(retention, nameof(retention), MaxRetention);
    }

    /// <summary>Throws when a decision makes no sense.</summary>
    /// <exception cref="ArgumentException">The nonce is empty, the outcome undefined, the fence negative; a record that is given back has a payload;
    /// or else the payload is larger than <paramref name="maxPayloadBytes"/>, or the retention not from a microsecond to ten years.</exception>
    public static void Check(in ResolveRequest request, int maxPayloadBytes)
    {
        if (request.Nonce == Guid.Empty) throw new ArgumentException("The nonce is empty.", nameof(request));
        if (request.Fence < 0) throw new ArgumentOutOfRangeException(nameof(request), request.Fence, "A fence is above zero; 0 stands for any.");
        if (request.Completion != IdempotencyCompletion.None) CheckCompletion(request.Completion, request.Payload, request.Retention, maxPayloadBytes);
        else if (!request.Payload.IsEmpty) throw new ArgumentException("A record that is given back keeps no payload.", nameof(request));
    }

    private static void CheckSpan(TimeSpan span, string name, TimeSpan max)
    {
        if (span.Ticks < TimeSpan.TicksPerMicrosecond || span > max)
            throw new ArgumentOutOfRangeException(name, span, $"Must be from a microsecond to {TimeText.Of(max)}.");
    }
}
