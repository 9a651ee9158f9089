using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Resilience.AspNetCore.Tests;

/// <summary>What an application changes in its options after they were put to use takes no effect, here as everywhere (the other kinds of options:
/// <c>OptionsOwnershipTests</c> of the repository).</summary>
public sealed class OptionsOwnershipTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Options_of_an_endpoint_that_are_changed_later_change_nothing(bool ofEndpoint)
    {
        int runs = 0;
        IdempotencyEndpointOptions? given = null;
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/do", () => $"done {++runs}").RequireIdempotencyKey(ofEndpoint ? o => given = o : null),
            endpoints: ofEndpoint ? null : o => given = o);
        (await shop.SendAsync("/do")).Text.Should().Be("done 1");
        given ??= shop.Services.GetRequiredService<IOptions<IdempotencyEndpointOptions>>().Value;
        given.HeaderName = "Other-Key";
        given.MaxKeyLength = 1;
        given.KeptHeaders.Clear();
        (await shop.SendAsync("/do")).Text.Should().Be("done 1", "the key is still the header's, and may be as long as it was");
        runs.Should().Be(1);
    }

    [Fact]
    public async Task Options_of_the_live_page_that_are_changed_later_open_nothing()
    {
        ResilienceDashboardOptions? given = null;
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapResilienceDashboard(configure: o => given = o), services: s => s.AddResilience());
        given!.AllowAnonymousOutsideDevelopment = true;
        (await shop.SendAsync("/resilience", key: null, method: "GET", change: r => r.Content = null)).Status.Should().Be(404);
    }
}
