namespace Resilience;

/// <summary>What all stores check alike before they ask anybody.</summary>
public static class IdempotencyStoreArguments
{
    /// <summary>The longest retention: ten years.</summary>
    public static readonly TimeSpan LongestRetention = TimeSpan.FromDays(3653);

    /// <summary>Throws when a claim makes no sense.</summary>
    /// <exception cref="ArgumentException">The nonce is empty, a span is not positive or too long, or no attempt is allowed.</exception>
    public static void Check(in AcquireRequest request)
    {
        if (request.Nonce == Guid.Empty) throw new ArgumentException("The nonce is empty.", nameof(request));
        CheckSpan(request.Lease, nameof(request.Lease), OptionsCheck.LongestSpan);
        CheckSpan(request.Retention, nameof(request.Retention), LongestRetention);
        if (request.MaxAttempts < 1) throw new ArgumentOutOfRangeException(nameof(request), request.MaxAttempts, "At least one attempt must be allowed.");
    }

    /// <summary>Throws when a lease makes no sense.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not from a microsecond to a day.</exception>
    public static void CheckLease(TimeSpan lease) => CheckSpan(lease, nameof(lease), OptionsCheck.LongestSpan);

    /// <summary>Throws when an ending makes no sense.</summary>
    /// <exception cref="ArgumentException">The ending is none, the payload is larger than <paramref name="maxPayloadBytes"/>, or the
    /// retention is not from a microsecond to ten years.</exception>
    public static void CheckEnding(IdempotencyEnding ending, ReadOnlyMemory<byte> payload, TimeSpan retention, int maxPayloadBytes)
    {
        if (ending is not (IdempotencyEnding.Completed or IdempotencyEnding.Indeterminate))
            throw new ArgumentOutOfRangeException(nameof(ending), ending, "An ending is Completed or Indeterminate.");
        if (payload.Length > maxPayloadBytes)
            throw new ArgumentException($"The payload has {payload.Length} bytes, but this store keeps at most {maxPayloadBytes}.", nameof(payload));
        CheckSpan(retention, nameof(retention), LongestRetention);
    }

    /// <summary>Throws when a decision makes no sense.</summary>
    /// <exception cref="ArgumentException">The nonce is empty, the ending undefined, the fence negative; a record that is given back has a payload;
    /// or else the payload is larger than <paramref name="maxPayloadBytes"/>, or the retention not from a microsecond to ten years.</exception>
    public static void Check(in ResolveRequest request, int maxPayloadBytes)
    {
        if (request.Nonce == Guid.Empty) throw new ArgumentException("The nonce is empty.", nameof(request));
        if (request.Fence < 0) throw new ArgumentOutOfRangeException(nameof(request), request.Fence, "A fence is above zero; 0 stands for any.");
        if (request.Ending != IdempotencyEnding.None) CheckEnding(request.Ending, request.Payload, request.Retention, maxPayloadBytes);
        else if (!request.Payload.IsEmpty) throw new ArgumentException("A record that is given back keeps no payload.", nameof(request));
    }

    private static void CheckSpan(TimeSpan span, string name, TimeSpan most)
    {
        if (span.Ticks < TimeSpan.TicksPerMicrosecond || span > most)
            throw new ArgumentOutOfRangeException(name, span, $"Must be from a microsecond to {most}.");
    }
}
