using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

/// <summary>The rehearsal of the story that the library is for: the server charges, the answer gets lost, the client asks again.</summary>
public sealed class ChaosRehearsalTests
{
    private readonly Ledger _ledger = new();

    private async Task<(string Answer, int Charges)> RehearseAsync(bool hasKey, bool serverHonorsKeys)
    {
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                RouteHandlerBuilder charges = app.MapPost("/charges", () => _ledger.ChargeAsync());
                if (serverHonorsKeys) charges.RequireIdempotencyKey();
            },
            endpoints: o => o.AllowSharedScope = true);
        int left = 2;
        ServiceCollection services = new();
        services.AddResilience().ConfigureAllPipelines(b => b.EnvironmentName = "Development");
        IHttpClientBuilder client = services.AddHttpClient("shop", c => c.BaseAddress = shop.Address)
            .AddStandardResilience(o => o.Retry!.BaseDelay = TimeSpan.Zero)
            .AddHttpChaos(o => (o.IsOn, o.Rates, o.Filter) = (true, new() { LostReply = 1 }, _ => left-- > 0));
        if (hasKey) client.AddIdempotencyKey();
        await using ServiceProvider container = services.BuildServiceProvider();
        try
        {
            using StringContent body = new("{}");
            using HttpResponseMessage answer = await container.GetRequiredService<IHttpClientFactory>().CreateClient("shop").PostAsync("/charges", body)
                .WaitAsync(Shop.Patience);
            return (await answer.Content.ReadAsStringAsync(), _ledger.Count);
        }
        catch (HttpRequestException lost) when (ChaosInjectedException.IsInjected(lost))
        {
            return ("lost", _ledger.Count);
        }
    }

    [Fact]
    public async Task With_a_key_two_lost_replies_are_healed_and_the_customer_is_charged_once() =>
        (await RehearseAsync(hasKey: true, serverHonorsKeys: true)).Should().Be(("charge 1", 1));

    [Fact]
    public async Task Without_a_key_nothing_is_repeated_and_the_outcome_is_unknown() =>
        (await RehearseAsync(hasKey: false, serverHonorsKeys: false)).Should().Be(("lost", 1));

    [Fact]
    public async Task With_a_key_that_the_server_does_not_honor_the_rehearsal_finds_three_charges() =>
        (await RehearseAsync(hasKey: true, serverHonorsKeys: false)).Should().Be(("charge 3", 3));
}
