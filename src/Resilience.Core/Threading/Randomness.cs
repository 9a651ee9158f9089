using System.Diagnostics.CodeAnalysis;

namespace Resilience.Extensibility;

/// <summary>Where jitter comes from. Thread-safe and lock-free; seed it to repeat a run.</summary>
public abstract class Randomness
{
    /// <summary>The process's own unpredictable numbers, different in every process so that clients do not march in step.</summary>
    public static Randomness Shared { get; } = new SharedRandomness();

    /// <summary>A repeatable sequence. Threads that share it share the sequence: each number is drawn once.</summary>
    public static Randomness Seeded(long seed) => new SeededRandomness(seed);

    /// <summary>The next number, evenly spread over [0, 1).</summary>
    public abstract double NextDouble();

    private sealed class SharedRandomness : Randomness
    {
        [SuppressMessage("ApiDesign", "RS0030", Justification = "The one place where the process's own generator is taken.")]
        [SuppressMessage("Security", "CA5394", Justification = "Jitter is no secret.")]
        public override double NextDouble() => Random.Shared.NextDouble();
    }

    /// <summary>SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a counter and a mixing function, so one atomic addition is the whole state change.</summary>
    private sealed class SeededRandomness(long seed) : Randomness
    {
        private long _state = seed;

        public override double NextDouble()
        {
            ulong z = (ulong)Interlocked.Add(ref _state, unchecked((long)0x9E3779B97F4A7C15UL));
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
            z ^= z >> 31;
            return (z >> 11) * (1.0 / (1UL << 53));
        }
    }
}
