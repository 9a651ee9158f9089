using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>The instruments of one kind of policy, made once for each meter. Who has no factory of meters shares those of the process.</summary>
internal static class MeterInstruments<TInstruments>
    where TInstruments : class
{
    // Of objects, because a table of a type parameter asks the trimmer for constructors that it never calls.
    private static readonly ConditionalWeakTable<Meter, object> Made = [];

    internal static TInstruments For(Meter meter, Func<Meter, TInstruments> make)
    {
        if (Made.TryGetValue(meter, out object? known)) return Unsafe.As<TInstruments>(known);

        // Not under a lock: listeners are told of each instrument while it is made. Two threads that come at once make the same
        // instruments, because a meter gives the same one for the same name; what is observed is made by the one whose object stays.
        TInstruments made = make(meter);
        if (!Made.TryAdd(meter, made)) return Unsafe.As<TInstruments>(Made.GetValue(meter, _ => made));
        (made as IObserved)?.Observe(meter);
        return made;
    }
}

/// <summary>Instruments that are asked instead of told: a meter does not give the same one twice, so they are made once.</summary>
internal interface IObserved
{
    void Observe(Meter meter);
}
