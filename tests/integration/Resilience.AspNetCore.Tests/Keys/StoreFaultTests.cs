using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Resilience.Tests;

namespace Resilience.AspNetCore.Tests;

/// <summary>A store that is away and a store that is set up wrongly are two things, to callers and at the start.</summary>
public sealed class StoreFaultTests
{
    /// <summary>Every fault that a store can have, and what a caller is told.</summary>
    public static TheoryData<IdempotencyStoreFault, int, string, bool> Faults => new()
    {
        { IdempotencyStoreFault.Unavailable, 503, "store-unavailable", true },
        { IdempotencyStoreFault.Full, 503, "store-unavailable", true },
        { IdempotencyStoreFault.Misconfigured, 500, "misconfigured", false },
        { IdempotencyStoreFault.Corrupt, 409, "outcome-unreadable", false },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_mistake_is_reported_as_lasting_and_an_outage_as_passing(IdempotencyStoreFault fault, int status, string code, bool isRetryable)
    {
        Ledger ledger = new();
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/charge", () => ledger.ChargeAsync()).RequireIdempotencyKey(),
            o => o.AcquireTimeout = TimeSpan.FromMilliseconds(20),
            gate: g => g.UseStore(_ => ThrowingStore.Of(fault)));

        Shop.Reply reply = await shop.SendAsync("/charge");

        reply.Status.Should().Be(status);
        using JsonDocument problem = JsonDocument.Parse(reply.Text);
        problem.RootElement.GetProperty("code").GetString().Should().Be(code);
        problem.RootElement.GetProperty("retryable").GetBoolean().Should().Be(isRetryable);
        reply.Headers.Contains("Retry-After").Should().Be(isRetryable);
        reply.Headers.Contains("X-Should-Retry").Should().Be(!isRetryable);
        ledger.Count.Should().Be(0);
    }

    [Fact]
    public void No_fault_is_without_a_row() =>
        Faults.Select(row => (IdempotencyStoreFault)row[0]).Should().BeEquivalentTo(Enum.GetValues<IdempotencyStoreFault>());

    [Fact]
    public async Task A_server_whose_store_is_set_up_wrongly_does_not_start_if_it_is_asked_to_look()
    {
        await using WebApplication app = Build("Data Source=/nowhere/at/all/keys.db");

        (await app.Invoking(a => a.StartAsync()).Should().ThrowAsync<IdempotencyStoreException>())
            .Which.Should().Match<IdempotencyStoreException>(e => e.Fault == IdempotencyStoreFault.Misconfigured
                && e.Message.Contains("/nowhere/at/all/keys.db"));
    }

    [Fact]
    public async Task A_server_whose_store_works_starts()
    {
        await using WebApplication app = Build("Data Source=shared-check;Mode=Memory;Cache=Shared");

        await app.StartAsync();
        await app.StopAsync();
    }

    private static WebApplication Build(string connectionString)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseSetting("urls", "http://127.0.0.1:0");
        builder.Services.AddIdempotency().UseSqlite(connectionString).CheckStoreAtStart();
        return builder.Build();
    }
}
