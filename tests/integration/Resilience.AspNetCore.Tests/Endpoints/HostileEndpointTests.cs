using System.IO.Compression;
using System.Text;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

/// <summary>Endpoints and middleware that do what one does not expect: read bodies first, write synchronously, fail in the middle of a response.</summary>
public sealed class HostileEndpointTests
{
    private int _executions;

    private async Task<string> CountAsync() => await Task.FromResult($"done {Interlocked.Increment(ref _executions)}");

    private static void SendForm(HttpRequestMessage request, string amount, string? file = null)
    {
        if (file is null)
        {
            request.Content = new FormUrlEncodedContent([new("amount", amount)]);
            return;
        }

        request.Content = new MultipartFormDataContent(
            "edge") { { new StringContent(amount), "amount" }, { new StringContent(file), "receipt", "receipt.txt" } };
    }

    [Fact]
    public async Task A_form_that_was_read_before_is_told_apart_by_its_content()
    {
        await using Shop shop = await Shop.OpenAsync(app =>
        {
            app.Use(async (context, next) =>
            {
                if (context.Request.HasFormContentType) await context.Request.ReadFormAsync(); // what a check against forgery does
                await next(context);
            });
            app.MapPost("/do", async (HttpContext c) => $"{(await c.Request.ReadFormAsync())["amount"]} {await CountAsync()}").RequireIdempotencyKey();
        });

        Shop.Reply first = await shop.SendAsync("/do", change: r => SendForm(r, "1")), again = await shop.SendAsync("/do", change: r => SendForm(r, "1"));
        Shop.Reply other = await shop.SendAsync("/do", change: r => SendForm(r, "2"));
        Shop.Reply files = await shop.SendAsync("/do", "k2", change: r => SendForm(r, "1", "paid 7")),
            sameFiles = await shop.SendAsync("/do", "k2", change: r => SendForm(r, "1", "paid 7"));
        Shop.Reply otherFiles = await shop.SendAsync("/do", "k2", change: r => SendForm(r, "1", "paid 8"));

        (first.Text, again.Text, again.IsReplayed).Should().Be(("1 done 1", "1 done 1", true));
        (files.Text, sameFiles.Text, sameFiles.IsReplayed).Should().Be(("1 done 2", "1 done 2", true));
        (other.Status, otherFiles.Status).Should().Be((422, 422));
        _executions.Should().Be(2);
        (await shop.SendAsync("/do", "k3", change: r => SendForm(r, "1", new string('x', 2 << 20)))).Status.Should().Be(413, "bounds hold for forms as well");
    }

    [Fact]
    public async Task A_body_that_was_read_before_is_read_from_its_beginning()
    {
        await using Shop shop = await Shop.OpenAsync(app =>
        {
            app.Use(async (context, next) =>
            {
                context.Request.EnableBuffering();
                await context.Request.Body.CopyToAsync(Stream.Null); // and does not turn back
                await next(context);
            });
            app.MapPost("/do", async (HttpContext c) => await new StreamReader(c.Request.Body).ReadToEndAsync() + await CountAsync()).RequireIdempotencyKey();
        });

        (await shop.SendAsync("/do", body: "{\"a\":1}")).Text.Should().StartWith("{\"a\":1}");
        (await shop.SendAsync("/do", body: "{\"a\":2}")).Status.Should().Be(422);
        _executions.Should().Be(1);
    }

    [Fact]
    public async Task A_form_that_is_rejected_as_a_forgery_is_not_remembered()
    {
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.UseAntiforgery();
                app.MapGet("/page", (HttpContext c, IAntiforgery forgery) => forgery.GetAndStoreTokens(c).RequestToken!);
                app.MapPost("/do", async ([FromForm] string amount) => $"{amount} {await CountAsync()}").RequireIdempotencyKey();
            },
            services: s =>
            {
                s.AddAntiforgery();
                s.AddDataProtection().UseEphemeralDataProtectionProvider();
            });
        Shop.Reply rejected = await shop.SendAsync("/do", change: r => SendForm(r, "1"));
        Shop.Reply page = await shop.SendAsync("/page", method: "GET", change: r => r.Content = null);
        Task<Shop.Reply> SendAsync(string amount) => shop.SendAsync("/do", change: r =>
        {
            SendForm(r, amount);
            r.Headers.Add("RequestVerificationToken", page.Text);
            r.Headers.Add("Cookie", page.Headers.GetValues("Set-Cookie").Single().Split(';')[0]);
        });
        Shop.Reply accepted = await SendAsync("1"), again = await SendAsync("1"), other = await SendAsync("2");

        rejected.Status.Should().Be(400);
        (accepted.Text, again.Text, again.IsReplayed).Should().Be(("1 done 1", "1 done 1", true));
        other.Status.Should().Be(422);
        _executions.Should().Be(1);
    }

    [Fact]
    public async Task A_body_that_the_endpoint_has_encoded_itself_can_be_decoded_when_it_is_replayed()
    {
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/do", async (HttpContext c) =>
        {
            c.Response.Headers.ContentEncoding = "gzip";
            await using GZipStream packed = new(c.Response.Body, CompressionLevel.Fastest, leaveOpen: true);
            await packed.WriteAsync(Encoding.UTF8.GetBytes(await CountAsync()));
        }).RequireIdempotencyKey());
        Shop.Reply first = await shop.SendAsync("/do"), again = await shop.SendAsync("/do");

        again.IsReplayed.Should().BeTrue();
        again.Body.Should().Equal(first.Body);
        again.ContentHeaders.ContentEncoding.Should().Equal("gzip");
        using StreamReader text = new(new GZipStream(new MemoryStream(again.Body), CompressionMode.Decompress));
        (await text.ReadToEndAsync()).Should().Be("done 1");
    }

    [Fact]
    public async Task A_response_with_trailers_is_not_replayed_without_them()
    {
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/do", async (HttpContext c) =>
            {
                c.Response.DeclareTrailer("grpc-status");
                await c.Response.WriteAsync(await CountAsync());
                c.Response.AppendTrailer("grpc-status", "0");
            }).RequireIdempotencyKey(),
            services: s => s.Configure<KestrelServerOptions>(o => o.ConfigureEndpointDefaults(e => e.Protocols = HttpProtocols.Http2)));
        Task<Shop.Reply> SendAsync() => shop.SendAsync("/do", change: r => (r.Version, r.VersionPolicy) = (new(2, 0), HttpVersionPolicy.RequestVersionExact));

        Shop.Reply first = await SendAsync(), again = await SendAsync();

        first.Text.Should().Be("done 1");
        (again.Status, again.Text.Contains("response-not-retained", StringComparison.Ordinal)).Should().Be((409, true));
        _executions.Should().Be(1);
    }

    [Fact]
    public async Task An_exception_after_a_response_that_counts_has_begun_does_not_lead_to_a_second_execution()
    {
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/do", async (HttpContext c) =>
        {
            await CountAsync();
            c.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
            await c.Response.WriteAsync("paid, and here is");
            await c.Response.Body.FlushAsync();
            throw new InvalidOperationException("planned");
        }).RequireIdempotencyKey());

        await FluentActions.Awaiting(() => shop.SendAsync("/do")).Should().ThrowAsync<HttpRequestException>("the response breaks off");
        Shop.Reply again = await shop.SendAsync("/do");

        (again.Status, again.Text.Contains("outcome-unknown", StringComparison.Ordinal)).Should().Be((409, true));
        _executions.Should().Be(1, "the client has seen a 200");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_large_response_that_is_written_synchronously_is_the_servers_matter_and_never_executed_again_when_it_is_sent(bool isAllowed)
    {
        byte[] large = new byte[300_001];
        Random.Shared.NextBytes(large);
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/do", async (HttpContext c) =>
            {
                await CountAsync();
                foreach (byte[] piece in large.Chunk(100_000)) c.Response.Body.Write(piece);
            }).RequireIdempotencyKey(),
            o => o.WhenInFlight = WhenInFlight.Reject,
            services: s => s.Configure<KestrelServerOptions>(o => o.AllowSynchronousIO = isAllowed));

        Shop.Reply first = await shop.SendAsync("/do"), again = await shop.SendAsync("/do");

        first.Status.Should().Be(isAllowed ? 200 : 500, "a server that does not allow it says so");
        if (isAllowed) first.Body.Should().Equal(large);
        again.Status.Should().Be(409);
        _executions.Should().Be(1, "what was counted may have been done");
    }

    [Theory]
    [InlineData(204)]
    [InlineData(304)]
    public async Task A_body_where_there_can_be_none_is_dropped_for_the_first_and_for_all_others(int status)
    {
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/do", async (HttpContext c) =>
        {
            c.Response.StatusCode = status;
            await c.Response.WriteAsync(await CountAsync());
        }).RequireIdempotencyKey());

        Shop.Reply first = await shop.SendAsync("/do"), again = await shop.SendAsync("/do");

        (first.Status, first.Body.Length).Should().Be((status, 0));
        (again.Status, again.Body.Length, again.IsReplayed).Should().Be((status, 0, true));
        _executions.Should().Be(1);
    }

    [Fact]
    public async Task An_endpoints_own_options_hold_in_every_form_of_protection()
    {
        await using Shop shop = await Shop.OpenAsync(app =>
        {
            app.UseIdempotency();
            app.MapPost("/own", CountAsync).RequireIdempotencyKey(o => (o.HeaderName, o.IsRequired) = ("X-Key", false));
            app.MapPost("/group", CountAsync).RequireIdempotencyKey(o => o.IsRequired = true);
        });

        (await shop.SendAsync("/own", key: null)).Text.Should().Be("done 1", "it is not required there");
        Shop.Reply first = await shop.SendAsync("/own", key: null, change: r => r.Headers.Add("X-Key", "k1"));
        Shop.Reply again = await shop.SendAsync("/own", key: null, change: r => r.Headers.Add("X-Key", "k1"));

        (first.Text, again.Text, again.IsReplayed).Should().Be(("done 2", "done 2", true));
        (await shop.SendAsync("/group", key: null)).Status.Should().Be(400);
    }

    [Fact]
    public async Task A_group_is_protected_and_what_stands_nearest_to_an_endpoint_counts()
    {
        await using Shop shop = await Shop.OpenAsync(app =>
        {
            IEndpointConventionBuilder group = app.MapGroup("/g").RequireIdempotencyKey();
            ((Microsoft.AspNetCore.Routing.RouteGroupBuilder)group).MapPost("/strict", CountAsync);
            ((Microsoft.AspNetCore.Routing.RouteGroupBuilder)group).MapPost("/free", CountAsync).RequireIdempotencyKey(o => o.IsRequired = false);
        });

        (await shop.SendAsync("/g/strict", key: null)).Status.Should().Be(400);
        (await shop.SendAsync("/g/free", key: null)).Status.Should().Be(200);
        Shop.Reply first = await shop.SendAsync("/g/free"), again = await shop.SendAsync("/g/free");
        (first.Text, again.Text, again.IsReplayed).Should().Be(("done 2", "done 2", true));
    }
}
