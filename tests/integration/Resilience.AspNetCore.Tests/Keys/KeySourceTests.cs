using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Resilience.AspNetCore.Tests;

/// <summary>Keys from the body or another header, problems in another shape, and headers that are kept by option.</summary>
public sealed class KeySourceTests
{
    private readonly Ledger _ledger = new();

    private Task<Shop> OpenAsync(Action<IdempotencyEndpointOptions> configure) =>
        Shop.OpenAsync(app => app.MapPost("/hook", (JsonElement body) => _ledger.ChargeAsync()).RequireIdempotencyKey(o =>
        {
            o.ScopeFor = _ => "payments.example";
            configure(o);
        }));

    public static TheoryData<string, string, string> Places => new()
    {
        { "id", """{"id":"evt_1","n":1}""", """{"id":"evt_2","n":1}""" },
        { "id", """{"id":17}""", """{"id":18}""" },
        { "data.event.id", """{"data":{"event":{"id":"evt_1"}}}""", """{"data":{"event":{"id":"evt_2"}}}""" },
    };

    [Theory]
    [MemberData(nameof(Places))]
    public async Task An_event_that_the_body_names_is_processed_once_without_a_header(string path, string one, string other)
    {
        await using Shop shop = await OpenAsync(o => o.KeyFor = IdempotencyKeySource.Json(path.Split('.')));

        Shop.Reply first = await shop.SendAsync("/hook", key: null, body: one), again = await shop.SendAsync("/hook", key: null, body: one);
        Shop.Reply next = await shop.SendAsync("/hook", key: null, body: other);

        (first.Status, again.Text, again.IsReplayed, next.Status, next.IsReplayed).Should().Be((200, first.Text, true, 200, false));
        _ledger.Count.Should().Be(2);
    }

    [Fact]
    public async Task An_event_that_a_header_of_its_sender_names_is_processed_once()
    {
        await using Shop shop = await OpenAsync(o => o.KeyFor = IdempotencyKeySource.Header("webhook-id"));
        Task<Shop.Reply> SendAsync(string id) => shop.SendAsync("/hook", key: null, change: r => r.Headers.Add("webhook-id", id));

        (await SendAsync("msg_1")).IsReplayed.Should().BeFalse();
        (await SendAsync("msg_1")).IsReplayed.Should().BeTrue();
        (await SendAsync("msg_2")).IsReplayed.Should().BeFalse();
        (await shop.SendAsync("/hook", key: "k")).IsReplayed.Should().BeFalse("without it the usual header is looked at");
        (await shop.SendAsync("/hook", key: null)).Status.Should().Be(400);
        _ledger.Count.Should().Be(3);
    }

    [Theory]
    [InlineData("{", "key-missing")]
    [InlineData("[1]", "key-missing")]
    [InlineData("{\"other\":1}", "key-missing")]
    [InlineData("{\"id\":{}}", "key-missing")]
    [InlineData("{\"id\":\"\"}", "key-missing")]
    [InlineData("{\"id\":\"\\ud800\"}", "key-missing")]
    [InlineData("{\"id\":\"a\\u0000b\"}", "key-invalid")]
    [InlineData("{\"id\":\"too long for this endpoint\"}", "key-invalid")]
    public async Task A_body_that_has_no_key_or_none_that_can_be_one_is_the_senders_mistake(string body, string code)
    {
        await using Shop shop = await OpenAsync(o => (o.KeyFor, o.MaxKeyLength) = (IdempotencyKeySource.Json("id"), 12));

        Shop.Reply reply = await shop.SendAsync("/hook", key: null, body: body);

        (reply.Status, JsonDocument.Parse(reply.Text).RootElement.GetProperty("code").GetString()).Should().Be((400, code));
        _ledger.Count.Should().Be(0);
    }

    [Fact]
    public async Task A_body_that_is_too_large_to_look_for_a_key_is_rejected_and_a_large_one_reaches_the_endpoint_whole()
    {
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/hook",
            async (HttpContext c) => (await new StreamReader(c.Request.Body).ReadToEndAsync()).Length)
            .RequireIdempotencyKey(o => (o.KeyFor, o.MaxRequestBodyBytes) = (IdempotencyKeySource.Json("id"), 100_000)));

        string large = $"{{\"id\":1,\"x\":\"{new string('x', 90_000)}\"}}";
        (await shop.SendAsync("/hook", key: null, body: large)).Text.Should().Be(large.Length.ToString(System.Globalization.CultureInfo.InvariantCulture));
        (await shop.SendAsync("/hook", key: null, body: large + new string(' ', 20_000))).Status.Should().Be(413);
    }

    [Fact]
    public void Sources_that_look_nowhere_are_rejected()
    {
        FluentActions.Invoking(() => IdempotencyKeySource.Json()).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => IdempotencyKeySource.Header("a b")).Should().Throw<ArgumentException>();
    }

    /// <summary>Every problem that a caller can provoke here.</summary>
    public static TheoryData<string, int, string> Problems => new()
    {
        { "no key", 400, "key-missing" }, { "bad key", 400, "key-invalid" }, { "large", 413, "body-too-large" }, { "other body", 422, "key-reused" },
        { "forbidden", 403, "replay-forbidden" },
    };

    [Theory]
    [MemberData(nameof(Problems))]
    public async Task Problems_can_be_written_in_the_shape_of_another_interface(string what, int status, string code)
    {
        await using Shop shop = await OpenAsync(o =>
        {
            o.MaxRequestBodyBytes = 100;
            o.MayReplay = c => new(c.Request.Headers["X-User"] != "eve");
            o.ScopeFor = _ => "all";
            o.WriteProblem = async (context, problem) =>
            {
                context.Response.StatusCode = problem.Status == 422 ? 400 : problem.Status;
                context.Response.Headers["Error-Kind"] = problem.Type;
                await context.Response.WriteAsJsonAsync(
                    new { error = new { type = "idempotency_error", code = problem.Code, message = problem.Title, retry = problem.IsRetryable } });
            };
        });
        await shop.SendAsync("/hook", "\"k1\"");

        Shop.Reply reply = what switch
        {
            "no key" => await shop.SendAsync("/hook", null),
            "bad key" => await shop.SendAsync("/hook", "\"never closed"),
            "large" => await shop.SendAsync("/hook", "k2", new string(' ', 200)),
            "other body" => await shop.SendAsync("/hook", "\"k1\"", "[]"),
            _ => await shop.SendAsync("/hook", "\"k1\"", user: "eve"),
        };

        reply.Status.Should().Be(status == 422 ? 400 : status);
        JsonElement error = JsonDocument.Parse(reply.Text).RootElement.GetProperty("error");
        (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()).Should().Be(("idempotency_error", code));
        reply.Headers.GetValues("Error-Kind").Should().Equal("urn:resilience:idempotency:" + code);
        reply.Headers.GetValues("X-Should-Retry").Should().Equal("false");
        reply.ContentHeaders.ContentType!.MediaType.Should().Be("application/json");
        reply.Headers.CacheControl!.NoStore.Should().BeTrue();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_first_requests_id_is_replayed_if_that_is_configured(bool isAskedFor)
    {
        int requests = 0;
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/do", (HttpContext c) =>
        {
            c.Response.Headers["Request-Id"] = $"req_{++requests}";
            return "done";
        }).RequireIdempotencyKey(o =>
        {
            if (isAskedFor) o.KeptHeaders.Add("Request-Id");
        }));
        await shop.SendAsync("/do");

        Shop.Reply again = await shop.SendAsync("/do");

        again.IsReplayed.Should().BeTrue();
        (again.Headers.TryGetValues("Request-Id", out IEnumerable<string>? ids) ? ids.Single() : null).Should().Be(isAskedFor ? "req_1" : null);
    }

    [Fact]
    public async Task The_same_upload_with_new_boundaries_inside_of_boundaries_is_the_same_request_and_another_one_is_not()
    {
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/upload", () => _ledger.ChargeAsync()).RequireIdempotencyKey());
        await shop.SendAsync("/upload", change: r => r.Content = Nested("a", "b", "c"));

        (await shop.SendAsync("/upload", change: r => r.Content = Nested("x1", "y2", "z3"))).IsReplayed.Should().BeTrue();
        (await shop.SendAsync("/upload", change: r => r.Content = Nested("x1", "y2", "z3", "other"))).Status.Should().Be(422);
        (await shop.SendAsync("/upload", change: r => r.Content = Nested("x1", "y2", "z3", isFlat: true)))
            .Status.Should().Be(422, "a part of the whole is no part of a part");
        (await shop.SendAsync("/upload", "deep", change: r => r.Content = Deep("a", 12))).Status.Should().Be(200);
        (await shop.SendAsync("/upload", "deep", change: r => r.Content = Deep("a", 12))).IsReplayed.Should().BeTrue("however deep it is");
        (await shop.SendAsync("/upload", "broken", change: r => r.Content = Broken("inner"))).Status.Should().Be(200);
        (await shop.SendAsync("/upload", "broken", change: r => r.Content = Broken("inner"))).IsReplayed.Should().BeTrue();
        (await shop.SendAsync("/upload", "broken", change: r => r.Content = Broken("inner!")))
            .Status.Should().Be(422, "what cannot be read so counts byte for byte");

        static MultipartContent Nested(string outer, string middle, string inner, string text = "receipt", bool isFlat = false)
        {
            MultipartContent third = new("mixed",
                inner) { new StringContent(text, Encoding.ASCII, "text/plain"), new StringContent("second", Encoding.ASCII, "text/plain") };
            MultipartContent second = new("related", middle) { third };
            StringContent tail = new("tail", Encoding.ASCII, "text/plain");
            if (isFlat) return new("form-data", outer) { second, tail };
            second.Add(tail);
            return new("form-data", outer) { second };
        }

        static HttpContent Deep(string boundary, int depth) =>
            depth == 0 ? new StringContent("x") : new MultipartContent("mixed", $"{boundary}{depth}") { Deep(boundary, depth - 1) };

        static HttpContent Broken(string text)
        {
            ByteArrayContent part = new(Encoding.ASCII.GetBytes($"--in\r\nno colon {text}\r\n"));
            part.Headers.ContentType = MediaTypeHeaderValue.Parse("multipart/mixed; boundary=in");
            return new MultipartContent("mixed", "out") { part };
        }
    }
}
