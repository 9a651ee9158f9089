using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>Makes the instruments. A listener that throws when it is told of one cannot keep it from being made.</summary>
internal static class SafeInstruments
{
    /// <summary>How the errors of those who measure are counted.</summary>
    internal const string Listener = "meter listener";

    internal static SafeCounter<T> Counter<T>(Meter meter, string name, string unit, string description)
        where T : struct => new(Make(meter, name, () => meter.CreateCounter<T>(name, unit, description), static deaf => deaf.CreateCounter<T>("")));

    internal static SafeUpDownCounter<T> UpDownCounter<T>(Meter meter, string name, string unit, string description)
        where T : struct =>
        new(Make(meter, name, () => meter.CreateUpDownCounter<T>(name, unit, description), static deaf => deaf.CreateUpDownCounter<T>("")));

    internal static SafeHistogram<T> Histogram<T>(Meter meter, string name, string unit, string description, IReadOnlyList<T> bounds)
        where T : struct => new(Make(
            meter,
            name,
            () => meter.CreateHistogram(name, unit, description, null, new InstrumentAdvice<T> { HistogramBucketBoundaries = bounds }),
            static deaf => deaf.CreateHistogram<T>("")));

    internal static void Gauge<T>(Meter meter, string name, Func<IEnumerable<Measurement<T>>> measure, string unit, string description)
        where T : struct =>
        Make<ObservableGauge<T>>(meter, name, () => meter.CreateObservableGauge(name, measure, unit, description), static _ => null!);

    /// <summary>The runtime adds an instrument to its meter before it tells the listeners, but what they throw takes it from us: we find it
    /// again as a listener of our own. Where even that fails, an instrument without listeners takes its place.</summary>
    private static TInstrument Make<TInstrument>(Meter meter, string name, Func<TInstrument> create, Func<Meter, TInstrument> makeDeaf)
        where TInstrument : Instrument
    {
        try
        {
            return create();
        }
        catch (Exception error)
        {
            TInstrument made = Find<TInstrument>(meter, name) ?? makeDeaf(Deaf());
            Safely.Report(Listener, error);
            return made;
        }
    }

    private static TInstrument? Find<TInstrument>(Meter meter, string name)
        where TInstrument : Instrument
    {
        TInstrument? found = null;
        using MeterListener finder = new();
        finder.InstrumentPublished = (instrument, _) =>
        {
            if (ReferenceEquals(instrument.Meter, meter) && instrument.Name == name) found = instrument as TInstrument;
        };
        finder.Start();
        return found;
    }

    /// <summary>A meter that has been disposed of publishes no instruments.</summary>
    [SuppressMessage("Reliability", "CA2000", Justification = "It is disposed: that is its purpose.")]
    private static Meter Deaf()
    {
        Meter deaf = new(ResilienceTelemetry.MeterName);
        deaf.Dispose();
        return deaf;
    }
}
