using System.Runtime.CompilerServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What calls have given up on whose delegate's place in another call is not known from the thread, because that one had awaited something
/// before: found by the token that the outer call gave its delegate, and the delegate passed on.</summary>
/// <remarks>
/// <para>
/// A note says "this object, for the call that gave this token". It lies beside the object, which may be shared (a cached exception is thrown by many calls
/// at once), and is believed by an attempt only if three things hold: it is the object that came up, the token is the one of that attempt, and the
/// note was made after the attempt began. The last one makes notes void that were not taken, before a token from the pool of timeouts serves another call. A
/// note is taken once. In doubt it is not believed: the mistake is on the side of one more attempt.
/// </para>
/// <para>
/// An attempt that listens pays for the reading of a counter that only changes when a call gives up; while that has not changed an
/// exception is not looked up either. Neither the object nor the token is kept alive: of the token the note has the hash code of its
/// source, which tells two of them apart but for one pair in some tens of millions.
/// </para>
/// <para>
/// What cannot be told apart: two calls that pass the same token to their delegates (one that the caller has for all its calls, without a timeout of ours
/// inside) and at the same time end with the same exception object, of which one was given up on.
/// </para>
/// </remarks>
internal static class GivenUp
{
    private const int MaxNotes = 16; // for one object; a cached exception of which many calls give up keeps the newest

    private static long Count; // of notes ever made; no initial value, so that reading it needs no check

    /// <summary>What an attempt remembers of its beginning: never 0.</summary>
    internal static ushort Mark => (ushort)~Volatile.Read(ref Count); // acquire: later notes are counted later

    /// <summary>A call that was given this token gives up on this: an exception, or a rejection that becomes one.</summary>
    internal static void Add(object error, CancellationToken token)
    {
        if (!token.CanBeCanceled) return; // all calls have that one
        long number = Interlocked.Increment(ref Count);
        if (number % (ushort.MaxValue + 1) == ushort.MaxValue) number = Interlocked.Increment(ref Count); // whose mark would be 0
        Notes.Of.GetValue(error, static _ => new()).Add(token.GetHashCode(), number);
    }

    /// <summary>True when what came up, or what it wraps, or the rejection that it stands for, was given up on by a call that had been given this token,
    /// after the attempt began. That is forgotten with the answer.</summary>
    internal static bool Take(Exception error, ushort mark, CancellationToken token)
    {
        if (mark == 0 || mark == Mark || !token.CanBeCanceled) return false;

        // The mark is the end of a longer number. If so many were made since that it has come round, we take the attempt for younger than it is.
        long now = Volatile.Read(ref Count);
        long before = now - (ushort)(now - (ushort)~mark);
        int hash = token.GetHashCode();
        return TakeOf(error, hash, before)
            || TakeOf(error.InnerException, hash, before)
            || (error is ICarriesRejection carrier && TakeOf(SafeRejection.Of(carrier), hash, before));
    }

    private static bool TakeOf(object? error, int token, long before) =>
        error is not null && Notes.Of.TryGetValue(error, out Notes? notes) && notes.Take(token, before);

    /// <summary>The notes about one object.</summary>
    private sealed class Notes
    {
        internal static readonly ConditionalWeakTable<object, Notes> Of = [];

        private readonly Lock _gate = new(); // held for some instructions, and only where a call gives up
        private readonly List<(int Token, long Number)> _notes = new(1); // oldest first

        internal void Add(int token, long number)
        {
            lock (_gate)
            {
                _notes.RemoveAll(note => note.Token == token); // a call says it at each of its policies
                if (_notes.Count == MaxNotes) _notes.RemoveAt(0);
                _notes.Add((token, number));
            }
        }

        internal bool Take(int token, long before)
        {
            lock (_gate)
            {
                int found = _notes.FindIndex(note => note.Token == token && note.Number > before);
                if (found < 0) return false;
                _notes.RemoveAt(found);
                return true;
            }
        }
    }
}
