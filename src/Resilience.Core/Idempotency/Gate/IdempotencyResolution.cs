namespace Resilience.Idempotency;

/// <summary>What a person, or code that found out, says about an operation whose outcome is unknown. Immutable.</summary>
/// <example>
/// <code>
/// await gate.ResolveAsync(key.ToId(), IdempotencyResolution.NotDone);
/// </code>
/// </example>
public sealed record IdempotencyResolution
{
    private IdempotencyResolution(IdempotencyCompletion completion) => Completion = completion;

    /// <summary>It was not done, and what had begun it certainly runs no more: the next request executes it.</summary>
    public static IdempotencyResolution NotDone { get; } = new(IdempotencyCompletion.None);

    /// <summary>It was done, and there is no result to tell: duplicates are told that it was done.</summary>
    public static IdempotencyResolution Done { get; } =
        new(IdempotencyCompletion.Completed) { Kind = IdempotencyPayloadKind.DoneWithoutResult };

    /// <summary>It stays unknown, and it is not begun again, also where attempts are left.</summary>
    public static IdempotencyResolution OutcomeUnknown { get; } = new(IdempotencyCompletion.OutcomeUnknown);

    /// <summary>What duplicates are told; <see cref="IdempotencyCompletion.None"/>: nothing, they begin it.</summary>
    public IdempotencyCompletion Completion { get; }

    /// <summary>What <see cref="Content"/> is.</summary>
    public IdempotencyPayloadKind Kind { get; private init; }

    /// <summary>What duplicates receive.</summary>
    public ReadOnlyMemory<byte> Content { get; private init; }

    /// <summary>The fence of the record that was looked at (<see cref="PeekResult.Fence"/>): if the record has another one by now, nothing is changed.
    /// Default 0: whatever is there.</summary>
    public long OnlyIfFence { get; init; }

    /// <summary>It was done, and this is its result.</summary>
    /// <param name="kind">What the content is.</param>
    /// <param name="content">The result. If it is larger than the store takes, it is recorded that the operation was done, without it.</param>
    public static IdempotencyResolution DoneWith(IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content) =>
        new(IdempotencyCompletion.Completed) { Kind = kind, Content = content };
}
