using Resilience.Extensibility;

namespace Resilience;

/// <summary>What a call is told by the calls that its delegate makes: which of their failures need not be repeated.</summary>
/// <remarks>
/// <para>
/// Retries at several layers multiply: five layers of three attempts are 243 calls. A layer that has given up says so, and the layers above
/// believe it. Inside one pipeline the <see cref="Outcome{T}"/> says it. Between pipelines there is the user's code, and what passes through it
/// is an exception of any origin: a cached one is thrown by many calls at once. So nothing is written on it. The call that gave up
/// tells the call around it, and no other, "this one, should it come up to you".
/// </para>
/// <para>Which call is around another is known from the thread: its delegate is being invoked while the other one begins. A delegate that has awaited
/// something before is known by the token that it passed on (<see cref="GivenUp"/>). (The idea of flagging the failure is Finagle's; its RetryBudget
/// marks it non-retryable.)</para>
/// </remarks>
internal sealed class CallScope(CallScope? around)
{
    /// <summary>The call whose delegate this thread is invoking now.</summary>
    [ThreadStatic]
    internal static ResilienceContext? Current;

    private Mark? _marks;

    /// <summary>The scope of the call around this one; null when there is none.</summary>
    internal CallScope? Around => around;

    /// <summary>A call inside has given up on this: an exception, or a rejection that becomes one.</summary>
    internal void Add(object error)
    {
        Mark? seen = Volatile.Read(ref _marks);
        while (true)
        {
            // Full fence: several calls inside may end at once.
            Mark? found = Interlocked.CompareExchange(ref _marks, new(error, seen), seen);
            if (found == seen) return;
            seen = found;
        }
    }

    /// <summary>True when what came up was marked, or wraps what was, or stands for a rejection that was.</summary>
    internal bool Has(Exception error)
    {
        for (Mark? mark = Volatile.Read(ref _marks); mark is not null; mark = mark.Next)
        {
            if (mark.Error == error || mark.Error == error.InnerException) return true;
            if (mark.Error is Rejection && error is ICarriesRejection carrier && SafeRejection.Of(carrier) == mark.Error) return true;
        }

        return false;
    }

    /// <summary>Another attempt begins: remarks on the one before are over.</summary>
    internal void Clear() => Volatile.Write(ref _marks, null);

    /// <summary>A class and not a record: marks are told apart by reference, and the exceptions of users are never asked whether they are equal.</summary>
    private sealed class Mark(object error, Mark? next)
    {
        internal readonly object Error = error;
        internal readonly Mark? Next = next;
    }
}
