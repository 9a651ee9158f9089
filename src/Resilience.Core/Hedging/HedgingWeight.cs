namespace Resilience;

/// <summary>What a failure asks for.</summary>
internal enum HedgingWeight
{
    /// <summary>The next attempt now.</summary>
    Usual,

    /// <summary>Patience: it is throttled, or says when to come back. <see cref="HedgingSchedule"/> says when the next attempt comes.</summary>
    Patient,

    /// <summary>More patience than a race has. Nothing more starts; what is under way may still win, else this is the answer.</summary>
    TooPatient,

    /// <summary>Nothing: trying again would not help, or the user does not want it. It is the answer.</summary>
    Final,
}
