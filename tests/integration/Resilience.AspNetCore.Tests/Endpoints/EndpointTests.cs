using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Tests;

namespace Resilience.AspNetCore.Tests;

/// <summary>Minimal APIs with keys, over a real server.</summary>
public sealed class EndpointTests
{
    private readonly Ledger _ledger = new();

    private Task<Shop> OpenAsync(Action<IdempotencyOptions>? configure = null, Action<IdempotencyEndpointOptions>? endpoints = null) => Shop.OpenAsync(
        app =>
        {
            app.MapPost("/charges", async (HttpContext context) =>
            {
                context.Response.Headers.Location = "/charges/1";
                context.Response.Headers.ETag = "\"v1\"";
                context.Response.Headers.SetCookie = "session=secret";
                return Results.Text(await _ledger.ChargeAsync(), "text/plain", statusCode: 201);
            }).RequireIdempotencyKey();
            app.MapPost("/orders/{id}/refund", async (string id) => await _ledger.ChargeAsync($"refund {id}")).RequireIdempotencyKey();
            app.MapGet("/charges", () => _ledger.ChargeAsync("read")).RequireIdempotencyKey();
            app.MapPut("/charges/{id}", async (string id) => await _ledger.ChargeAsync($"put {id}")).RequireIdempotencyKey();
            app.MapPost("/plain", () => _ledger.ChargeAsync());
        },
        configure, endpoints);

    private static string CodeOf(Shop.Reply reply)
    {
        reply.ContentHeaders.ContentType!.MediaType.Should().Be("application/problem+json");
        using JsonDocument problem = JsonDocument.Parse(reply.Body);
        problem.RootElement.GetProperty("status").GetInt32().Should().Be(reply.Status);
        problem.RootElement.GetProperty("type").GetString().Should().EndWith(problem.RootElement.GetProperty("code").GetString());
        return problem.RootElement.GetProperty("code").GetString()!;
    }

    [Fact]
    public async Task A_repeated_request_is_executed_once_and_receives_the_first_response()
    {
        await using Shop shop = await OpenAsync();

        Shop.Reply first = await shop.SendAsync("/charges"), again = await shop.SendAsync("/charges");

        _ledger.Count.Should().Be(1);
        again.Status.Should().Be(201);
        again.Body.Should().Equal(first.Body);
        again.Headers.Location.Should().Be(first.Headers.Location);
        again.Headers.ETag.Should().Be(first.Headers.ETag);
        again.ContentHeaders.ContentType.Should().Be(first.ContentHeaders.ContentType);
        (first.IsReplayed, again.IsReplayed).Should().Be((false, true));
        first.Headers.Contains("Set-Cookie").Should().BeTrue();
        again.Headers.Contains("Set-Cookie").Should().BeFalse("a cookie belongs to the first recipient");
        again.Headers.CacheControl!.NoStore.Should().BeTrue();
    }

    [Theory]
    [InlineData(null, "key-missing")]
    [InlineData("", "key-missing|key-invalid")]
    [InlineData("\"\"", "key-invalid")]
    [InlineData("\"unterminated", "key-invalid")]
    [InlineData("\"a\\x\"", "key-invalid")]
    [InlineData("a,b", "key-invalid")]
    [InlineData("a b", "key-invalid")]
    [InlineData("\"a\" junk", "key-invalid")]
    [InlineData("\"a\";1x", "key-invalid")]
    public async Task A_missing_or_malformed_key_is_rejected_and_nothing_is_executed(string? key, string code)
    {
        await using Shop shop = await OpenAsync();

        Shop.Reply reply = await shop.SendAsync("/charges", key);

        reply.Status.Should().Be(400);
        code.Split('|').Should().Contain(CodeOf(reply));
        _ledger.Count.Should().Be(0);
    }

    [Fact]
    public async Task Keys_too_long_too_short_or_sent_twice_are_rejected()
    {
        await using Shop shop = await OpenAsync(endpoints: o => o.MinKeyLength = 8);

        CodeOf(await shop.SendAsync("/charges", new string('k', 256))).Should().Be("key-invalid");
        CodeOf(await shop.SendAsync("/charges", new string('k', 20_000))).Should().Be("key-invalid");
        CodeOf(await shop.SendAsync("/charges", "short")).Should().Be("key-invalid");
        CodeOf(await shop.SendAsync("/charges", "\"long-enough\"", change: r => r.Headers.TryAddWithoutValidation("Idempotency-Key", "\"another-one\"")))
            .Should().Be("key-invalid");
        _ledger.Count.Should().Be(0);
        (await shop.SendAsync("/charges", new string('k', 255))).Status.Should().Be(201);
    }

    [Fact]
    public async Task A_key_with_and_without_quotes_is_one_key_unless_quotes_are_demanded()
    {
        await using Shop lenient = await OpenAsync();
        await lenient.SendAsync("/charges", "\"k1\"");
        (await lenient.SendAsync("/charges", "k1")).IsReplayed.Should().BeTrue();
        (await lenient.SendAsync("/charges", " \"k1\";version=2 ")).IsReplayed.Should().BeTrue("parameters mean nothing");

        await using Shop strict = await OpenAsync(endpoints: o => o.AcceptBareKeys = false);
        CodeOf(await strict.SendAsync("/charges", "k1")).Should().Be("key-invalid");
    }

    [Fact]
    public async Task The_same_key_for_another_request_is_rejected_whatever_differs()
    {
        await using Shop shop = await OpenAsync();
        await shop.SendAsync("/orders/1/refund?a=1&b=2", body: "{\"amount\":1}");

        foreach (Shop.Reply other in new[]
        {
            await shop.SendAsync("/orders/1/refund?a=1&b=2", body: "{\"amount\":2}"),
            await shop.SendAsync("/orders/2/refund?a=1&b=2", body: "{\"amount\":1}"),
            await shop.SendAsync("/orders/1/refund?a=1&b=3", body: "{\"amount\":1}"),
            await shop.SendAsync("/charges?a=1&b=2", body: "{\"amount\":1}"),
            await shop.SendAsync("/orders/1/refund?a=1&b=2", body: "{\"amount\":1}", change: r => r.Content!.Headers.ContentType = new("text/plain")),
        })
        {
            other.Status.Should().Be(422);
            CodeOf(other).Should().Be("key-reused");
        }

        _ledger.Count.Should().Be(1);
        (await shop.SendAsync("/orders/1/refund?b=2&a=1", body: "{\"amount\":1}")).IsReplayed.Should().BeTrue("the order of the query does not matter");
    }

    [Fact]
    public async Task Two_users_and_two_tenants_with_the_same_key_never_meet()
    {
        await using Shop shop = await OpenAsync();

        Shop.Reply ann = await shop.SendAsync("/charges", user: "ann"), bob = await shop.SendAsync("/charges", user: "bob");
        Shop.Reply elsewhere = await shop.SendAsync("/charges", user: "ann", change: r => r.Headers.Add("X-Tenant", "t2"));

        _ledger.Count.Should().Be(3);
        new[] { ann.Text, bob.Text, elsewhere.Text }.Should().OnlyHaveUniqueItems();
        (await shop.SendAsync("/charges", user: "bob")).Text.Should().Be(bob.Text);
    }

    [Fact]
    public async Task A_request_without_an_identity_is_rejected_unless_sharing_is_allowed()
    {
        await using Shop closed = await OpenAsync();
        Shop.Reply rejected = await closed.SendAsync("/charges", user: null);
        (rejected.Status, CodeOf(rejected)).Should().Be((401, "caller-unknown"));
        _ledger.Count.Should().Be(0);

        await using Shop open = await OpenAsync(endpoints: o => o.AllowSharedScope = true);
        (await open.SendAsync("/charges", user: null)).Status.Should().Be(201);
        (await open.SendAsync("/charges", user: null)).IsReplayed.Should().BeTrue();
    }

    [Fact]
    public async Task A_duplicate_in_flight_is_told_when_to_retry()
    {
        await using Shop shop = await OpenAsync();
        _ledger.Gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<Shop.Reply> first = shop.SendAsync("/charges");
        await _ledger.Begun.Task.WaitAsync(Shop.Patience);

        Shop.Reply second = await shop.SendAsync("/charges");
        _ledger.Gate.SetResult();

        second.Status.Should().Be(409);
        CodeOf(second).Should().Be("in-flight");
        second.Headers.RetryAfter!.Delta!.Value.Should().BeGreaterThanOrEqualTo(TimeSpan.FromSeconds(1)).And.BeLessThanOrEqualTo(TimeSpan.FromSeconds(30));
        (await first).Status.Should().Be(201);
        _ledger.Count.Should().Be(1);
    }

    [Fact]
    public async Task Duplicates_that_wait_receive_the_same_bytes()
    {
        await using Shop shop = await OpenAsync(o => o.WhenInFlight = WhenInFlight.Wait);
        _ledger.Gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<Shop.Reply> first = shop.SendAsync("/charges");
        await _ledger.Begun.Task.WaitAsync(Shop.Patience);
        Task<Shop.Reply>[] others = [.. Enumerable.Range(0, 8).Select(_ => shop.SendAsync("/charges"))];
        IdempotencyGate gate = shop.Services.GetRequiredService<IdempotencyGate>();
        while (gate.Waiting < 8) await Task.Delay(5);

        _ledger.Gate.SetResult();

        byte[] body = (await first).Body;
        foreach (Shop.Reply other in await Task.WhenAll(others))
        {
            other.IsReplayed.Should().BeTrue();
            other.Body.Should().Equal(body);
        }

        _ledger.Count.Should().Be(1);
    }

    [Fact]
    public async Task Safe_methods_and_other_endpoints_are_left_alone()
    {
        await using Shop shop = await OpenAsync();

        (await shop.SendAsync("/charges", method: "GET")).IsReplayed.Should().BeFalse();
        (await shop.SendAsync("/charges", method: "GET")).IsReplayed.Should().BeFalse();
        (await shop.SendAsync("/charges", key: null, method: "GET")).Status.Should().Be(200);
        await shop.SendAsync("/plain");
        (await shop.SendAsync("/plain")).IsReplayed.Should().BeFalse();
        _ledger.Count.Should().Be(5);
        await shop.SendAsync("/charges/7", key: "put", method: "PUT");
        (await shop.SendAsync("/charges/7", key: "put", method: "PUT")).IsReplayed.Should().BeTrue("an unsafe method that asks for it is protected");
    }

    [Theory]
    [InlineData("GET /", true)]
    [InlineData("HEAD /", true)]
    [InlineData("OPTIONS /", true)]
    [InlineData("TRACE /", true)]
    [InlineData("CONNECT example.org:443", true)]
    [InlineData("POST /", false)]
    [InlineData("PUT /", false)]
    [InlineData("PATCH /", false)]
    [InlineData("DELETE /", false)]
    [InlineData("PURGE /", false)]
    public async Task What_cannot_do_anything_twice_is_not_guarded_and_everything_else_is(string request, bool isLeftAlone)
    {
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.UseIdempotency(_ => true);
                app.Run(context => context.Response.WriteAsync("reached"));
            },
            endpoints: o => o.AllowSharedScope = true);
        using System.Net.Sockets.TcpClient client = new();
        await client.ConnectAsync(shop.Address.Host, shop.Address.Port).WaitAsync(Shop.Patience);
        string host = request.StartsWith("CONNECT", StringComparison.Ordinal) ? "example.org:443" : shop.Address.Authority;
        await client.GetStream().WriteAsync(System.Text.Encoding.ASCII.GetBytes($"{request} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"));

        using StreamReader reader = new(client.GetStream());
        string? status = await reader.ReadLineAsync().WaitAsync(Shop.Patience);

        status.Should().StartWith(isLeftAlone ? "HTTP/1.1 200" : "HTTP/1.1 400", "without a key it is rejected, unless it is not guarded");
    }

    [Fact]
    public async Task A_request_that_is_too_large_is_rejected_with_or_without_a_length()
    {
        await using Shop shop = await OpenAsync(endpoints: o => o.MaxRequestBodyBytes = 1000);

        CodeOf(await shop.SendAsync("/charges", body: new string('x', 1001))).Should().Be("body-too-large");
        CodeOf(await shop.SendAsync("/charges", body: new string('x', 5000), change: r => r.Headers.TransferEncodingChunked = true))
            .Should().Be("body-too-large");
        _ledger.Count.Should().Be(0);
        (await shop.SendAsync("/charges", body: new string('x', 1000))).Status.Should().Be(201);
    }

    [Fact]
    public async Task Two_large_bodies_that_differ_at_the_end_are_told_apart()
    {
        await using Shop shop = await OpenAsync();
        await shop.SendAsync("/charges", body: new string('x', 200_000) + "1", change: r => r.Headers.TransferEncodingChunked = true);

        CodeOf(await shop.SendAsync("/charges", body: new string('x', 200_000) + "2", change: r => r.Headers.TransferEncodingChunked = true))
            .Should().Be("key-reused");
    }

    [Fact]
    public async Task The_store_is_down_then_nothing_is_executed_unless_that_was_asked_for()
    {
        await using Shop closed = await Shop.OpenAsync(
            app => app.MapPost("/charges", () => _ledger.ChargeAsync()).RequireIdempotencyKey(), o => o.AcquireTimeout = TimeSpan.FromMilliseconds(50),
            services: s => s.AddSingleton<IIdempotencyStore>(ThrowingStore.Of(IdempotencyStoreFault.Unavailable)));
        Shop.Reply reply = await closed.SendAsync("/charges");
        reply.Status.Should().Be(503);
        CodeOf(reply).Should().Be("store-unavailable");
        reply.Headers.RetryAfter.Should().NotBeNull();
        _ledger.Count.Should().Be(0);

        await using Shop open = await Shop.OpenAsync(
            app => app.MapPost("/charges", () => _ledger.ChargeAsync()).RequireIdempotencyKey(),
            o =>
            {
                o.AcquireTimeout = TimeSpan.FromMilliseconds(50);
                o.WhenStoreFails = WhenStoreFails.RunUnprotected;
            },
            services: s => s.AddSingleton<IIdempotencyStore>(ThrowingStore.Of(IdempotencyStoreFault.Unavailable)));
        Shop.Reply bypassed = await open.SendAsync("/charges");
        bypassed.Status.Should().Be(200);
        bypassed.Headers.GetValues("Idempotency-Status").Should().Equal("bypassed");
    }
}
