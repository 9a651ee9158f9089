namespace Resilience.Events;

/// <summary>Where a substitute came from.</summary>
public enum FallbackSource
{
    /// <summary>The last good value.</summary>
    LastGood = 0,

    /// <summary>The substitute call.</summary>
    Call = 1,

    /// <summary>The fixed value.</summary>
    Value = 2,
}
