using Resilience.Extensibility;

namespace Resilience.Http;

/// <summary>What bounds the reading of a body after its attempt has ended, and what it still keeps.</summary>
/// <param name="Time">The clock of the pipeline.</param>
/// <param name="Idle">How long a read may take; null: as long as it likes.</param>
/// <param name="ReadBy">On the line of <see cref="TimeProvider.GetTimestamp"/>: by when a body must have been read that is read into memory as a whole,
/// or as a stream where that is said; null: no bound.</param>
/// <param name="Hold">Places that are kept; null: none.</param>
/// <param name="HoldsForStreams">Whether they are kept also while the body is read as a stream.</param>
internal sealed record BodyBounds(TimeProvider Time, TimeSpan? Idle, long? ReadBy, PlaceHold? Hold, bool HoldsForStreams)
{
    /// <summary>The time until then, for the message.</summary>
    internal TimeSpan End { get; init; }

    /// <summary>What set it, for the message.</summary>
    internal string NameOfEnd { get; init; } = "";

    /// <summary>Whether it holds also while the body is read as a stream.</summary>
    internal bool EndsStreams { get; init; }

    /// <summary>The time that is left; null: no bound.</summary>
    internal TimeSpan? Left
    {
        get
        {
            if (ReadBy is not { } end) return null;
            TimeSpan left = Time.GetElapsedTime(Time.GetTimestamp(), end);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }
}
