namespace Resilience.Grpc;

/// <summary>Deadlines as gRPC has them, moments on the system's clock, and as pipelines have them, time that is left.</summary>
internal static class CallDeadline
{
    /// <summary>gRPC takes moments in UTC alone.</summary>
    internal static bool IsUnusable(DateTime? deadline) =>
        deadline is { Kind: not DateTimeKind.Utc } given && given != DateTime.MaxValue && given != DateTime.MinValue;

    /// <summary>What is left until the deadline, zero when it has passed; null where there is none.</summary>
    internal static TimeSpan? LeftUntil(DateTime? deadline)
    {
        if (deadline is not { } given || given == DateTime.MaxValue) return null;
        TimeSpan left = given - Now;
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    /// <summary>The moment when this time is over.</summary>
    internal static DateTime In(TimeSpan left) => left < DateTime.MaxValue - Now ? Now + left : DateTime.MaxValue;

    /// <summary>The clock by which gRPC measures, whatever the pipeline's is.</summary>
    private static DateTime Now => TimeProvider.System.GetUtcNow().UtcDateTime;
}
