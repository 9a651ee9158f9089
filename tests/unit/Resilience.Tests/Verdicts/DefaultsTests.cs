using System.Data.Common;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Resilience.Tests.Verdicts;

/// <summary>What exceptions mean where no rule speaks: the table of the page, row by row, judged by a pipeline that really retries and counts.</summary>
public sealed class DefaultsTests
{
    private sealed class Database(bool isTransient, string? state = null) : DbException("x")
    {
        public override bool IsTransient => isTransient;

        public override string? SqlState => state;
    }

    private static HttpRequestException Http(HttpStatusCode status) => new("x", null, status);

    private static Exception Numbered(int hresult) => new IOException("x", hresult);

    private static Exception OfEntityFramework() => new InvalidOperationException("x") { Source = "Microsoft.EntityFrameworkCore.Relational" };

    /// <summary>A row of the page by its beginning, and what belongs to it.</summary>
    private static readonly (string Row, Exception[] Members)[] Rows =
    [
        ("`OperationCanceledException` that neither the caller",
            [new OperationCanceledException(), new TaskCanceledException("x", new TimeoutException()), new TimeoutException()]),
        ("`SocketException`, `IOException`",
        [
            .. new[]
            {
                SocketError.ConnectionRefused, SocketError.HostUnreachable, SocketError.NetworkUnreachable, SocketError.HostDown, SocketError.HostNotFound,
                    SocketError.TryAgain,
                SocketError.ConnectionReset, SocketError.ConnectionAborted, SocketError.TimedOut, SocketError.Shutdown, SocketError.NetworkReset,
            }.Select(e => new SocketException((int)e)),
            new IOException(), new EndOfStreamException(), new IOException("x", new SocketException((int)SocketError.ConnectionReset)), new Database(true),
                new Database(false),
        ]),
        ("`DbException` with one: a constraint",
            [new Database(false, "23505"), new Database(false, "42601"), new Database(false, "28P01"), new Database(false, "P0001")]),
        ("with one of contention", [new Database(false, "40001"), new Database(false, "40P01"), new Database(true, "55P03")]),
        ("with one of the server's health",
            [new Database(false, "08006"), new Database(true, "53300"), new Database(false, "58030"), new Database(false, "57P01")]),
        ("with 57014 or class XX", [new Database(false, "57014"), new Database(false, "XX000")]),
        ("a socket error of our own",
        [
            new SocketException((int)SocketError.AccessDenied), new SocketException((int)SocketError.AddressAlreadyInUse),
            new SocketException((int)SocketError.ProtocolNotSupported), new IOException("x", new SocketException((int)SocketError.AccessDenied)),
        ]),
        ("our own exhaustion",
        [
            new SocketException((int)SocketError.TooManyOpenSockets), new SocketException((int)SocketError.NoBufferSpaceAvailable),
            new IOException("x", new SocketException((int)SocketError.TooManyOpenSockets)), Numbered(IoErrors.SharingViolation),
                Numbered(IoErrors.LockViolation),
            new HttpRequestException(HttpRequestError.ConnectionError, "x", new SocketException((int)SocketError.TooManyOpenSockets)),
        ]),
        ("a full disk", [Numbered(IoErrors.DiskFull), Numbered(IoErrors.HandleDiskFull)]),
        ("files that are not there",
            [new FileNotFoundException(), new DirectoryNotFoundException(), new PathTooLongException(), new UnauthorizedAccessException(), new AuthenticationException()]),
        ("`ArgumentException`, `NotSupportedException`",
        [
            new ArgumentNullException(), new NotSupportedException(), new NotImplementedException(), new NullReferenceException(), new InvalidCastException(),
            new IndexOutOfRangeException(), new ObjectDisposedException("x"), new FormatException(), new UriFormatException(), new KeyNotFoundException(),
                OfEntityFramework(),
        ]),
        ("`HttpRequestException` with status 408",
            [Http(HttpStatusCode.RequestTimeout), Http(HttpStatusCode.InternalServerError), Http((HttpStatusCode)520), Http(HttpStatusCode.GatewayTimeout)]),
        ("with status 429", [Http(HttpStatusCode.TooManyRequests)]),
        ("with another status",
        [
            Http(HttpStatusCode.NotFound), Http(HttpStatusCode.BadRequest), Http(HttpStatusCode.NotImplemented), Http(HttpStatusCode.HttpVersionNotSupported),
                Http(HttpStatusCode.Found),
            new HttpRequestException(HttpRequestError.UserAuthenticationError),
                new HttpRequestException(HttpRequestError.SecureConnectionError, "x", new AuthenticationException()),
            new HttpRequestException(HttpRequestError.ConfigurationLimitExceeded), new HttpRequestException(HttpRequestError.VersionNegotiationError),
        ]),
        ("`ResilienceException`, `ICarriesRejection`", [new ResilienceException("no"), new Polly.CircuitBreaker.BrokenCircuitException()]),
        ("any other exception",
        [
            new InvalidOperationException(), new Polly.Timeout.TimeoutRejectedException(), new DivideByZeroException(),
            new HttpRequestException(HttpRequestError.ConnectionError), new HttpRequestException("x"),
        ]),
    ];

    public static TheoryData<int> AllRows() => [.. Enumerable.Range(0, Rows.Length)];

    [Theory]
    [MemberData(nameof(AllRows))]
    public async Task The_defaults_are_what_the_page_says(int index)
    {
        (string row, Exception[] members) = Rows[index];
        string line = File.ReadAllLines(Path.Combine(Repository.Root, "docs", "verdicts.md"))
            .Should().ContainSingle(l => l.StartsWith("| " + row, StringComparison.Ordinal), "of {0}", row).Which;
        string[] cells = [.. line.Trim('|').Split('|').Select(c => c.Trim(' ', '`'))];
        foreach (Exception member in members)
        {
            CircuitBreaker breaker = new(new() { MinimumCalls = 1000 });
            ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o => (o.MaxRetries, o.BaseDelay) = (1, TimeSpan.Zero))
                .AddCircuitBreaker(breaker).Build();
            int calls = 0;
            Outcome<int> outcome = await pipeline.TryExecuteAsync(ValueTask<int> (_) =>
            {
                calls++;
                throw member;
            });
            string what = $"{member.GetType().Name} {(member as SocketException)?.SocketErrorCode} {(member as HttpRequestException)?.StatusCode} {member.HResult:x}";
            outcome.Verdict.ToString().Should().Be(cells[1], "of {0}", what);
            (calls == 2 ? "yes" : outcome.Verdict == Verdict.Failure ? "no" : "").Should().Be(cells[2], "of repeating {0}", what);
            (breaker.TakeSnapshot().Failures > 0 ? "yes" : outcome.Verdict == Verdict.Failure ? "no" : "").Should().Be(cells[3], "of counting {0}", what);
            outcome.NotApplied.Should().BeFalse("the type of an exception alone proves nothing");
        }
    }

    private sealed class Answers(HttpStatusCode status) : HttpMessageHandler
    {
        public int Requests;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests++;
            return Task.FromResult(new HttpResponseMessage(status) { RequestMessage = request });
        }
    }

    [Theory]
    [InlineData(HttpStatusCode.NotFound, 1, 0)]
    [InlineData(HttpStatusCode.TooManyRequests, 4, 0)]
    [InlineData(HttpStatusCode.ServiceUnavailable, 4, 4)]
    public async Task The_first_example_of_the_readme_makes_one_request_for_a_404_and_moves_no_circuit(HttpStatusCode status, int requests, int counted)
    {
        using Answers network = new(status);
        using HttpClient http = new(network);
        CircuitBreaker breaker = new(new() { Name = "prices", FailureRatio = 0.5, MinimumCalls = 20 });
        ResiliencePipeline<string> pipeline = new ResiliencePipelineBuilder<string> { Name = "prices" }
            .AddFallback(o => o.LastGood = LastGood<string>.Shared(TimeSpan.FromMinutes(5)))
            .AddTimeout(TimeSpan.FromSeconds(100))
            .AddRetry(new RetryOptions { MaxRetries = 3, BaseDelay = TimeSpan.Zero })
            .AddCircuitBreaker(breaker)
            .AddTimeout(TimeSpan.FromSeconds(20))
            .Build();
        Outcome<string> outcome = await pipeline.TryExecuteAsync(ct => http.GetStringAsync(new Uri("https://example.test/price"), ct));
        (outcome.Exception as HttpRequestException)?.StatusCode.Should().Be(status);
        (network.Requests, breaker.TakeSnapshot().Failures).Should().Be((requests, counted));
    }
}
