namespace Resilience.Fuzz;

/// <summary>A bug put into a parser on purpose: its oracle must find it, or it finds nothing.</summary>
internal enum Planted
{
    None,

    /// <summary>Header: a quoted key keeps its backslashes.</summary>
    KeepsEscapes,

    /// <summary>Header: what follows the closing quote is not looked at.</summary>
    IgnoresWhatFollows,

    /// <summary>Retry-After: a date that has passed is a negative wait.</summary>
    NegativeWait,

    /// <summary>Retry-After: seconds become milliseconds in 32 bits.</summary>
    WrapsSeconds,

    /// <summary>Record: the checksum is not looked at.</summary>
    SkipsChecksum,

    /// <summary>Record: a newer version is read as if it were ours.</summary>
    ReadsNewer,

    /// <summary>Stored response: the lengths in it are believed.</summary>
    TrustsLengths,

    /// <summary>Stored response: a body that was left out is an empty one.</summary>
    ForgetsTheFlag,

    /// <summary>Settings: an unknown key is passed over in silence.</summary>
    PassesOverUnknownKeys,

    /// <summary>Settings: a bare number is a span in days.</summary>
    ReadsDays,

    /// <summary>Settings: two values change places.</summary>
    SwapsDelays,
}
