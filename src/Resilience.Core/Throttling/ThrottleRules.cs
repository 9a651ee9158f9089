using Resilience.Overload;

namespace Resilience;

/// <summary>The arithmetic of a throttle. Pure.</summary>
internal readonly record struct ThrottleRules(double K, int Padding, double MaxRejection)
{
    internal static ThrottleRules Of(AdaptiveThrottleOptions options) => new(options.K, options.Padding, options.MaxRejection);

    /// <summary>The share of calls to reject.</summary>
    /// <param name="ended">Calls that were sent and have ended.</param>
    /// <param name="accepted">Those of them without a sign of overload.</param>
    internal double Share(long ended, long accepted) => Math.Clamp((ended - (K * accepted)) / (ended + Padding), 0, MaxRejection);
}
