namespace Resilience.Idempotency;

/// <summary>The error with which the first call ended, repeated to a duplicate.</summary>
public sealed class RecordedErrorException : Exception
{
    internal RecordedErrorException(string originalType, string message)
        : base(message) => OriginalType = originalType;

    /// <summary>The full name of the type of the first exception.</summary>
    public string OriginalType { get; }
}
