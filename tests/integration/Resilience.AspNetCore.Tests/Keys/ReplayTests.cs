using System.Net.Sockets;
using System.Reflection;
using System.Text;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Net.Http.Headers;
using Resilience.Tests;

namespace Resilience.AspNetCore.Tests;

/// <summary>What comes out of a store: nothing that could not have gone in, and only to callers that may see it.</summary>
public sealed class ReplayTests
{
    private int _executions;

    /// <summary>All headers that the framework knows a name for, and some more.</summary>
    private static readonly string[] Names =
    [
        .. typeof(HeaderNames).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => (string)f.GetValue(null)!).Where(n => n[0] != ':'),
        "Set-Cookie2", "HTTP2-Settings", "X-Own", "Content-MD5", "Digest",
    ];

    /// <summary>By RFC 9110 (7.6.1), 9112, 9113 and 6265: of one connection, one message or one recipient. Written down apart from the filter.</summary>
    private static readonly string[] OfOneMessage =
    [
        "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "HTTP2-Settings", "Content-Length", "Set-Cookie", "Set-Cookie2",
        "Date", "Proxy-Authenticate", "WWW-Authenticate", "Via", "Server", "Retry-After", "Strict-Transport-Security", "Alt-Svc", "Age", "Access-Control-Allow-Origin",
    ];

    private static IEnumerable<string> Leaks(Func<string, bool> isReplayed) =>
        OfOneMessage.Concat(["bad name", ":status", "", "X:y", "X\r\nY"]).Where(isReplayed);

    private static IdempotencyEndpointOptions KeepingAll()
    {
        IdempotencyEndpointOptions options = new();
        options.KeptHeaders.UnionWith(Names);
        options.KeptHeaders.UnionWith(OfOneMessage);
        return options;
    }

    private static bool IsReplayed(string name, IdempotencyEndpointOptions options) =>
        KeptHeaders.ToReplay(new() { Status = 200, Headers = [new(name, "1")] }, options) is { Count: 1 };

    private static bool IsRecorded(string name, IdempotencyEndpointOptions options)
    {
        DefaultHttpContext context = new();
        context.Response.Headers[name] = "1";
        return KeptHeaders.Of(context.Response, [], options).Any(h => h.Key == name);
    }

    [Fact]
    public void Of_all_headers_those_that_are_recorded_are_replayed_and_no_others()
    {
        IdempotencyEndpointOptions options = KeepingAll();

        Names.Concat(OfOneMessage).Distinct(StringComparer.OrdinalIgnoreCase).Where(n => IsRecorded(n, options) != IsReplayed(n, options)).Should().BeEmpty();
        Leaks(n => IsReplayed(n, options)).Should().BeEmpty();
        Names.Count(n => IsReplayed(n, options)).Should().BeGreaterThan(50);
        IsReplayed("X-Own", new()).Should().BeFalse("it is not on the list any more");
        KeptHeaders.ToReplay(new() { Status = 200, Headers = [new("ETag", "a\r\nX: y")] }, options).Should().BeNull("a value with a line break is none");
    }

    [Fact]
    public void The_check_of_headers_finds_a_filter_with_a_hole()
    {
        IdempotencyEndpointOptions options = KeepingAll();
        foreach (string hole in OfOneMessage) Leaks(n => n == hole || IsReplayed(n, options)).Should().Equal(hole);
        Leaks(_ => true).Should().Contain("bad name");
    }

    /// <summary>A record as an attacker with access to the store could have written it.</summary>
    private static async Task PlantAsync(Shop shop, string key, params KeyValuePair<string, string>[] headers)
    {
        IdempotencyResult entry = await shop.Services.GetRequiredService<IdempotencyGate>().EnterAsync(new IdempotencyKey("s", key).ToId(), default);
        HttpResponseRecord record = new() { Status = 200, Headers = headers, Body = "0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"u8.ToArray() };
        await entry.Claim!.CompleteAsync(IdempotencyPayloadKind.HttpResponse, record.Encode());
    }

    private static async Task<string> SendRawAsync(Shop shop, string key)
    {
        using TcpClient client = new(shop.Address.Host, shop.Address.Port);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"POST /do HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
        using StreamReader reader = new(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync().WaitAsync(Shop.Patience);
    }

    [Theory]
    [InlineData("Transfer-Encoding", "chunked")]
    [InlineData("Content-Length", "3")]
    [InlineData("Set-Cookie", "session=evil")]
    [InlineData("Connection", "upgrade")]
    [InlineData("bad name", "x")]
    [InlineData("ETag", "a\r\nSet-Cookie: b=c")]
    public async Task A_record_that_was_tampered_with_gives_one_response_that_says_so(string name, string value)
    {
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/do", () => Interlocked.Increment(ref _executions)).RequireIdempotencyKey(),
            endpoints: o => (o.ScopeFor, o.FingerprintFor) = (_ => "s", (_, _) => default));
        await PlantAsync(shop, "k1", new("Content-Type", "text/plain"), new(name, value));

        string answer = await SendRawAsync(shop, "k1");

        answer.Should().StartWith("HTTP/1.1 409").And.Contain("outcome-unreadable").And.NotContain("evil").And.NotContain("Set-Cookie");
        _executions.Should().Be(0);
        await PlantAsync(shop, "k2", new KeyValuePair<string, string>("Content-Type", "text/plain"));
        (await SendRawAsync(shop, "k2")).Should().StartWith("HTTP/1.1 200").And.Contain("Idempotent-Replayed");
    }

    [Fact]
    public async Task A_replay_has_the_endpoints_own_headers_and_fresh_ones_from_outside()
    {
        int asked = 0;
        await using Shop shop = await Shop.OpenAsync(app =>
        {
            app.Use((context, next) =>
            {
                context.Response.Headers["Permissions-Policy"] = $"nonce-{Interlocked.Increment(ref asked)}";
                return next(context);
            });
            app.MapPost("/do", (HttpContext c) =>
            {
                c.Response.Headers.ContentSecurityPolicy = "default-src 'none'";
                c.Response.Headers.XContentTypeOptions = "nosniff";
                c.Response.Headers["Referrer-Policy"] = "no-referrer";
                return "done";
            }).RequireIdempotencyKey();
        });

        await shop.SendAsync("/do");
        Shop.Reply again = await shop.SendAsync("/do");

        again.IsReplayed.Should().BeTrue();
        again.Headers.GetValues("Content-Security-Policy").Should().Equal("default-src 'none'");
        again.Headers.GetValues("X-Content-Type-Options").Should().Equal("nosniff");
        again.Headers.GetValues("Referrer-Policy").Should().Equal("no-referrer");
        again.Headers.GetValues("Permissions-Policy").Should().Equal("nonce-2");
    }

    [Fact]
    public async Task A_right_that_was_withdrawn_is_asked_for_before_a_replay_and_not_before_an_execution()
    {
        bool mayReplay = true;
        int asked = 0;
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/do", () => $"done {Interlocked.Increment(ref _executions)}")
            .RequireIdempotencyKey(o => o.MayReplay = _ =>
        {
            asked++;
            return new(mayReplay);
        }));
        await shop.SendAsync("/do");
        asked.Should().Be(0);
        (await shop.SendAsync("/do")).Text.Should().Be("done 1");
        mayReplay = false;

        Shop.Reply rejected = await shop.SendAsync("/do"), reused = await shop.SendAsync("/do", body: "{\"other\":1}");

        (rejected.Status, rejected.Text.Contains("replay-forbidden", StringComparison.Ordinal)).Should().Be((403, true));
        reused.Status.Should().Be(403, "nor is it told that there was an earlier request");
        (asked, _executions).Should().Be((3, 1));
        (await shop.SendAsync("/do", "k2")).Text.Should().Be("done 2");
    }

    [Fact]
    public async Task The_hook_may_give_an_answer_of_its_own()
    {
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/do", () => "done").RequireIdempotencyKey(o => o.MayReplay = context =>
        {
            context.Response.StatusCode = 404;
            return new(false);
        }));
        await shop.SendAsync("/do");

        Shop.Reply again = await shop.SendAsync("/do");

        (again.Status, again.Text).Should().Be((404, ""));
    }

    [Fact]
    public async Task The_middleware_behind_authorization_answers_and_without_a_decision_it_does_not()
    {
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.UseAuthentication();
                app.UseAuthorization();
                app.UseIdempotency(_ => true);
                app.MapPost("/do", () => "done").RequireAuthorization();
            },
            services: s => s.AddAuthorization());
        await shop.SendAsync("/do");
        (await shop.SendAsync("/do")).IsReplayed.Should().BeTrue("the framework notes that it has asked, where we look for it");

        DefaultHttpContext unasked = new();
        unasked.SetEndpoint(new(null, new(new AuthorizeAttribute()), "planted"));
        IdempotencyMiddlewares.FindUnaskedCheck(unasked).Should().Contain("UseAuthorization");
        unasked.SetEndpoint(new(null, new(new AuthorizeAttribute(), new AllowAnonymousAttribute()), "planted"));
        IdempotencyMiddlewares.FindUnaskedCheck(unasked).Should().BeNull();
    }

    [Fact]
    public async Task Every_value_of_a_header_that_the_server_sends_is_replayed()
    {
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/do", (HttpContext c, int code) =>
        {
            c.Response.Headers.ETag = $"\"a{(char)code}b\"";
            return "done";
        }).RequireIdempotencyKey());
        List<char> sent = [];
        for (int code = 0; code < 256; code++)
        {
            Shop.Reply first = await shop.SendAsync($"/do?code={code}", $"k{code}");
            if (first.Status != 200) continue; // the server does not take it
            sent.Add((char)code);
            Shop.Reply again = await shop.SendAsync($"/do?code={code}", $"k{code}");
            (again.Status, again.IsReplayed).Should().Be((200, true), "{0} was sent", code);
            again.Headers.NonValidated["ETag"].ToString().Should().Be(first.Headers.NonValidated["ETag"].ToString());
        }

        sent.Should().Contain('\t').And.Contain(' ').And.Contain('~').And.NotContain('\n');
    }

    [Fact]
    public async Task A_response_that_cannot_be_encrypted_is_sent_and_its_request_is_never_executed_again()
    {
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.MapPost("/do", () => $"done {Interlocked.Increment(ref _executions)}").RequireIdempotencyKey();
                app.MapPost("/fail", (HttpContext c) =>
                {
                    c.GetIdempotencyClaim()!.PassPointOfNoReturn();
                    return Results.Text($"failed {Interlocked.Increment(ref _executions)}", statusCode: 500);
                }).RequireIdempotencyKey();
            },
            endpoints: o => o.EncryptsResponses = true,
            services: s => s.AddSingleton<IDataProtectionProvider>(new KeysThatAreAway()));

        Shop.Reply first = await shop.SendAsync("/do"), again = await shop.SendAsync("/do");
        Shop.Reply failed = await shop.SendAsync("/fail", "k2"), afterwards = await shop.SendAsync("/fail", "k2");

        (first.Status, first.Text).Should().Be((200, "done 1"), "it was carried out, and this caller can be told");
        (again.Status, again.Text.Contains("response-not-retained", StringComparison.Ordinal)).Should().Be((409, true));
        (failed.Status, failed.Text).Should().Be((500, "failed 2"));
        (afterwards.Status, afterwards.Text.Contains("outcome-unknown", StringComparison.Ordinal)).Should().Be((409, true));
        _executions.Should().Be(2);
    }

    private sealed class KeysThatAreAway : IDataProtectionProvider, IDataProtector
    {
        public IDataProtector CreateProtector(string purpose) => this;

        public byte[] Protect(byte[] plaintext) => throw new System.Security.Cryptography.CryptographicException("the keys are away");

        public byte[] Unprotect(byte[] protectedData) => throw new System.Security.Cryptography.CryptographicException("the keys are away");
    }

    private async Task<Shop> OpenEncryptedAsync(IIdempotencyStore store, string folder, bool encrypts = true) => await Shop.OpenAsync(
        app => app.MapPost("/do", () => $"secret {Interlocked.Increment(ref _executions)}").RequireIdempotencyKey(o =>
            (o.EncryptsResponses, o.ScopeFor, o.FingerprintFor) = (encrypts, _ => "s", (_, _) => default)),
        gate: g => g.UseStore(_ => new ForwardingStore(store)),
        services: s => s.AddDataProtection().SetApplicationName("shop").PersistKeysToFileSystem(new(folder)));

    private static async Task<string> StoredAsync(IIdempotencyStore store, string key)
    {
        AcquireResult answer = await store.TryAcquireAsync(new()
        {
            Id = new IdempotencyKey("s", key).ToId(),
            Nonce = Guid.NewGuid(),
            Lease = TimeSpan.FromMinutes(1),
            Retention = TimeSpan.FromHours(1),
            MaxAttempts = 5,
        });
        return Encoding.Latin1.GetString(answer.Payload.Span);
    }

    [Fact]
    public async Task Encrypted_responses_are_read_after_a_rotation_and_never_executed_again_after_a_revocation()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        InMemoryIdempotencyStore store = new();
        await using (Shop open = await OpenEncryptedAsync(store, folder, encrypts: false)) await open.SendAsync("/do", "k0");
        await using (Shop first = await OpenEncryptedAsync(store, folder))
        {
            await first.SendAsync("/do", "k1");
            (await first.SendAsync("/do", "k1")).Text.Should().Be("secret 2");
            first.Services.GetRequiredService<IKeyManager>().CreateNewKey(DateTimeOffset.UtcNow, DateTimeOffset.UtcNow.AddYears(1));
        }

        (await StoredAsync(store, "k0")).Should().Contain("secret", "that one was not to be encrypted");
        string old = await StoredAsync(store, "k1");
        old.Should().NotContain("secret").And.NotContain("text/plain");
        await using (Shop rotated = await OpenEncryptedAsync(store, folder))
        {
            (await rotated.SendAsync("/do", "k1")).Text.Should().Be("secret 2", "the old key is still there");
            (await rotated.SendAsync("/do", "k0")).Text.Should().Be("secret 1", "what was stored before is still read");
            await rotated.SendAsync("/do", "k2");
            rotated.Services.GetRequiredService<IKeyManager>().RevokeAllKeys(DateTimeOffset.UtcNow.AddMinutes(1));
        }

        // The frame, our mark, data protection's mark, and then the id of its key.
        (await StoredAsync(store, "k2"))[20..36].Should().NotBe(old[20..36], "the new key is used");
        await using Shop revoked = await OpenEncryptedAsync(store, folder);
        Shop.Reply lost = await revoked.SendAsync("/do", "k1");
        (lost.Status, lost.Text.Contains("outcome-unreadable", StringComparison.Ordinal)).Should().Be((409, true));
        _executions.Should().Be(3);
        await using Shop careless = await OpenEncryptedAsync(store, folder, encrypts: false);
        (await careless.SendAsync("/do", "k2")).Status.Should().Be(409, "without the option it cannot be read either, and is not executed");
    }

    [Fact]
    public void A_response_that_was_moved_to_another_key_cannot_be_read()
    {
        PayloadCipher cipher = new(new EphemeralDataProtectionProvider());
        IdempotencyId mine = IdempotencyKey.Shared("mine").ToId(), other = IdempotencyKey.Shared("other").ToId();
        byte[] stored = cipher.Encrypt(mine, [1, 2, 3]);

        cipher.TryDecrypt(mine, stored).Should().Equal(1, 2, 3);
        cipher.TryDecrypt(other, stored).Should().BeNull();
        cipher.TryDecrypt(mine, stored.AsSpan()[..^1]).Should().BeNull();
        HttpResponseRecord.Decode(stored).Should().BeNull("versions that cannot decrypt it read nothing");
    }
}
