using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace Resilience.Events;

/// <summary>A counter of events: <c>public static EventMetric Metric { get; } = new("shop.quota.rejections", "{call}", "Calls beyond the quota.")</c> in
/// the type of the event, which returns it from <see cref="ResilienceEvent.GetMetric"/>. Thread-safe.</summary>
/// <remarks>The instrument itself is made once for each meter, so that each container counts its own.</remarks>
public sealed class EventMetric
{
    private readonly ConditionalWeakTable<Meter, Made> _made = [];

    /// <summary>Describes a counter.</summary>
    /// <param name="name">Its name in lower case, with dots between the parts.</param>
    /// <param name="unit">What is counted, as an annotation of UCUM: <c>{call}</c>.</param>
    /// <param name="description">What one more means, in a sentence.</param>
    /// <exception cref="ArgumentException">One of them is null or empty.</exception>
    public EventMetric(string name, string unit, string description)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentException.ThrowIfNullOrEmpty(unit);
        ArgumentException.ThrowIfNullOrEmpty(description);
        (Name, Unit, Description) = (name, unit, description);
    }

    /// <summary>The name of the instrument.</summary>
    public string Name { get; }

    /// <summary>What is counted.</summary>
    public string Unit { get; }

    /// <summary>What one more means.</summary>
    public string Description { get; }

    /// <summary>The instrument of this meter.</summary>
    internal SafeCounter<long> On(Meter meter)
    {
        if (_made.TryGetValue(meter, out Made? known)) return known.Counter;

        // Not under a lock: listeners are told of each instrument while it is made. A meter gives the same one for the same name.
        Made made = new(SafeInstruments.Counter<long>(meter, Name, Unit, Description));
        return (_made.TryAdd(meter, made) ? made : _made.GetValue(meter, _ => made)).Counter;
    }

    private sealed record Made(SafeCounter<long> Counter);
}
