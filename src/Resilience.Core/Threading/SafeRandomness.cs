using Resilience.Extensibility;

namespace Resilience;

/// <summary>Draws from a generator that may be the user's.</summary>
internal static class SafeRandomness
{
    /// <summary>The next number, from 0 to 1 and less than 1. The generator may be the user's: if it throws or leaves that range, the answer is
    /// the default.</summary>
    internal static double Draw(Randomness randomness, double byDefault)
    {
        try
        {
            double drawn = randomness.NextDouble();
            return drawn is >= 0 and < 1 ? drawn : byDefault;
        }
        catch (Exception error)
        {
            Safely.Report("randomness", error);
            return byDefault;
        }
    }

    /// <summary>A share from nothing to the whole (1). A generator that leaves that range is held inside; the whole when it throws.</summary>
    internal static double Share(Randomness randomness)
    {
        double drawn = Safely.Ask("randomness", static r => r.NextDouble(), randomness, 1);
        return drawn >= 0 ? Math.Min(drawn, 1) : 0;
    }
}
