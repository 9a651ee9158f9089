using System.Globalization;

namespace Resilience.StoreChaos;

/// <summary>What happened to one operation, as the process saw it that did or asked it.</summary>
public enum Step
{
    /// <summary>A claim was granted: fence, attempt, and when it was asked for.</summary>
    Begun,

    /// <summary>The effect took place: fence, result.</summary>
    Done,

    /// <summary>The outcome was recorded, as the store said: fence, result.</summary>
    Kept,

    /// <summary>The store rejected the outcome: the claim was lost.</summary>
    Stale,

    /// <summary>The outcome could not be recorded in time.</summary>
    NotKept,

    /// <summary>A caller was told the result: result.</summary>
    Told,

    /// <summary>A caller was told something else: which answer.</summary>
    Rejected,
}

/// <summary>One line of a history.</summary>
/// <param name="At">Milliseconds of the machine's monotonic clock, the same for all processes.</param>
/// <param name="Step">What happened.</param>
/// <param name="Key">To which operation.</param>
/// <param name="Fence">Under which fence, or 0.</param>
/// <param name="Attempt">As which attempt, or 0.</param>
/// <param name="Text">The result, or the answer.</param>
public sealed record Entry(long At, Step Step, string Key, long Fence, int Attempt, string Text)
{
    /// <summary>As a line.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{At} {Step} {Key} {Fence} {Attempt} {Text}");

    /// <summary>Null for a line that the end of its process cut off.</summary>
    public static Entry? Parse(string line)
    {
        string[] parts = line.Split(' ');
        return parts.Length == 6 && parts[5].EndsWith('.') && Enum.TryParse(parts[1], out Step step)
            ? new(long.Parse(parts[0], CultureInfo.InvariantCulture), step, parts[2], long.Parse(parts[3], CultureInfo.InvariantCulture),
                int.Parse(parts[4], CultureInfo.InvariantCulture), parts[5])
            : null;
    }
}
