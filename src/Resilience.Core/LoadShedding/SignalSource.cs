using Resilience.Overload;

namespace Resilience;

/// <summary>A signal with the mean of its readings.</summary>
/// <param name="signal">The signal.</param>
/// <param name="reason">What a rejection because of it says.</param>
internal sealed class SignalSource(OverloadSignal signal, ShedReason reason)
{
    private double _mean;
    private bool _hasMean; // by one thread at a time

    internal string Name => signal.Name;

    internal OverloadRange Range => signal.Range;

    internal ShedReason Reason => reason;

    internal double Value => Volatile.Read(ref _mean);

    internal OverloadLevel Level => new(signal.Range.LevelOf(Value), reason, signal.Name, Value);

    /// <summary>A reading is code of the user's: what it throws is counted, and so is what is no number; the mean stays.</summary>
    internal void Read()
    {
        double value = Safely.Ask("overload signal", static s => s.Read(), signal, double.NaN);
        if (!double.IsFinite(value)) return;
        Volatile.Write(ref _mean, _hasMean ? _mean + ((value - _mean) * signal.Smoothing) : value);
        _hasMean = true;
    }
}
