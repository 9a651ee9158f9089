namespace Resilience;

/// <summary>How one attempt ended, as every policy of a pipeline understands it.</summary>
/// <remarks>
/// The verdict is decided once, by the pipeline's <see cref="OutcomeClassifier"/>, where the attempt ends, and travels up
/// with the <see cref="Outcome{T}"/>. What each policy does with each verdict is one table, kept in the documentation and
/// run as a test.
/// </remarks>
public enum Verdict : byte
{
    /// <summary>No outcome at all: the content of <c>default(Outcome&lt;T&gt;)</c>. A pipeline rejects to return it.</summary>
    None = 0,

    /// <summary>The dependency answered as it should.</summary>
    Success = 1,

    /// <summary>The dependency failed: may be retried, and counts against its health.</summary>
    Failure = 2,

    /// <summary>Says nothing about the dependency: the caller cancelled, or the request itself was wrong. Never retried, never counted.</summary>
    Ignored = 3,

    /// <summary>One of our own policies rejected: open circuit, no permit. The dependency was not asked.</summary>
    Rejected = 4,
}
