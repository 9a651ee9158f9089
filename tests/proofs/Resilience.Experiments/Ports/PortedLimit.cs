namespace Resilience.Experiments;

/// <summary>A limit of another project, written anew from its published formula, for comparison: windows of at least a second, at whose end the limit changes.
/// It learns from calls that succeed alone.</summary>
/// <param name="world">The clock.</param>
/// <param name="minSamples">What a window must have to be judged.</param>
internal abstract class PortedLimit(EventWorld world, int minSamples) : Gate
{
    private readonly List<double> _samples = [];
    private int _running;
    private int _epoch;
    private long _windowEnd = TimeSpan.TicksPerSecond;
    private double _current = 20;

    internal sealed override double Limit => _current;

    private protected EventWorld World => world;

    private protected int PeakRunning { get; private set; }

    private protected int Rejected { get; private set; }

    private protected int Samples => _samples.Count;

    /// <summary>Whether the call that ended last found the limit reached.</summary>
    private protected bool IsFull { get; private set; }

    /// <summary>What is in the window is forgotten if there is too little of it; otherwise the window lasts until there is enough.</summary>
    private protected virtual bool ForgetsFew => true;

    internal sealed override void Enter(Call call)
    {
        if (_running >= (int)_current)
        {
            Rejected++;
            Owner.Reject(call);
            return;
        }

        PeakRunning = Math.Max(PeakRunning, ++_running);
        call.Mark = _epoch;
        Owner.Begin(call);
    }

    internal sealed override void Leave(Call call, CallEnd end)
    {
        IsFull = _running >= (int)_current;
        _running--;
        if (end == CallEnd.Success && Counts(call.Mark)) _samples.Add((double)(world.Now - call.BegunAt) / TimeSpan.TicksPerMillisecond);
        if (TryEndOtherwise() || world.Now < _windowEnd) return;
        if (_samples.Count >= minSamples) _current = Next();
        else if (!ForgetsFew) return;
        Clear();
    }

    /// <summary>The limit that follows from the window.</summary>
    private protected abstract double Next();

    /// <summary>Whether a call of this epoch is a sample.</summary>
    private protected virtual bool Counts(long epoch) => true;

    /// <summary>True when the window is one that ends by another rule.</summary>
    private protected virtual bool TryEndOtherwise() => false;

    private protected void BeginEpoch() => _epoch++;

    private protected bool IsOfThisEpoch(long epoch) => epoch == _epoch;

    private protected void Set(double limit) => _current = limit;

    private protected void Clear()
    {
        _samples.Clear();
        (PeakRunning, Rejected, _windowEnd) = (0, 0, world.Now + TimeSpan.TicksPerSecond);
    }

    private protected double Mean => _samples.Average();

    private protected double Quantile(double share)
    {
        _samples.Sort();
        return _samples[Math.Max(0, (int)Math.Ceiling(share * _samples.Count) - 1)];
    }
}
