namespace Resilience.Idempotency;

/// <summary>What was found out about an earlier execution whose claim lapsed.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
public readonly record struct Reconciliation<T>
{
    private Reconciliation(bool? isDone, T? value)
    {
        IsDone = isDone;
        Value = value;
    }

    /// <summary>True: it was done. False: it was not. Null: unknown.</summary>
    public bool? IsDone { get; }

    /// <summary>The result, when it was done.</summary>
    public T? Value { get; }

    /// <summary>It was done, and this is the result: kept, and not executed again.</summary>
    public static Reconciliation<T> Done(T value) => new(true, value);

    /// <summary>It was not done: execute.</summary>
    public static Reconciliation<T> NotDone => new(false, default);

    /// <summary>Unknown: kept as unknown, and not executed again. The content of <c>default</c>.</summary>
    public static Reconciliation<T> OutcomeUnknown => default;
}
