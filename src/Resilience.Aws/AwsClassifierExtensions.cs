using System.Globalization;
using Amazon.Runtime;
using Amazon.Runtime.Internal;
using Resilience.Transports;

namespace Resilience;

/// <summary>The rules of AWS.</summary>
public static class AwsClassifierExtensions
{
    /// <summary>Errors of the AWS SDK are judged by <see cref="AwsErrors"/>: by their code, then by the status of the answer. A rule of the user comes first,
    /// wherever it is written.</summary>
    /// <remarks>
    /// <para>What the SDK itself calls repeatable (<see cref="AmazonServiceException.Retryable"/>) is a failure, or throttling, also where the table does not
    /// know its code. When to come back is read from <c>x-amz-retry-after</c> and <c>Retry-After</c>. Errors without an answer are left to the rules of sockets
    /// and HTTP.</para>
    /// <para>For a pipeline around calls of a client whose own retry is off (<c>MaxErrorRetry = 0</c>), or around one that keeps it, without a retry
    /// here.</para>
    /// </remarks>
    /// <exception cref="ArgumentNullException"><paramref name="rules"/> is null.</exception>
    public static OutcomeClassifier Aws(this OutcomeClassifier rules)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return rules.Table(AwsErrors.All.Name, static table => table.On<AmazonServiceException>(static e => Judge(e)));
    }

    private static Classification? Judge(AmazonServiceException exception)
    {
        int status = (int)exception.StatusCode;
        Classification? row = AwsErrors.Judge(exception.ErrorCode, status == 0 ? null : status);
        if (row is null or { Verdict: Verdict.Ignored } && exception.Retryable is { } repeatable)
            row = repeatable.Throttling ? Classification.Throttled() : Verdict.Failure;
        return row is { IsOverload: true } overload ? overload with { RetryAfter = RetryAfter(exception) } : row;
    }

    /// <summary>When the service said to come back; null where it did not, or in words that mean nothing.</summary>
    private static TimeSpan? RetryAfter(AmazonServiceException exception)
    {
        if (exception.InnerException is not HttpErrorResponseException { Response: { } response }) return null;
        if (TryRead(response.GetHeaderValue("x-amz-retry-after"), out int milliseconds)) return TimeSpan.FromMilliseconds(milliseconds);
        return TryRead(response.GetHeaderValue("Retry-After"), out int seconds) ? TimeSpan.FromSeconds(seconds) : null;
    }

    private static bool TryRead(string? text, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
