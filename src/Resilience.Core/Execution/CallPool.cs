using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>Spare calls, a few for each thread.</summary>
/// <remarks>
/// A thread-static of a generic type costs tens of nanoseconds when a type argument is a class; one of a plain type costs
/// one or two. So a thread has a handful of slots, found by the number of the result type, and a spare that is
/// taken from a slot is checked to be of the wanted class. A spare that is displaced by another one moves to the thread-static of its own type, and
/// from there to what all threads share (<see cref="SpareObjects{T}"/>): slower, but without an allocation.
/// </remarks>
internal static class CallPool
{
    internal const int Slots = 16;

    [ThreadStatic]
    private static Slot[]? Spares;

    internal static ref ResilienceContext? At(int slot) => ref (Spares ?? Make())[slot & (Slots - 1)].Call;

    internal static ref Suspension? SuspensionAt(int slot) => ref (Spares ?? Make())[slot & (Slots - 1)].Suspension;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Slot[] Make() => Spares = new Slot[Slots];

    /// <summary>A struct, so that storing into the array needs no check of the element's type.</summary>
    private struct Slot
    {
        internal ResilienceContext? Call;
        internal Suspension? Suspension;
    }
}
