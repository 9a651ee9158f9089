namespace Resilience.Transports;

/// <summary>What a row of a table says of trying again. Whether a failure passes is one question, whether the call may be made twice another.</summary>
public enum Repeatability
{
    /// <summary>Trying again does not help, or nothing is known that would allow it.</summary>
    Never = 0,

    /// <summary>It may have been applied: only a call that may be made twice is made again.</summary>
    IfSafe = 1,

    /// <summary>What was answered so was not applied. Of a call that consists of it alone, whatever it is, another attempt is safe.</summary>
    Always = 2,
}
