using System.Diagnostics;

namespace Resilience.Tests.Sdks;

/// <summary>SDKs whose own retry stays on, over a client of ours: requests per call to a server that answers 503 to everything. Multiplied, they were 12 to
/// 16.</summary>
public sealed class StackedRetriesTests
{
    private static async Task<int> CallAsync(Service service, Func<Task> call)
    {
        int before = service.Count;
        (await Record.ExceptionAsync(call)).Should().NotBeNull("the server is down");
        return service.Count - before;
    }

    [Fact]
    public async Task The_AWS_SDK_says_with_its_first_request_that_it_repeats()
    {
        await using Service service = await Service.OpenAsync();
        List<string> log = [];
        Func<Task> call = Sdk.S3Get(service.Address, Sdk.Client(service.Address, log: log));
        (await CallAsync(service, call)).Should().Be(3, "of the SDK, which makes three attempts");
        (await CallAsync(service, call)).Should().Be(3);
        log.Where(line => line.StartsWith("RetriesAreStacked", StringComparison.Ordinal)).Should().ContainSingle()
            .Which.Should().Contain("the AWS SDK repeats requests");
    }

    [Fact]
    public async Task Where_its_retry_is_off_ours_repeats()
    {
        await using Service service = await Service.OpenAsync();
        (await CallAsync(service, Sdk.S3Get(service.Address, Sdk.Client(service.Address), maxRetries: 0))).Should().Be(4);
    }

    [Fact]
    public async Task An_SDK_of_Azure_is_known_from_its_first_repetition()
    {
        await using Service service = await Service.OpenAsync();
        Func<Task> call = Sdk.BlobGet(service.Address, Sdk.Client(service.Address, o => o.CircuitBreaker!.MinimumCalls = 1000));
        (await CallAsync(service, call)).Should().Be(4 + 3, "our four, then it shows: one for each of its three");
        (await CallAsync(service, call)).Should().Be(4, "of the SDK");
        (await CallAsync(service, call)).Should().Be(4);
    }

    [Fact]
    public async Task Stripes_SDK_is_known_from_its_first_repetition()
    {
        await using Service service = await Service.OpenAsync();
        Func<Task> call = Sdk.StripeCharge(service.Address, Sdk.Client(service.Address, o => o.CircuitBreaker!.MinimumCalls = 1000));
        (await CallAsync(service, call)).Should().Be(4 + 2);
        (await CallAsync(service, call)).Should().Be(3);
        service.Requests.Should().OnlyContain(r => r.Key != null);
    }

    [Fact]
    public async Task Kiota_is_known_from_its_first_repetition()
    {
        await using Service service = await Service.OpenAsync();
        HttpResilience resilience = HttpResilience.Standard(new() { Retry = new() { BaseDelay = TimeSpan.Zero } }, "kiota");
        Func<Task> call = Sdk.KiotaGet(service.Address, new ResilienceHttpHandler(resilience, new SocketsHttpHandler()));
        (await CallAsync(service, call)).Should().Be(4 + 1);
        (await CallAsync(service, call)).Should().Be(2);
    }

    [Theory]
    [InlineData(StackedRetries.Report, 12, true)]
    [InlineData(StackedRetries.Allow, 12, false)]
    public async Task Who_wants_them_stacked_may_have_them(StackedRetries stacked, int requests, bool isTold)
    {
        await using Service service = await Service.OpenAsync();
        List<string> log = [];
        Func<Task> call = Sdk.S3Get(service.Address,
            Sdk.Client(service.Address, o => (o.StackedRetries, o.CircuitBreaker!.MinimumCalls) = (stacked, 1000), log));
        (await CallAsync(service, call)).Should().Be(requests);
        log.Exists(line => line.StartsWith("RetriesAreStacked", StringComparison.Ordinal)).Should().Be(isTold);
    }

    [Fact]
    public async Task In_an_outage_the_circuit_spares_the_server_from_all_retries()
    {
        await using Service service = await Service.OpenAsync();
        Func<Task> call = Sdk.S3Get(service.Address, Sdk.Client(service.Address, o => o.CircuitBreaker!.BreakDuration = TimeSpan.FromMinutes(1)));
        for (int i = 0; i < 50; i++) await Record.ExceptionAsync(call);
        service.Count.Should().BeInRange(20, 24, "the circuit opens after twenty attempts, and the SDK's own go nowhere then");
    }

    public static TheoryData<string, string?, bool> Signs => new()
    {
        { "amz-sdk-request", "attempt=1; max=1", false },
        { "amz-sdk-request", "attempt=1; max=3", true },
        { "amz-sdk-request", " max = 2 ", true },
        { "amz-sdk-request", "attempt=2", true },
        { "amz-sdk-request", "max=99999999999999999999", false },
        { "amz-sdk-request", "", false },
        { "Retry-Attempt", "1", true },
        { "grpc-previous-rpc-attempts", "1", true },
        { "X-Other", "1", false },
    };

    [Theory]
    [MemberData(nameof(Signs))]
    public async Task A_sign_is_read_from_the_request_alone(string header, string? value, bool isRepeated)
    {
        await using Service service = await Service.OpenAsync();
        using HttpClient client = Sdk.Client(service.Address);
        using HttpRequestMessage request = new(HttpMethod.Get, "/");
        request.Headers.TryAddWithoutValidation(header, value);
        (await client.SendAsync(request)).Dispose();
        service.Count.Should().Be(isRepeated ? 1 : 4);
    }

    /// <summary>A caller that sends a key again later (a job, an outbox) is no retry above; within one span it is.</summary>
    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 4)]
    public async Task A_key_that_comes_again_is_a_retry_within_one_span_only(bool isSameSpan, int requests)
    {
        await using Service service = await Service.OpenAsync();
        using HttpClient client = Sdk.Client(service.Address);
        using Activity span = new Activity("call").Start();
        await PayAsync(client);
        service.Count.Should().Be(4);
        if (!isSameSpan) span.Stop();
        await PayAsync(client);
        service.Count.Should().Be(4 + requests);
    }

    [Fact]
    public async Task A_key_that_comes_again_elsewhere_is_another_request_of_one_operation()
    {
        await using Service service = await Service.OpenAsync();
        using HttpClient client = Sdk.Client(service.Address);
        using Activity span = new Activity("call").Start();
        await PayAsync(client);
        await PayAsync(client, "/mail");
        service.Count.Should().Be(4 + 4);
    }

    private static async Task PayAsync(HttpClient client, string path = "/pay")
    {
        using HttpRequestMessage request = new(HttpMethod.Post, path) { Content = new StringContent("5") };
        request.Headers.Add("Idempotency-Key", "k-1");
        (await client.SendAsync(request)).Dispose();
    }

    [Fact]
    public async Task What_succeeds_and_comes_again_is_no_retry()
    {
        await using Service service = await Service.OpenAsync(n => n < 2 ? 200 : 503);
        using HttpClient client = Sdk.Client(service.Address);
        using Activity span = new Activity("call").Start();
        await PayAsync(client);
        await PayAsync(client);
        await PayAsync(client);
        service.Count.Should().Be(1 + 1 + 4);
    }
}
