using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

[ApiController]
[Route("payments")]
[RequireIdempotencyKey]
public sealed class PaymentsController : ControllerBase
{
    internal static int Executions;

    [HttpPost]
    public async Task<ActionResult<Payment>> Post(Payment payment, CancellationToken stop)
    {
        Interlocked.Increment(ref Executions);
        await Task.Yield();
        stop.ThrowIfCancellationRequested();
        if (payment.Amount < 0) throw new System.ComponentModel.DataAnnotations.ValidationException("planned");
        return Created($"/payments/{Executions}", payment with { Number = Executions });
    }

    [HttpGet]
    public string Get() => "read";

    [HttpPost("free"), RequireIdempotencyKey(IsRequired = false)]
    public string Free() => $"free {Interlocked.Increment(ref Executions)}";

    [HttpPost("slow")]
    public async Task<string> Slow([FromServices] Leaving leaving, CancellationToken stop) => await leaving.ExecuteAsync(stop);

    public sealed record Payment(decimal Amount, int Number = 0);
}

/// <summary>Controllers, the middleware, and the description of endpoints.</summary>
public sealed class ControllerTests
{
    private static bool IsRequired(JsonNode parameter) => (bool?)parameter["required"] ?? false;

    private static Task<Shop> OpenAsync(Action<WebApplication>? map = null) => Shop.OpenAsync(
        app =>
        {
            map?.Invoke(app);
            app.MapControllers();
        },
        services: s =>
        {
            s.AddControllers().AddApplicationPart(typeof(ControllerTests).Assembly);
            s.AddOpenApi();
        });

    [Fact]
    public async Task An_action_with_the_attribute_is_executed_once()
    {
        await using Shop shop = await OpenAsync();
        PaymentsController.Executions = 0;

        Shop.Reply first = await shop.SendAsync("/payments", body: "{\"amount\":12.5}"), second = await shop.SendAsync("/payments", body: "{\"amount\":12.5}");

        first.Status.Should().Be(201);
        second.Should().Match<Shop.Reply>(r => r.Status == 201 && r.IsReplayed);
        second.Body.Should().Equal(first.Body);
        second.Headers.Location.Should().Be(first.Headers.Location);
        PaymentsController.Executions.Should().Be(1);
        (await shop.SendAsync("/payments", key: null, body: "{\"amount\":12.5}")).Status.Should().Be(400);
        (await shop.SendAsync("/payments", body: "{\"amount\":13}")).Status.Should().Be(422);
        (await shop.SendAsync("/payments", key: null, method: "GET")).Text.Should().Be("read");

        Shop.Reply invalid = await shop.SendAsync("/payments", key: "k2", body: "{\"amount\":\"much\"}"),
            again = await shop.SendAsync("/payments", key: "k2", body: "{\"amount\":\"much\"}");
        (invalid.Status, again.Status, again.IsReplayed).Should().Be((400, 400, false), "the action has not seen it, so its key is free");

        (await shop.SendAsync("/payments", key: "k3", body: "{\"amount\":-1}")).Status.Should().Be(500);
        (await shop.SendAsync("/payments", key: "k3", body: "{\"amount\":-1}")).Status.Should().Be(500);
        PaymentsController.Executions.Should().Be(3, "an exception that says that nothing was done frees the key");
    }

    [Fact]
    public async Task The_middleware_protects_what_it_is_configured_for_and_no_request_is_protected_twice()
    {
        int executions = 0;
        await using Shop shop = await OpenAsync(app =>
        {
            app.UseIdempotency(context => context.Request.Path.StartsWithSegments("/legacy"));
            app.MapPost("/legacy/charge", () => $"legacy {Interlocked.Increment(ref executions)}");
            app.MapPost("/legacy/both", () => $"both {Interlocked.Increment(ref executions)}").RequireIdempotencyKey();
            app.MapPost("/other", () => $"other {Interlocked.Increment(ref executions)}");
        });

        foreach (string path in new[] { "/legacy/charge", "/legacy/both" })
        {
            Shop.Reply first = await shop.SendAsync(path, key: path), second = await shop.SendAsync(path, key: path);
            second.Text.Should().Be(first.Text);
            second.IsReplayed.Should().BeTrue();
        }

        await shop.SendAsync("/other");
        await shop.SendAsync("/other");
        executions.Should().Be(4);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_attribute_of_an_action_goes_before_that_of_its_controller(bool isMiddlewareToo)
    {
        await using Shop shop = await OpenAsync(app =>
        {
            if (isMiddlewareToo) app.UseIdempotency();
        });
        Shop.Reply without = await shop.SendAsync("/payments/free", key: null);
        Shop.Reply first = await shop.SendAsync("/payments/free"), again = await shop.SendAsync("/payments/free");

        without.Status.Should().Be(200, "a key is not required there");
        (again.Text, again.IsReplayed).Should().Be((first.Text, true));
        (await shop.SendAsync("/payments", key: null, body: "{\"amount\":12.5}")).Status.Should().Be(400);
    }

    [Fact]
    public async Task The_open_api_document_tells_of_the_header_and_of_the_problems()
    {
        await using Shop shop = await OpenAsync(app =>
        {
            app.MapOpenApi();
            app.MapPost("/charges", () => "done").RequireIdempotencyKey();
            app.MapPost("/plain", () => "done");
            app.MapPost("/own", () => "done").RequireIdempotencyKey(o => (o.HeaderName, o.IsRequired) = ("X-Key", false));
        });

        string document = (await shop.SendAsync("/openapi/v1.json", method: "GET")).Text;
        JsonNode paths = JsonNode.Parse(document)!["paths"]!;
        JsonNode charges = paths["/charges"]!["post"]!;

        charges["parameters"]!.AsArray()
            .Should().ContainSingle(p => (string)p!["name"]! == "Idempotency-Key" && (string)p["in"]! == "header" && (bool)p["required"]!);
        charges["responses"]!.AsObject().Select(r => r.Key).Should().Contain(["200", "400", "409", "422", "503"]);
        paths["/payments"]!["post"]!["parameters"]!.AsArray().Should().ContainSingle(p => (string)p!["name"]! == "Idempotency-Key");
        JsonArray free = paths["/payments/free"]!["post"]!["parameters"]!.AsArray();
        free.Should().ContainSingle(p => (string)p!["name"]! == "Idempotency-Key" && !IsRequired(p), "the action says that it is not required");
        paths["/own"]!["post"]!["parameters"]!.AsArray().Should().ContainSingle(p => (string)p!["name"]! == "X-Key" && !IsRequired(p));
        foreach (string path in (string[])["/charges", "/payments"])
        {
            foreach (string status in (string[])["400", "409", "413", "422", "503"])
                paths[path]!["post"]!["responses"]![status]!["content"]!.AsObject().Select(c => c.Key)
                    .Should().Equal(["application/problem+json"], $"{path} {status}");
        }

        paths["/payments"]!["get"]!["parameters"].Should().BeNull();
        paths["/payments"]!["get"]!["responses"]!.AsObject().Select(r => r.Key).Should().Equal("200");
        paths["/plain"]!["post"]!["parameters"].Should().BeNull();
    }
}
