using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Resilience.AspNetCore.Tests;

/// <summary>What is kept of a response, and what becomes of keys when endpoints fail or clients leave.</summary>
public sealed class ResponseTests
{
    private int _executions;

    private Task<Shop> OpenAsync(Func<HttpContext, Task> endpoint, Action<IdempotencyEndpointOptions>? options = null) => Shop.OpenAsync(app =>
        app.MapPost("/do", async (HttpContext context) =>
        {
            Interlocked.Increment(ref _executions);
            await endpoint(context);
        }).RequireIdempotencyKey(options), o => o.WhenInFlight = WhenInFlight.Reject);

    private async Task<(Shop.Reply First, Shop.Reply Second)> TwiceAsync(Func<HttpContext, Task> endpoint, Action<IdempotencyEndpointOptions>? options = null)
    {
        await using Shop shop = await OpenAsync(endpoint, options);
        return (await shop.SendAsync("/do"), await shop.SendAsync("/do"));
    }

    [Theory]
    [InlineData("kept", 200, 303, 400, 404, 409, 422)]
    [InlineData("free", 401, 403, 408, 412, 425, 429, 501, 503, 505)]
    [InlineData("held", 500, 502, 504, 507, 599)]
    public async Task Which_responses_are_kept(string what, params int[] statuses)
    {
        foreach (int status in statuses)
        {
            _executions = 0;
            (Shop.Reply first, Shop.Reply second) = await TwiceAsync(c =>
            {
                c.Response.StatusCode = status;
                return c.Response.WriteAsync($"{status}");
            });

            (first.Status, second.Status).Should().Be((status, what == "held" ? 409 : status));
            second.IsReplayed.Should().Be(what == "kept");
            _executions.Should().Be(what == "free" ? 2 : 1);
        }
    }

    /// <summary>Everything that closes a body: what is written through a writer is, and the framework does not mind.</summary>
    [Theory]
    [InlineData("a writer", 100)]
    [InlineData("a writer", 1000)]
    [InlineData("a writer, asynchronously", 100)]
    [InlineData("a writer, asynchronously", 1000)]
    [InlineData("an archive", 100)]
    [InlineData("the stream itself", 100)]
    [InlineData("the stream itself, and more is written", 100)]
    [InlineData("the stream itself, and more is written", 1000)]
    [InlineData("the pipe", 100)]
    public async Task An_endpoint_may_close_the_body_of_its_response(string what, int length)
    {
        string text = new('x', length);
        (Shop.Reply first, Shop.Reply second) = await TwiceAsync(
            async c =>
            {
                c.Features.Get<IHttpBodyControlFeature>()!.AllowSynchronousIO = true;
                switch (what)
                {
                    case "a writer":
                        using (StreamWriter writer = new(c.Response.Body)) writer.Write(text);
                        break;
                    case "a writer, asynchronously":
                        await using (StreamWriter writer = new(c.Response.Body)) await writer.WriteAsync(text);
                        break;
                    case "an archive":
                        await using (System.IO.Compression.GZipStream archive = new(c.Response.Body, System.IO.Compression.CompressionLevel.Fastest))
                            await archive.WriteAsync(Encoding.ASCII.GetBytes(text));
                        break;
                    case "the pipe":
                        await c.Response.BodyWriter.WriteAsync(Encoding.ASCII.GetBytes(text));
                        await c.Response.BodyWriter.CompleteAsync();
                        break;
                    default:
                        await c.Response.WriteAsync(text);
                        await c.Response.Body.DisposeAsync();
                        if (what.EndsWith("written", StringComparison.Ordinal)) await c.Response.WriteAsync("!");
                        break;
                }
            },
            o => o.MaxResponseBodyBytes = 500);

        first.Status.Should().Be(200);
        if (what != "an archive") first.Text.Should().Be(text + (what.EndsWith("written", StringComparison.Ordinal) ? "!" : ""));
        second.Status.Should().Be(length < 500 ? 200 : 409);
        if (length < 500) second.Body.Should().Equal(first.Body);
        _executions.Should().Be(1);
    }

    [Fact]
    public async Task The_table_of_responses_can_be_changed()
    {
        (_, Shop.Reply second) = await TwiceAsync(
            c =>
            {
                c.Response.StatusCode = 500;
                return c.Response.WriteAsync("kept");
            },
            o => o.Statuses[500] = IdempotencyDisposition.Keep);

        second.IsReplayed.Should().BeTrue();
        second.Text.Should().Be("kept");
    }

    [Fact]
    public async Task After_the_point_of_no_return_a_failure_is_kept_and_not_repeated()
    {
        (Shop.Reply first, Shop.Reply second) = await TwiceAsync(async c =>
        {
            c.GetIdempotencyClaim()!.PassPointOfNoReturn();
            c.Response.StatusCode = 502;
            await c.Response.WriteAsync("the bank did not answer");
        });

        _executions.Should().Be(1);
        (first.Status, second.Status).Should().Be((502, 502));
        second.Text.Should().Be("the bank did not answer");
    }

    /// <summary>What an endpoint can throw before the point of no return, and what becomes of its key.</summary>
    public static TheoryData<string, string> Errors => new()
    {
        { "anything", "held" }, { "a request that was sent", "held" }, { "a disk", "held" }, { "a timeout", "held" }, { "cut off", "held" },
        { "rejected by us", "free" }, { "never connected", "free" }, { "not valid", "free" }, { "never connected, wrapped", "free" }, { "past", "unknown" },
    };

    private static Exception Thrown(string what) => what switch
    {
        "a request that was sent" => new HttpRequestException(HttpRequestError.ResponseEnded),
        "a disk" => new IOException("planned"),
        "a timeout" => new TimeoutException(),
        "cut off" => new OperationCanceledException(),
        "rejected by us" => Rejected(),
        "never connected" => new HttpRequestException(HttpRequestError.ConnectionError),
        "never connected, wrapped" => new InvalidOperationException("planned", new HttpRequestException(HttpRequestError.NameResolutionError)),
        "not valid" => new System.ComponentModel.DataAnnotations.ValidationException("planned"),
        _ => new InvalidOperationException("planned"),
    };

    private static Exception Rejected()
    {
        CircuitBreaker breaker = new(new CircuitBreakerOptions());
        breaker.Isolate();
        ValueTask<Outcome<int>> rejected = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build().TryExecuteAsync(_ => new ValueTask<int>(1));
        return rejected.Result.Rejection!.ToException();
    }

    [Theory]
    [MemberData(nameof(Errors))]
    public async Task What_may_have_been_done_is_held_and_only_what_surely_was_not_is_free(string thrown, string key)
    {
        (Shop.Reply first, Shop.Reply second) = await TwiceAsync(c =>
        {
            if (thrown == "past") c.GetIdempotencyClaim()!.PassPointOfNoReturn();
            throw Thrown(thrown);
        });

        first.Status.Should().BeOneOf(499, 500);
        second.Status.Should().BeOneOf(key == "free" ? [499, 500] : [409]);
        _executions.Should().Be(key == "free" ? 2 : 1);
        if (key != "free") second.Text.Should().Contain(key == "held" ? "in-flight" : "outcome-unknown");
    }

    [Fact]
    public async Task The_table_of_exceptions_can_be_changed()
    {
        await TwiceAsync(_ => throw new InvalidOperationException("planned"),
            o => o.Outcomes = IdempotencyOutcomes.Default.On<InvalidOperationException>(IdempotencyDisposition.Release));

        _executions.Should().Be(2);
    }

    [Theory]
    [InlineData(204)]
    [InlineData(304)]
    public async Task Responses_without_a_body_are_replayed_without_one(int status)
    {
        (_, Shop.Reply second) = await TwiceAsync(c =>
        {
            c.Response.StatusCode = status;
            c.Response.Headers.ETag = "\"e\"";
            return Task.CompletedTask;
        });

        second.Should().Match<Shop.Reply>(r => r.Status == status && r.Body.Length == 0 && r.IsReplayed);
        second.Headers.ETag!.Tag.Should().Be("\"e\"");
    }

    [Fact]
    public async Task A_response_that_is_too_large_reaches_the_first_and_is_never_executed_again()
    {
        byte[] large = new byte[300_001];
        Random.Shared.NextBytes(large);
        (Shop.Reply first, Shop.Reply second) = await TwiceAsync(async c =>
        {
            foreach (byte[] piece in large.Chunk(1000)) await c.Response.Body.WriteAsync(piece);
        });

        first.Body.Should().Equal(large);
        second.Status.Should().Be(409);
        second.Text.Should().Contain("response-not-retained");
        _executions.Should().Be(1);
    }

    [Fact]
    public async Task A_response_of_just_the_bound_is_kept()
    {
        byte[] body = new byte[1000];
        (_, Shop.Reply second) = await TwiceAsync(c => c.Response.Body.WriteAsync(body).AsTask(), o => o.MaxResponseBodyBytes = 1000);

        second.IsReplayed.Should().BeTrue();
        second.Body.Should().Equal(body);
    }

    [Fact]
    public async Task A_streamed_response_reaches_its_client_part_by_part()
    {
        TaskCompletionSource seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using Shop shop = await OpenAsync(async c =>
        {
            c.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
            await c.Response.WriteAsync("one");
            await c.Response.Body.FlushAsync();
            await seen.Task;
            await c.Response.WriteAsync("two");
        });
        using HttpClient client = new() { BaseAddress = shop.Address };
        using HttpRequestMessage request = new(HttpMethod.Post, "/do");
        request.Headers.Add("Idempotency-Key", "k1");
        request.Headers.Add("X-User", "ann");
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Shop.Patience);
        Stream body = await response.Content.ReadAsStreamAsync();
        byte[] part = new byte[3];
        await body.ReadExactlyAsync(part).AsTask().WaitAsync(Shop.Patience);
        Encoding.UTF8.GetString(part).Should().Be("one");
        seen.SetResult();
        await body.ReadExactlyAsync(part).AsTask().WaitAsync(Shop.Patience);
        Encoding.UTF8.GetString(part).Should().Be("two");

        using HttpRequestMessage again = new(HttpMethod.Post, "/do");
        again.Headers.Add("Idempotency-Key", "k1");
        again.Headers.Add("X-User", "ann");
        using HttpResponseMessage told = await client.SendAsync(again).WaitAsync(Shop.Patience);
        ((int)told.StatusCode).Should().Be(409);
        _executions.Should().Be(1);
    }

    [Fact]
    public async Task Json_pipes_files_and_headers_set_at_the_last_moment_work_as_always()
    {
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "content of a file");
        await using Shop shop = await Shop.OpenAsync(app =>
        {
            app.MapPost("/json", () => new { name = "Ann", amount = 12.50m }).RequireIdempotencyKey();
            app.MapPost("/file", () => Results.File(file, "text/plain")).RequireIdempotencyKey();
            app.MapPost("/pipe", async (HttpContext c) =>
            {
                c.Response.OnStarting(() =>
                {
                    c.Response.Headers["X-Late"] = "yes";
                    return Task.CompletedTask;
                });
                c.Response.BodyWriter.GetSpan(4)[..4].Fill((byte)'p');
                c.Response.BodyWriter.Advance(4);
                await Task.Yield();
            }).RequireIdempotencyKey();
        });

        foreach (string path in new[] { "/json", "/file", "/pipe" })
        {
            Shop.Reply first = await shop.SendAsync(path, key: path), second = await shop.SendAsync(path, key: path);
            first.Status.Should().Be(200, path);
            first.Body.Should().NotBeEmpty();
            second.Body.Should().Equal(first.Body, path);
            second.ContentHeaders.ContentType.Should().Be(first.ContentHeaders.ContentType);
            second.IsReplayed.Should().BeTrue();
        }

        (await shop.SendAsync("/pipe", key: "other")).Headers.Contains("X-Late").Should().BeTrue();
        File.Delete(file);
    }

    [Fact]
    public async Task A_client_that_leaves_after_the_effect_finds_the_outcome_when_it_comes_back()
    {
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously), goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        bool wasCancelled = false;
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/do", async (HttpContext context, CancellationToken stop) =>
        {
            Interlocked.Increment(ref _executions);
            begun.TrySetResult();
            await goOn.Task;
            wasCancelled = stop.IsCancellationRequested || context.RequestAborted.IsCancellationRequested;
            ended.TrySetResult();
            return "paid";
        }).RequireIdempotencyKey());
        using CancellationTokenSource leaving = new();
        Task<Shop.Reply> first = shop.SendAsync("/do", stop: leaving.Token);
        await begun.Task.WaitAsync(Shop.Patience);
        await leaving.CancelAsync();
        await FluentActions.Awaiting(() => first).Should().ThrowAsync<OperationCanceledException>();
        goOn.SetResult();
        await ended.Task.WaitAsync(Shop.Patience);

        Shop.Reply again;
        do again = await shop.SendAsync("/do");
        while (again.Status == 409);

        wasCancelled.Should().BeFalse("what has begun is not stopped by a client that left");
        again.Text.Should().Be("paid");
        again.IsReplayed.Should().BeTrue();
        _executions.Should().Be(1);
    }

    [Fact]
    public async Task The_endpoint_can_send_its_fence_and_a_derived_key_along()
    {
        List<(long Fence, string Key)> sent = [];
        await using Shop shop = await OpenAsync(c =>
        {
            IdempotencyClaim claim = c.GetIdempotencyClaim()!;
            sent.Add((claim.Fence, claim.DeriveKey("bank")));
            c.Response.StatusCode = 503;
            return Task.CompletedTask;
        });
        await shop.SendAsync("/do");
        await shop.SendAsync("/do");

        sent.Should().HaveCount(2);
        sent[1].Key.Should().Be(sent[0].Key);
        sent[1].Fence.Should().BeGreaterThan(sent[0].Fence);
    }
}
