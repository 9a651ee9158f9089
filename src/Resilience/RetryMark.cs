using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>Remembers which exceptions a spent budget or deadline has marked, so that the mark survives being thrown through user code.</summary>
/// <remarks>
/// Retries at several layers multiply: five layers of three attempts are 243 calls. A layer that has given up says so, and the
/// layers above believe it. The idea of flagging the failure is Finagle's (its RetryBudget marks it non-retryable).
/// </remarks>
internal static class RetryMark
{
    private static readonly ConditionalWeakTable<Exception, object> Marked = [];
    private static readonly object Mark = new();

    internal static void Set(Exception exception) => Marked.AddOrUpdate(exception, Mark);

    internal static bool IsSet(Exception exception) => Marked.TryGetValue(exception, out _);
}
