using System.ClientModel;
using System.Net;
using System.Text;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using OpenAI;
using OpenAI.Chat;
using Resilience.Extensibility;

namespace Resilience.Tests.Sdks;

/// <summary>A pipeline of ours in the place of an SDK's retry: Azure.Core by Azure.Storage.Blobs, System.ClientModel by OpenAI.</summary>
public sealed class InPlaceTests
{
    private static readonly UserChatMessage Question = new("Say hello.");

    private static void AtOnce(StandardResilienceOptions options) => options.Retry!.BaseDelay = TimeSpan.Zero;

    private static BlobContainerClient Blobs(Uri address, Action<StandardResilienceOptions>? configure = null, string? keyHeader = null) =>
        new(new Uri(address, "account/container"), new BlobClientOptions().UseResilience(configure ?? AtOnce, keyHeader: keyHeader));

    private static ChatClient Chat(Uri address, Action<StandardResilienceOptions>? configure = null, string? keyHeader = null) =>
        Sdk.OpenAi(address, o => o.UseResilience(configure ?? AtOnce, keyHeader: keyHeader));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_may_be_repeated_is_sent_as_often_as_our_retry_says_and_the_SDK_reports_it_as_ever(bool isSynchronous)
    {
        await using Service service = await Service.OpenAsync();
        BlobContainerClient blobs = Blobs(service.Address);
        Func<Task> call = isSynchronous ? () => Task.FromResult(blobs.GetProperties()) : () => blobs.GetPropertiesAsync();
        (await call.Should().ThrowAsync<RequestFailedException>()).Which.Status.Should().Be(503);
        service.Count.Should().Be(4);
    }

    [Theory]
    [InlineData(null, 1)]
    [InlineData("Idempotency-Key", 4)]
    public async Task A_question_to_OpenAI_is_repeated_under_one_key_and_sent_once_without(string? keyHeader, int requests)
    {
        await using Service service = await Service.OpenAsync();
        ChatClient chat = Chat(service.Address, keyHeader: keyHeader);
        (await chat.Invoking(c => c.CompleteChatAsync(Question)).Should().ThrowAsync<ClientResultException>()).Which.Status.Should().Be(503);
        service.Count.Should().Be(requests);
        service.Requests.Select(r => (r.Key, r.Body)).Distinct().Should().ContainSingle("each attempt is the same request");
        (service.Requests[0].Key is not null).Should().Be(keyHeader is not null);
        chat.Invoking(c => c.CompleteChat(Question)).Should().Throw<ClientResultException>();
        service.Count.Should().Be(2 * requests);
    }

    [Fact]
    public async Task After_one_failure_the_answer_comes_with_the_second_request()
    {
        await using Service service = await Service.OpenAsync(n => n == 0 ? 503 : 200, Sdk.Completion);
        ChatCompletion answer = await Chat(service.Address, keyHeader: "Idempotency-Key").CompleteChatAsync(Question);
        answer.Content[0].Text.Should().Be("hello");
        service.Count.Should().Be(2);
    }

    [Fact]
    public async Task A_content_of_the_SDK_is_sent_again_whole_whatever_its_size()
    {
        await using Service service = await Service.OpenAsync(n => n < 2 ? 503 : 201);
        string content = new('x', 300_000); // more than a handler below the SDK would keep
        using MemoryStream stream = new(Encoding.UTF8.GetBytes(content));
        await Blobs(service.Address).GetBlobClient("b").UploadAsync(stream, new BlobUploadOptions());
        service.Requests.Select(r => r.Body).Should().Equal(content, content, content);
    }

    [Fact]
    public async Task The_circuit_opens_and_nothing_is_sent_any_more()
    {
        await using Service service = await Service.OpenAsync();
        BlobContainerClient blobs = Blobs(service.Address, o => (o.Retry, o.CircuitBreaker!.MinimumCalls) = (null, 5));
        for (int i = 0; i < 5; i++) await Record.ExceptionAsync(() => blobs.GetPropertiesAsync());
        (await blobs.Invoking(b => b.GetPropertiesAsync()).Should().ThrowAsync<CircuitOpenException>())
            .Which.Message.Should().Contain("BlobClient", "the pipeline has the client's name");
        blobs.Invoking(b => b.GetProperties()).Should().Throw<CircuitOpenException>();
        service.Count.Should().Be(5);
    }

    [Theory]
    [InlineData("retry-after-ms", "5000")]
    [InlineData("x-ms-retry-after-ms", "5000")]
    [InlineData("Retry-After", "5")]
    public async Task A_wait_that_the_service_asks_for_is_honored(string header, string value)
    {
        await using Service service = await Service.OpenAsync(n => n == 0 ? 429 : 200, Sdk.Completion);
        service.Headers[header] = value;
        List<TimeSpan> waits = [];
        ChatClient chat = Chat(service.Address, o =>
        {
            (o.Retry!.MaxRetryAfter, o.Retry.RetryAfterJitter) = (TimeSpan.FromSeconds(6), 0);
            o.Retry.ShouldRetry = attempt =>
            {
                waits.Add(attempt.RetryAfter ?? TimeSpan.Zero);
                return false;
            };
        }, "Idempotency-Key");
        await Record.ExceptionAsync(() => chat.CompleteChatAsync(Question));
        waits.Should().Equal(TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData(404, null, 1)]
    [InlineData(409, null, 1)]
    [InlineData(429, null, 4)]
    [InlineData(500, null, 4)]
    [InlineData(501, null, 1)]
    [InlineData(503, "false", 1)]
    [InlineData(400, "true", 4)]
    public async Task The_table_of_HTTP_decides_and_what_the_service_says_of_it(int status, string? shouldRetry, int requests)
    {
        await using Service service = await Service.OpenAsync(_ => status);
        if (shouldRetry is not null) service.Headers["X-Should-Retry"] = shouldRetry;
        await Record.ExceptionAsync(() => Chat(service.Address, keyHeader: "Idempotency-Key").CompleteChatAsync(Question));
        service.Count.Should().Be(requests);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_reported_as_the_SDK_reports_it_and_judged_by_the_cause()
    {
        Uri absent;
        await using (Service service = await Service.OpenAsync()) absent = service.Address;
        HttpResilience resilience = HttpResilience.Standard(new() { Retry = new() { BaseDelay = TimeSpan.Zero }, TotalTimeout = null, AttemptTimeout = null },
            "blobs");
        BlobContainerClient blobs = new(new Uri(absent, "account/container"), new BlobClientOptions().UseResilience(resilience));
        RequestFailedException failed = (await blobs.Invoking(b => b.GetPropertiesAsync()).Should().ThrowAsync<RequestFailedException>()).Which;
        failed.InnerException.Should().BeAssignableTo<HttpRequestException>();
        resilience.For(absent).CircuitBreaker!.State.Should().Be(CircuitState.Closed);

        ChatClient chat = Chat(absent, keyHeader: "Idempotency-Key");
        await chat.Invoking(c => c.CompleteChatAsync(Question)).Should().ThrowAsync<ClientResultException>();
    }

    [Fact]
    public async Task The_callers_token_ends_it_and_is_in_the_exception()
    {
        await using Service service = await Service.OpenAsync();
        using CancellationTokenSource caller = new();
        ChatClient chat = Chat(service.Address, o => o.Retry!.OnRetry = (_, _) => caller.Cancel(), "Idempotency-Key");
        (await chat.Invoking(c => c.CompleteChatAsync([Question], cancellationToken: caller.Token)).Should().ThrowAsync<OperationCanceledException>())
            .Which.CancellationToken.Should().Be(caller.Token);
        service.Count.Should().Be(1);
    }

    [Fact]
    public void What_an_SDKs_message_cannot_do_is_an_error_when_it_is_set_up()
    {
        BlobClientOptions options = new();
        options.Invoking(o => o.UseResilience(HttpResilience.Custom(b => b.AddHedging()))).Should().Throw<ArgumentException>().WithMessage("*hedging*");
        options.Invoking(o => o.UseResilience(HttpResilience.Standard(new() { PartitionBy = _ => "" }))).Should().Throw<ArgumentException>()
            .WithMessage("PartitionBy*");
        new OpenAIClientOptions().Invoking(o => o.UseResilience(b => b.TotalTimeout = TimeSpan.Zero)).Should().Throw<ResilienceOptionsException>();
    }
}
