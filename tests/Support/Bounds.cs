namespace Resilience.Tests.Support;

/// <summary>How much is tried. A check is the same everywhere; on a laptop it stops sooner, and with <c>RESILIENCE_DEEP=1</c> it goes much further.</summary>
internal static class Bounds
{
    internal static bool IsDeep { get; } = Environment.GetEnvironmentVariable("RESILIENCE_DEEP") == "1";

    private static bool IsInCi { get; } = Environment.GetEnvironmentVariable("CI") == "true";

    /// <summary>How many seconds, seeds or rounds.</summary>
    /// <param name="here">When a developer runs the tests.</param>
    /// <param name="inCi">Under <c>CI=true</c>.</param>
    /// <param name="deep">With <c>RESILIENCE_DEEP=1</c>.</param>
    internal static int Of(int here, int inCi, int deep) => IsDeep ? deep : IsInCi ? inCi : here;

    /// <inheritdoc cref="Of(int, int, int)"/>
    internal static int Of(int usual, int deep) => IsDeep ? deep : usual;
}
