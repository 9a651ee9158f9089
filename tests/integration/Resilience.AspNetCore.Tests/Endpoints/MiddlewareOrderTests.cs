using System.IO.Compression;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

/// <summary>Beside the middleware that applications have: compression, CORS, exception pages, request limits.</summary>
public sealed class MiddlewareOrderTests
{
    private int _executions;

    [Fact]
    public async Task A_replay_is_compressed_and_allowed_for_the_client_that_asks_now()
    {
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.UseResponseCompression();
                app.UseCors(policy => policy.WithOrigins("https://one.test", "https://two.test").WithExposedHeaders("Location"));
                app.MapPost("/do", () => Results.Text(new string('x', 5000) + Interlocked.Increment(ref _executions))).RequireIdempotencyKey();
            },
            services: s =>
            {
                s.AddResponseCompression(o => o.EnableForHttps = true);
                s.AddCors();
            });
        Shop.Reply plain = await shop.SendAsync("/do", change: r => r.Headers.Add("Origin", "https://one.test"));
        Shop.Reply packed = await shop.SendAsync("/do", change: r =>
        {
            r.Headers.Add("Origin", "https://two.test");
            r.Headers.AcceptEncoding.Add(new("gzip"));
        });

        _executions.Should().Be(1);
        packed.IsReplayed.Should().BeTrue();
        packed.ContentHeaders.ContentEncoding.Should().Equal("gzip");
        using GZipStream unpacked = new(new MemoryStream(packed.Body), CompressionMode.Decompress);
        using StreamReader text = new(unpacked);
        (await text.ReadToEndAsync()).Should().Be(plain.Text);
        packed.Headers.GetValues("Access-Control-Allow-Origin").Should().Equal("https://two.test");
    }

    [Fact]
    public async Task An_exception_page_further_out_answers_and_the_key_is_free()
    {
        await using Shop shop = await Shop.OpenAsync(app =>
        {
            app.UseExceptionHandler(e => e.Run(c => c.Response.WriteAsync("sorry")));
            app.MapPost("/do", async (HttpContext context) =>
            {
                await context.Response.WriteAsync("half an ans");
                if (Interlocked.Increment(ref _executions) == 1) throw new System.ComponentModel.DataAnnotations.ValidationException("planned");
                await context.Response.WriteAsync("wer");
            }).RequireIdempotencyKey();
        });

        Shop.Reply first = await shop.SendAsync("/do"), second = await shop.SendAsync("/do"), third = await shop.SendAsync("/do");

        (first.Status, first.Text).Should().Be((500, "sorry"), "what was written before is not sent");
        second.Text.Should().Be("half an answer");
        third.Text.Should().Be("half an answer");
        third.IsReplayed.Should().BeTrue();
        _executions.Should().Be(2);
    }

    [Fact]
    public async Task Hostile_keys_of_two_users_never_meet()
    {
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/do",
            (HttpContext c) => $"{c.User.FindFirst("sub")!.Value} {Interlocked.Increment(ref _executions)}").RequireIdempotencyKey());
        string[] keys = ["../", "{tag}", "' OR 1=1 --", "*", "%00", "a:b", "a|b", "null", "0", "\\\\\"", new('k', 255)],
            users = ["a", "a:b", "b", "*", "' OR 1=1 --"];
        HashSet<string> answers = [];
        foreach (string user in users)
        {
            foreach (string key in keys)
            {
                Shop.Reply first = await shop.SendAsync("/do", IdempotencyKeyHeader.Format(key), user: user),
                    again = await shop.SendAsync("/do", IdempotencyKeyHeader.Format(key), user: user);
                first.Status.Should().Be(200);
                again.Text.Should().Be(first.Text).And.StartWith(user + " ");
                answers.Add(first.Text).Should().BeTrue();
            }
        }

        _executions.Should().Be(users.Length * keys.Length);
    }

    [Fact]
    public async Task An_endless_stream_ends_with_its_client_only()
    {
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/do", async (HttpContext context) =>
        {
            Interlocked.Increment(ref _executions);
            byte[] piece = new byte[64 << 10];
            for (int i = 0; i < 200; i++) await context.Response.Body.WriteAsync(piece);
            ended.TrySetResult();
        }).RequireIdempotencyKey());
        using CancellationTokenSource leaving = new();
        using HttpClient client = new() { BaseAddress = shop.Address };
        using HttpRequestMessage request = new(HttpMethod.Post, "/do");
        request.Headers.Add("Idempotency-Key", "k1");
        request.Headers.Add("X-User", "ann");
        using (HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
        {
            await (await response.Content.ReadAsStreamAsync()).ReadExactlyAsync(new byte[1000]);
        }

        await ended.Task.WaitAsync(Shop.Patience);
        Shop.Reply again;
        do again = await shop.SendAsync("/do", "k1", change: r => r.Content = null);
        while (again.Text.Contains("in-flight", StringComparison.Ordinal));

        again.Text.Should().Contain("response-not-retained");
        _executions.Should().Be(1, "a client that left in the middle of a stream does not make it run twice");
    }
}
