using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http.Resilience;
using Polly;
using Polly.Registry;
using Resilience.Tests.Http;

namespace Resilience.Tests.DependencyInjection;

/// <summary>Both libraries in one file and one container, as in a code base that is moving from one to the other: what is registered is
/// called without qualification, and no registration is found in the place of another.</summary>
public sealed class NamesTests
{
    [Fact]
    public async Task Registrations_of_polly_and_microsoft_stand_beside_ours()
    {
        ScriptedHandler theirs = new(HttpStatusCode.BadGateway), ours = new(HttpStatusCode.BadGateway);
        ServiceCollection services = new();
        services.AddResiliencePipeline("orders", (Polly.ResiliencePipelineBuilder b) => b.AddTimeout(TimeSpan.FromSeconds(1)));
        services.AddResilience().AddPipeline("orders", b => b.AddRetry().AddTimeout(TimeSpan.FromSeconds(2)));
        services.AddHttpClient("theirs").ConfigurePrimaryHttpMessageHandler(() => theirs)
            .AddStandardResilienceHandler(o => (o.Retry.Delay, o.Retry.MaxRetryAttempts) = (TimeSpan.Zero, 1));
        services.AddHttpClient("ours").ConfigurePrimaryHttpMessageHandler(() => ours)
            .AddStandardResilience(o =>
            {
                o.Retry!.BaseDelay = o.Retry.MaxDelay = TimeSpan.Zero;
                o.Retry.MaxRetries = 2;
            });
        services.AddHttpClient("custom").AddResilienceHandler("h", b => b.AddTimeout(new HttpTimeoutStrategyOptions()));
        services.AddHttpClient("custom of ours").AddResilience(b => b.AddTimeout(TimeSpan.FromSeconds(3)));

        await using ServiceProvider container = services.BuildServiceProvider();
        container.GetRequiredService<ResiliencePipelineProvider<string>>().GetPipeline("orders").Should().BeOfType<Polly.ResiliencePipeline>();
        container.GetRequiredService<ResiliencePipelineProvider>().GetPipeline("orders").Describe().Policies.Should().HaveCount(2);
        container.GetRequiredKeyedService<Polly.ResiliencePipeline>("orders").Should().NotBeNull();
        container.GetRequiredKeyedService<ResiliencePipeline>("orders").Should().NotBeNull();
        IHttpClientFactory clients = container.GetRequiredService<IHttpClientFactory>();
        await clients.CreateClient("theirs").GetAsync(HttpKit.Address);
        await clients.CreateClient("ours").GetAsync(HttpKit.Address);
        (theirs.Count, ours.Count).Should().Be((2, 3));
    }
}
