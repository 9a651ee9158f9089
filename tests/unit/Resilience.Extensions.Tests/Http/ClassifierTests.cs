using System.Globalization;
using System.Net;
using System.Security.Authentication;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http;

/// <summary>What statuses and errors mean, as tables.</summary>
public sealed class ClassifierTests
{
    private static Verdict VerdictOf(HttpResponseMessage response) => HttpClassifier.Default.BindResult<HttpResponseMessage>()!(response).Verdict;

    private static Verdict VerdictOf(Exception exception) => HttpClassifier.Default.Classify(exception, false);

    [Fact]
    public void Every_status_has_the_verdict_of_the_table()
    {
        int[] passing = [408, 429, .. Enumerable.Range(500, 100).Except([501, 505, 511])];
        for (int status = 100; status < 600; status++)
        {
            Verdict expected = status < 400 ? Verdict.Success : passing.Contains(status) ? Verdict.Failure : Verdict.Ignored;
            using HttpResponseMessage response = new((HttpStatusCode)status);
            VerdictOf(response).Should().Be(expected, "of {0}", status);
            HttpClassifier.IsTransient((HttpStatusCode)status).Should().Be(expected == Verdict.Failure, "of {0}", status);
            if (status >= 400) VerdictOf(new HttpRequestException("x", null, (HttpStatusCode)status)).Should().Be(expected, "of {0} as an exception", status);
        }
    }

    [Theory]
    [InlineData(true, true, Verdict.Failure)]
    [InlineData(true, false, Verdict.Ignored)]
    [InlineData(false, false, Verdict.Ignored)]
    public void A_conflict_may_pass_only_when_the_first_attempt_with_the_same_key_is_under_way(bool isMarked, bool mayPass, Verdict expected)
    {
        using HttpRequestMessage request = new();
        if (isMarked) request.Options.Set(HttpClassifier.IsInFlight, mayPass);
        using HttpResponseMessage response = new(HttpStatusCode.Conflict) { RequestMessage = request };
        VerdictOf(response).Should().Be(expected);
        using HttpResponseMessage alone = new(HttpStatusCode.Conflict);
        VerdictOf(alone).Should().Be(Verdict.Ignored);
    }

    [Theory]
    [InlineData(HttpRequestError.Unknown, Verdict.Failure, false, null)]
    [InlineData(HttpRequestError.NameResolutionError, Verdict.Failure, true, "name_resolution_error")]
    [InlineData(HttpRequestError.ConnectionError, Verdict.Failure, true, "connection_error")]
    [InlineData(HttpRequestError.SecureConnectionError, Verdict.Failure, true, "secure_connection_error")]
    [InlineData(HttpRequestError.HttpProtocolError, Verdict.Failure, false, "http_protocol_error")]
    [InlineData(HttpRequestError.ExtendedConnectNotSupported, Verdict.Ignored, false, "extended_connect_not_supported")]
    [InlineData(HttpRequestError.VersionNegotiationError, Verdict.Ignored, false, "version_negotiation_error")]
    [InlineData(HttpRequestError.UserAuthenticationError, Verdict.Ignored, false, "user_authentication_error")]
    [InlineData(HttpRequestError.ProxyTunnelError, Verdict.Failure, true, "proxy_tunnel_error")]
    [InlineData(HttpRequestError.InvalidResponse, Verdict.Failure, false, "invalid_response")]
    [InlineData(HttpRequestError.ResponseEnded, Verdict.Failure, false, "response_ended")]
    [InlineData(HttpRequestError.ConfigurationLimitExceeded, Verdict.Ignored, false, "configuration_limit_exceeded")]
    public void Every_error_has_its_verdict_its_name_and_says_whether_it_came_before_the_request_was_sent(HttpRequestError error, Verdict expected,
        bool isBefore, string? name)
    {
        HttpRequestException exception = new(error, "x");
        VerdictOf(exception).Should().Be(expected);
        HttpClassifier.SaysNoConnection(exception).Should().Be(isBefore);
        HttpClassifier.Default.ErrorTypeOf(exception).Should().Be(name ?? typeof(HttpRequestException).FullName);
        HttpClassifier.SaysNoConnection(new HttpRequestException(error, "x", null, HttpStatusCode.BadGateway)).Should().BeFalse("there was an answer");
    }

    [Fact]
    public void A_certificate_that_does_not_fit_does_not_heal_however_deep_it_lies()
    {
        VerdictOf(new HttpRequestException(HttpRequestError.SecureConnectionError, "x", new AuthenticationException())).Should().Be(Verdict.Ignored);
        VerdictOf(new HttpRequestException(HttpRequestError.SecureConnectionError, "x", new IOException("y", new AuthenticationException())))
            .Should().Be(Verdict.Ignored);
        VerdictOf(new HttpRequestException(HttpRequestError.SecureConnectionError, "x", new IOException("cut off"))).Should().Be(Verdict.Failure);
    }

    [Fact]
    public void A_timeout_of_the_connection_comes_before_the_request_and_one_of_the_client_perhaps_not()
    {
        HttpClassifier.SaysNoConnection(new OperationCanceledException("x", new TimeoutException())).Should().BeTrue();
        HttpClassifier.SaysNoConnection(new OperationCanceledException("x", new TimeoutException("y", new OperationCanceledException()))).Should().BeFalse();
        HttpClassifier.SaysNoConnection(new OperationCanceledException("x", new IOException())).Should().BeFalse();
        HttpClassifier.SaysNoConnection(new OperationCanceledException()).Should().BeFalse();
        HttpClassifier.SaysNoConnection(new TimeoutException()).Should().BeFalse();
    }

    [Fact]
    public void Results_and_errors_with_a_status_are_named_by_its_number()
    {
        using HttpResponseMessage response = new(HttpStatusCode.TooManyRequests);
        HttpClassifier.Default.BindName<HttpResponseMessage>()!(response).Should().Be("429");
        HttpClassifier.Default.ErrorTypeOf(new HttpRequestException("x", null, HttpStatusCode.BadGateway)).Should().Be("502");
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("0", null)]
    [InlineData("120", 120.0)]
    [InlineData("-1", null)]
    [InlineData("soon", null)]
    [InlineData("Sun, 01 Mar 2026 00:00:10 GMT", 10.0)]
    [InlineData("Sun, 01 Mar 2026 00:00:00 GMT", null)]
    [InlineData("Sat, 28 Feb 2026 23:00:00 GMT", null)]
    public void The_server_says_when_to_come_back(string? value, double? seconds)
    {
        FakeTimeProvider time = new(DateTimeOffset.Parse("2026-03-01T00:00:00Z", CultureInfo.InvariantCulture));
        using HttpResponseMessage response = new();
        if (value is not null) response.Headers.TryAddWithoutValidation("Retry-After", value);
        HttpClassifier.ReadRetryAfter(response, time)?.TotalSeconds.Should().Be(seconds);
        (HttpClassifier.ReadRetryAfter(response, time) is null).Should().Be(seconds is null);
        FluentActions.Invoking(() => HttpClassifier.ReadRetryAfter(null!, time)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => HttpClassifier.ReadRetryAfter(response, null!)).Should().Throw<ArgumentNullException>();
    }

    /// <summary>The clock of the server goes ahead or behind, or the answer has lain in a cache: the wait is what the server means.</summary>
    [Theory]
    [InlineData(-3600, 10, null, 10.0)]
    [InlineData(3600, 10, null, 10.0)]
    [InlineData(0, 10, null, 10.0)]
    [InlineData(-3600, 10, 4, 6.0)]
    [InlineData(-3600, 10, 20, null)]
    [InlineData(-3600, 0, null, null)]
    [InlineData(3600, -1, null, null)]
    public void A_date_is_one_of_the_servers_clock(int skew, int seconds, int? age, double? expected)
    {
        FakeTimeProvider time = new(DateTimeOffset.Parse("2026-03-01T00:00:00Z", CultureInfo.InvariantCulture));
        using HttpResponseMessage response = new();
        response.Headers.Date = time.GetUtcNow().AddSeconds(skew);
        response.Headers.RetryAfter = new(time.GetUtcNow().AddSeconds(skew + seconds));
        if (age is { } lain) response.Headers.Age = TimeSpan.FromSeconds(lain);
        HttpClassifier.ReadRetryAfter(response, time)?.TotalSeconds.Should().Be(expected);
        (HttpClassifier.ReadRetryAfter(response, time) is null).Should().Be(expected is null);
    }

    [Theory]
    [InlineData("2147483648", double.PositiveInfinity)]
    [InlineData("99999999999999999999", double.PositiveInfinity)]
    [InlineData("1.5", 1.5)]
    [InlineData("30, 120", 120.0)]
    [InlineData("120,30", 120.0)]
    [InlineData("30, soon", null)]
    [InlineData("Sun, soon", null)]
    [InlineData("-1.5", null)]
    [InlineData("", null)]
    public void What_the_frameworks_parser_rejects_is_not_taken_for_silence(string value, double? seconds)
    {
        using HttpResponseMessage response = new();
        response.Headers.TryAddWithoutValidation("Retry-After", value);
        TimeSpan? read = HttpClassifier.ReadRetryAfter(response, TimeProvider.System);
        (read == TimeSpan.MaxValue ? double.PositiveInfinity : read?.TotalSeconds).Should().Be(seconds);
    }

    /// <summary>By a proxy and by the server, each in a line of its own; the framework's parser takes the first.</summary>
    [Theory]
    [InlineData("3", "120", 120)]
    [InlineData("120", "3", 120)]
    [InlineData("3", "soon", 3)]
    [InlineData("soon", "3", 3)]
    [InlineData("3", "2.5", 3)]
    [InlineData("3", "in a minute, by date", 60)]
    [InlineData("120", "in a minute, by date", 120)]
    [InlineData("soon", "later", null)]
    public void Of_two_lines_of_retry_after_the_longer_wait_counts(string first, string second, int? seconds)
    {
        DateTimeOffset now = new(2026, 11, 27, 5, 0, 0, TimeSpan.Zero);
        using HttpResponseMessage response = new();
        response.Headers.Date = now;
        foreach (string line in (string[])[first, second])
            response.Headers.TryAddWithoutValidation("Retry-After", line.StartsWith("in a", StringComparison.Ordinal) ? now.AddMinutes(1).ToString("r") : line);
        HttpClassifier.ReadRetryAfter(response, TimeProvider.System)?.TotalSeconds.Should().Be(seconds);
        (HttpClassifier.ReadRetryAfter(response, TimeProvider.System) is null).Should().Be(seconds is null);
    }

    [Theory]
    [InlineData("retry-after-ms", "1500", 1500)]
    [InlineData("x-ms-retry-after-ms", "250", 250)]
    [InlineData("Retry-After-Ms", "12.5", 13)] // never early
    [InlineData("retry-after-ms", "0", 120_000)]
    [InlineData("retry-after-ms", "soon", 120_000)]
    [InlineData("x-ms-retry-after-ms", "-5", 120_000)]
    public void Milliseconds_come_before_seconds_where_they_say_something(string header, string value, int milliseconds)
    {
        using HttpResponseMessage response = new();
        response.Headers.TryAddWithoutValidation("Retry-After", "120");
        response.Headers.TryAddWithoutValidation(header, value);
        HttpClassifier.ReadRetryAfter(response, TimeProvider.System).Should().Be(TimeSpan.FromMilliseconds(milliseconds));
    }

    [Theory]
    [InlineData("99999999999999999999999")]
    [InlineData("9223372036854775807")]
    public void A_wait_in_milliseconds_beyond_all_spans_is_the_longest_one(string value)
    {
        using HttpResponseMessage response = new();
        response.Headers.TryAddWithoutValidation("retry-after-ms", value);
        HttpClassifier.ReadRetryAfter(response, TimeProvider.System).Should().Be(TimeSpan.MaxValue);
    }

    [Fact]
    public void A_wait_below_zero_that_code_has_set_counts_as_none()
    {
        using HttpResponseMessage response = new();
        response.Headers.RetryAfter = new(TimeSpan.FromSeconds(-1));
        HttpClassifier.ReadRetryAfter(response, TimeProvider.System).Should().BeNull();
    }
}
