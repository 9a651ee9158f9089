using System.Globalization;
using static Resilience.Transports.TransportRow;

namespace Resilience.Transports;

/// <summary>What the errors of AWS services mean, by the code of the error, or by the status of the answer where the code has no row.</summary>
/// <remarks>A code of throttling comes with status 400 as well as with 429 or 503, so the code is looked at first. The codes of throttling and of timeouts
/// are those of the standard retry mode of the AWS SDKs; a test compares them with the SDK for .NET.</remarks>
public static class AwsErrors
{
    /// <summary>The table: codes of errors, then statuses of answers. <c>5*</c> and <c>*</c> are for what has no row of its own.</summary>
    public static TransportTable All { get; } = new(
        "AWS",
        Group(Classification.Throttled(), Repeatability.IfSafe, "too much is asked of the service now",
            "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException", "TooManyRequestsException",
            "ProvisionedThroughputExceededException", "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "SlowDown",
            "EC2ThrottledException", "TransactionInProgressException", "PriorRequestNotComplete"),
        Group(TransportTable.NotCounted, Repeatability.IfSafe, "another transaction uses the same item", "TransactionConflictException"),
        Group(Verdict.Failure, Repeatability.IfSafe, "the service waited for the request, or for another service",
            "RequestTimeout", "RequestTimeoutException", "IDPCommunicationError"),
        Group(Verdict.Ignored, Repeatability.Never, "the condition of the request does not hold", "ConditionalCheckFailedException"),
        Group(Classification.Throttled(), Repeatability.IfSafe, "too much is asked of the service now", "429"),
        Group(Classification.Overloaded, Repeatability.IfSafe, "the service is overloaded or away", "503"),
        Group(Verdict.Failure, Repeatability.IfSafe, "", "408", "5*"),
        Group(Verdict.Ignored, Repeatability.Never, "the request is wrong, not the service", "501", "505", "*"));

    private static readonly Dictionary<string, TransportRow> Rows = All.ByCode();

    /// <summary>The row for an error.</summary>
    /// <param name="code">The code of the error (<c>SlowDown</c>); null or empty: the answer had none.</param>
    /// <param name="status">The status of the answer, from 400 on; null: there was no answer.</param>
    /// <returns>Null when there was neither a code that has a row nor an answer that was an error.</returns>
    public static TransportRow? Find(string? code, int? status)
    {
        if (!string.IsNullOrEmpty(code) && Rows.TryGetValue(code, out TransportRow? row) && !char.IsAsciiDigit(code[0]) && code != "*") return row;
        if (status is not >= 400) return null;
        return Rows.GetValueOrDefault(status.Value.ToString(CultureInfo.InvariantCulture)) ?? (status < 500 ? Rows["*"] : Rows["5*"]);
    }

    /// <summary>What the table says of an error; null: nothing.</summary>
    /// <inheritdoc cref="Find"/>
    public static Classification? Judge(string? code, int? status) => Find(code, status)?.Classification;
}
