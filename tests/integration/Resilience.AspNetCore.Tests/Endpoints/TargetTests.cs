using System.Security.Claims;
using System.Text;
using CsCheck;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

/// <summary>Whose request it is, where it goes, and what it says: what tells two requests apart, and what does not.</summary>
public sealed class TargetTests
{
    private int _executions;

    private string Count() => $"done {Interlocked.Increment(ref _executions)}";

    private Task<Shop> OpenAsync(Action<IdempotencyEndpointOptions>? endpoints = null) => Shop.OpenAsync(
        app =>
        {
            app.MapPost("/orders/{id}/refund", Count).RequireIdempotencyKey();
            app.MapPost("/upload", async (HttpContext c) =>
            {
                await c.Request.Body.CopyToAsync(Stream.Null);
                return Count();
            }).RequireIdempotencyKey();
        },
        endpoints: endpoints);

    private static void SendTo(HttpRequestMessage request, string host) => request.Headers.Host = host;

    [Fact]
    public async Task The_same_user_of_another_host_is_another_caller_and_hosts_that_are_one_are_one()
    {
        await using Shop shop = await OpenAsync();
        Task<Shop.Reply> SendAsync(string host) => shop.SendAsync("/orders/7/refund", user: "7", change: r => SendTo(r, host));

        Shop.Reply first = await SendAsync("tenant-a.example"), again = await SendAsync("Tenant-A.example:80"), other = await SendAsync("tenant-b.example");

        (first.Text, again.Text, again.IsReplayed).Should().Be(("done 1", "done 1", true));
        (other.Text, other.IsReplayed).Should().Be(("done 2", false), "user 7 of tenant b is another person");
        (await SendAsync("tenant-a.example:8443")).IsReplayed.Should().BeFalse();
    }

    [Fact]
    public async Task Nodes_that_are_asked_by_address_are_one_service()
    {
        await using Shop shop = await OpenAsync();
        string[] nodes = ["10.0.0.7:8080", "10.0.0.8:8080", "[fd00::7]:8080", "localhost:5001", "localhost:5002"];

        foreach (string node in nodes) (await shop.SendAsync("/orders/7/refund", change: r => SendTo(r, node))).Status.Should().Be(200);

        _executions.Should().Be(1, "a repetition that a proxy sends to another node is a repetition");
    }

    [Fact]
    public async Task Where_an_application_says_the_scope_another_host_is_another_request()
    {
        await using Shop shop = await OpenAsync(o => o.ScopeFor = _ => "all");
        await shop.SendAsync("/orders/7/refund", change: r => SendTo(r, "a.example"));

        (await shop.SendAsync("/orders/7/refund", change: r => SendTo(r, "b.example"))).Status.Should().Be(422);
    }

    /// <summary>Every source that a scope can come from; all of them are different callers.</summary>
    private static IEnumerable<(string Name, ClaimsPrincipal User, string? Authority)> Callers()
    {
        static ClaimsPrincipal Of(params (string Type, string Value)[] claims) =>
            new(new ClaimsIdentity(claims.Select(c => new Claim(c.Type, c.Value)), "test"));
        foreach (string? authority in (string?[])[null, "a.example", "b.example"])
        {
            yield return ("sub", Of(("sub", "7")), authority);
            yield return ("sub of an issuer", Of(("sub", "7"), ("iss", "one")), authority);
            yield return ("sub of another issuer", Of(("sub", "7"), ("iss", "two")), authority);
            foreach (string tenant in (string[])["tid", "tenant_id"]) yield return (tenant, Of(("sub", "7"), (tenant, "t-" + tenant)), authority);
            yield return ("name identifier", Of((ClaimTypes.NameIdentifier, "8")), authority);
            foreach (string client in (string[])["client_id", "azp", "appid"]) yield return (client, Of((client, "c-" + client)), authority);
            yield return ("a client whose number is a user's", Of(("client_id", "7")), authority);
            yield return ("a client of an issuer", Of(("client_id", "7"), ("iss", "one")), authority);
            yield return ("name", Of((ClaimTypes.Name, "7")), authority);
        }
    }

    private static List<string> Meetings(Func<ClaimsPrincipal, string?, string?> scopeOf) =>
    [
        .. Callers().GroupBy(c => scopeOf(c.User, c.Authority)).Where(g => g.Key is null || g.Count() > 1)
            .Select(g => $"{g.Key}: {string.Join(", ", g.Select(c => $"{c.Name} at {c.Authority}"))}"),
    ];

    [Fact]
    public void All_callers_have_scopes_of_their_own_whatever_says_who_they_are() => Meetings(IdempotencyScope.Of).Should().BeEmpty();

    [Fact]
    public void The_check_of_scopes_finds_what_was_left_out()
    {
        Meetings((user, _) => IdempotencyScope.Of(user, null)).Should().NotBeEmpty("hosts meet");
        Meetings((user, authority) => user.FindFirst("sub") is null ? null : IdempotencyScope.Of(user, authority)).Should().NotBeEmpty("clients have none");
        Meetings((user, authority) => authority + user.Claims.First().Value).Should().NotBeEmpty("kinds of claims meet");
        Meetings((user, authority) => $"{authority} {user.Claims.First().Type} {user.Claims.First().Value}").Should().NotBeEmpty("issuers and tenants meet");
    }

    /// <summary>The key that a service behind us receives for each caller who chose the same key.</summary>
    private static async Task<List<string>> DownstreamAsync(Func<string, IdempotencyKey> inboundOf)
    {
        List<string> keys = [];
        foreach ((string _, ClaimsPrincipal user, string? authority) in Callers())
        {
            using HttpMessageInvoker client = new(new IdempotencyKeyHandler(
                new() { FromInbound = _ => inboundOf(IdempotencyScope.Of(user, authority)!) }, new Downstream(keys)));
            using HttpRequestMessage request = new(HttpMethod.Post, "https://bank.example/charges");
            using HttpResponseMessage response = await client.SendAsync(request, default);
        }

        return keys;
    }

    private sealed class Downstream(List<string> keys) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            keys.Add(request.Headers.GetValues("Idempotency-Key").Single());
            return Task.FromResult(new HttpResponseMessage());
        }
    }

    [Fact]
    public async Task One_key_of_all_callers_is_as_many_keys_downstream_and_each_is_the_same_again()
    {
        List<string> keys = await DownstreamAsync(scope => new(scope, "order-1"));

        keys.Should().OnlyHaveUniqueItems().And.HaveCount(Callers().Count());
        (await DownstreamAsync(scope => new(scope, "order-1"))).Should().Equal(keys);
        (await DownstreamAsync(scope => new("planted: taken out of its scope", "order-1"))).Distinct()
            .Should().ContainSingle("the check finds a key without its scope");
    }

    [Fact]
    public async Task The_same_key_of_two_users_becomes_two_keys_downstream_and_a_repetition_the_same()
    {
        List<string> keys = [];
        IHttpContextAccessor? accessor = null;
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                accessor = app.Services.GetRequiredService<IHttpContextAccessor>();
                app.MapPost("/do", async () =>
                {
                    using HttpMessageInvoker client = new(new IdempotencyKeyHandler(new() { FromInbound = _ => accessor.HttpContext?.GetIdempotencyKey() },
                        new Downstream(keys)));
                    using HttpRequestMessage request = new(HttpMethod.Post, "https://bank.example/charges");
                    using HttpResponseMessage response = await client.SendAsync(request, default);
                    return Results.StatusCode(503);
                }).RequireIdempotencyKey();
            },
            services: s => s.AddHttpContextAccessor());
        foreach (string user in (string[])["ann", "bob", "ann"]) await shop.SendAsync("/do", "order-1", user: user);

        keys.Should().HaveCount(3);
        keys[1].Should().NotBe(keys[0]);
        keys[2].Should().Be(keys[0], "the key was released by the 503, and the repetition of the whole repeats its parts");
    }

    [Fact]
    public async Task Keys_that_our_client_sends_are_those_that_our_server_reads()
    {
        Gen<string> values = Gen.OneOf(
            Gen.String[Gen.Char["\"\\;,=a1 \t\u00ff"], 1, 12], Gen.String[Gen.Char[' ', '~'], 1, 20].Select(s => $"\"{s}\""));
        foreach (string value in (string[])["order 7", "\"order 7\"", "\"\"", new('k', 255), new('k', 256), $"\"{new string('k', 256)}\"", .. Many(values)])
        {
            if (value.Contains("\";", StringComparison.Ordinal)) continue; // parameters are the caller's: the server alone looks at them
            bool isRead = IdempotencyKeyHeader.TryParse(value, true, out string key, out _) && key.Length <= IdempotencyKey.MaxLength;
            using HttpMessageInvoker client = new(new IdempotencyKeyHandler(null, new Downstream([])));
            using HttpRequestMessage request = new(HttpMethod.Post, "https://bank.example/");
            if (!request.Headers.TryAddWithoutValidation("Idempotency-Key", value)) continue;
            bool isSent = true;
            try
            {
                using HttpResponseMessage response = await client.SendAsync(request, default);
            }
            catch (ArgumentException)
            {
                isSent = false;
            }

            isSent.Should().Be(isRead, "of {0}", value);
        }

        static List<string> Many(Gen<string> values)
        {
            List<string> all = [];
            Check.Sample(values, v =>
            {
                lock (all) all.Add(v);
            }, iter: 3000);
            return all;
        }
    }

    [Fact]
    public async Task A_client_without_a_user_never_joins_the_anonymous_callers()
    {
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.Use((context, next) =>
                {
                    if (context.Request.Headers["X-Claim"].FirstOrDefault()?.Split('=') is [string type, string value])
                        context.User = new(new ClaimsIdentity(type.Length == 0 ? [] : [new Claim(type, value)], "machine"));
                    return next(context);
                });
                app.MapPost("/do", Count).RequireIdempotencyKey();
            },
            endpoints: o => o.AllowSharedScope = true);
        List<string> answers = [];
        foreach (string? claim in (string?[])[null, "client_id=a", "client_id=b", "azp=c", "appid=d", "="])
        {
            Shop.Reply first = await shop.SendAsync("/do", user: null, change: r => r.Headers.Add("X-Claim", claim is null ? [] : [claim]));
            Shop.Reply again = await shop.SendAsync("/do", user: null, change: r => r.Headers.Add("X-Claim", claim is null ? [] : [claim]));
            (first.IsReplayed, again.Text, again.IsReplayed).Should().Be((false, first.Text, true), "{0}", claim);
            answers.Add(first.Text);
        }

        answers.Should().OnlyHaveUniqueItems();
    }

    [Fact]
    public async Task A_client_without_a_user_has_a_scope_by_default()
    {
        await using Shop shop = await Shop.OpenAsync(app =>
        {
            app.Use((context, next) =>
            {
                context.User = new(new ClaimsIdentity([new Claim("client_id", "robot")], "machine"));
                return next(context);
            });
            app.MapPost("/do", Count).RequireIdempotencyKey();
        });

        (await shop.SendAsync("/do", user: null)).Status.Should().Be(200);
        (await shop.SendAsync("/do", user: null)).IsReplayed.Should().BeTrue();
    }

    [Theory]
    [InlineData("a TAB in a header")]
    [InlineData("a control character")]
    [InlineData("half a surrogate pair")]
    public async Task A_name_from_outside_that_is_no_text_is_the_callers_mistake(string what)
    {
        await using Shop shop = await OpenAsync(o => o.ScopeFor = c => what switch
        {
            "a TAB in a header" => c.Request.Headers["X-Tenant"].ToString(),
            "a control character" => "a\u0085b",
            _ => "a\ud800b",
        });

        Shop.Reply reply = await shop.SendAsync("/orders/7/refund", change: r => r.Headers.TryAddWithoutValidation("X-Tenant", "a\tb"));

        (reply.Status, reply.Text.Contains("scope-invalid", StringComparison.Ordinal)).Should().Be((400, true));
        _executions.Should().Be(0);
    }

    /// <summary>Ways to send the same again that differ in what changes nothing.</summary>
    public static TheoryData<string> Same =>
        ["case of the path", "a final slash", "order of the query", "case of a query name", "charset", "charset in quotes", "case of the type"];

    [Theory]
    [MemberData(nameof(Same))]
    public async Task What_changes_nothing_is_the_same_request(string what)
    {
        await using Shop shop = await OpenAsync();
        Shop.Reply first = await shop.SendAsync("/orders/aB/refund?x=1&y=2");

        Shop.Reply again = await shop.SendAsync(
            what switch
            {
                "case of the path" => "/Orders/aB/REFUND?x=1&y=2",
                "a final slash" => "/orders/aB/refund/?x=1&y=2",
                "order of the query" => "/orders/aB/refund?y=2&x=1",
                "case of a query name" => "/orders/aB/refund?X=1&Y=2",
                _ => "/orders/aB/refund?x=1&y=2",
            },
            change: r =>
            {
                string? type = what switch
                {
                    "charset" => "application/json;charset=UTF-8",
                    "charset in quotes" => "application/json; charset=\"utf-8\"",
                    "case of the type" => "Application/JSON; Charset=utf-8",
                    _ => "application/json",
                };
                r.Content = new ByteArrayContent("{}"u8.ToArray());
                r.Content.Headers.TryAddWithoutValidation("Content-Type", type);
            });

        (again.Text, again.IsReplayed).Should().Be((first.Text, true));
    }

    [Theory]
    [InlineData("/orders/a%2Fb/refund", "/orders/a%2fb/refund", true)]
    [InlineData("/orders/a%C3%A9/refund", "/orders/a%c3%a9/refund", true)]
    [InlineData("/orders/%61/refund", "/orders/a/refund", true)]
    [InlineData("/orders/a/refund?x=%2F", "/orders/a/refund?x=%2f", true)]
    [InlineData("/orders/a%252Fb/refund", "/orders/a%252fb/refund", false)]
    public async Task The_case_of_an_escape_changes_nothing_and_that_of_a_name_that_looks_like_one_does(string path, string other, bool isSame)
    {
        await using Shop shop = await OpenAsync();
        (await shop.SendAsync(path)).Status.Should().Be(200);

        Shop.Reply again = await shop.SendAsync(other);

        (again.Status, again.IsReplayed).Should().Be(isSame ? (200, true) : (422, false));
    }

    [Theory]
    [InlineData("/orders/Ab/refund", "application/json")]
    [InlineData("/orders/aB/refund?x=A", "application/json")]
    [InlineData("/orders/aB/refund", "application/json; charset=utf-16")]
    [InlineData("/orders/aB/refund", "application/json; profile=x")]
    [InlineData("/orders/aB/refund", "application/xml")]
    public async Task What_may_change_something_is_another_request(string path, string type)
    {
        await using Shop shop = await OpenAsync();
        await shop.SendAsync(path.Contains('?', StringComparison.Ordinal) ? "/orders/aB/refund?x=a" : "/orders/aB/refund");

        Shop.Reply other = await shop.SendAsync(path, change: r =>
        {
            r.Content = new ByteArrayContent("{}"u8.ToArray());
            r.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        });

        other.Status.Should().Be(422);
    }

    private static void Upload(HttpRequestMessage request, string boundary, string text = "receipt", string name = "file")
    {
        request.Content = new MultipartFormDataContent(boundary) { { new StringContent("1"), "amount" }, { new StringContent(text), name, "r.txt" } };
    }

    [Fact]
    public async Task The_same_upload_with_a_new_boundary_is_the_same_request_and_another_one_is_not()
    {
        await using Shop shop = await OpenAsync();
        Shop.Reply first = await shop.SendAsync("/upload", change: r => Upload(r, "one"));

        (await shop.SendAsync("/upload", change: r => Upload(r, "two-00112233"))).IsReplayed.Should().BeTrue();
        first.Text.Should().Be("done 1");
        (await shop.SendAsync("/upload", change: r => Upload(r, "two", "receipt!"))).Status.Should().Be(422);
        (await shop.SendAsync("/upload", change: r => Upload(r, "two", name: "other"))).Status.Should().Be(422);
        (await shop.SendAsync("/upload", "broken", change: r => Broken(r, "--b\r\nno colon\r\n")))
            .Status.Should().Be(200, "a body that cannot be read so counts as it came");
        (await shop.SendAsync("/upload", "broken", change: r => Broken(r, "--b\r\nno colon!\r\n"))).Status.Should().Be(422);

        static void Broken(HttpRequestMessage request, string body)
        {
            request.Content = new ByteArrayContent(Encoding.ASCII.GetBytes(body));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=b");
        }
    }

    [Fact]
    public async Task A_large_body_is_hashed_while_it_streams()
    {
        const int Size = 48 << 20;
        long before = 0, after = 0;
        byte[] large = new byte[Size];
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.Use(async (context, next) =>
                {
                    before = GC.GetTotalAllocatedBytes(precise: true);
                    await next(context);
                });
                app.MapPost("/do", () =>
                {
                    after = GC.GetTotalAllocatedBytes(precise: true);
                    return Count();
                }).RequireIdempotencyKey(o => o.MaxRequestBodyBytes = Size);
            },
            services: s => s.Configure<Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerOptions>(o => o.Limits.MaxRequestBodySize = null));

        // Sender and receiver are one process here, so what the client needs counts too, and so does what other tests do beside. Each measurement is
        // at least what the request needs: one that is small proves it.
        long least = long.MaxValue;
        for (int i = 1; i <= 40 && least >= Size / 2; i++)
        {
            (await shop.SendAsync("/do", $"upload-{i}", change: r => r.Content = new ByteArrayContent(large))).Text.Should().Be($"done {i}");
            least = Math.Min(least, after - before);
        }

        least.Should().BeLessThan(Size / 2);
    }
}
