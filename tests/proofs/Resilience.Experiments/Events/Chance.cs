using Resilience.Extensibility;

namespace Resilience.Experiments;

/// <summary>The chance of one experiment, for one thread: SplitMix64, as <see cref="Randomness.Seeded"/>, without its atomic step.</summary>
internal sealed class Chance(long seed) : Randomness
{
    private ulong _state = (ulong)seed * 0xD1342543DE82EF95UL;

    public override double NextDouble()
    {
        ulong z = _state += 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        z ^= z >> 31;
        return (z >> 11) * (1.0 / (1UL << 53));
    }

    internal double Exponential(double mean) => -mean * Math.Log(1 - NextDouble());
}
