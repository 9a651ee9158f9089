using System.Net;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Http.Benchmarks;

/// <summary>The same client three times: bare, with Microsoft's standard handler, with ours; each as its package sets it, but for the waits
/// between attempts, which are zero.</summary>
internal static class Clients
{
    internal static HttpClient Bare(Func<HttpMessageHandler> primary) => Make(primary, _ => { });

    internal static HttpClient Microsoft(Func<HttpMessageHandler> primary) => Make(primary, b => b.AddStandardResilienceHandler(o =>
    {
        o.Retry.Delay = TimeSpan.Zero;
        o.Retry.UseJitter = false;
        o.CircuitBreaker.FailureRatio = 1; // or it opens at the rehearsed failures
    }));

    internal static HttpClient Ours(Func<HttpMessageHandler> primary) => Make(primary, b => b.AddStandardResilience(o =>
    {
        o.Retry!.BaseDelay = o.Retry.MaxDelay = TimeSpan.Zero;
        o.Retry.Budget = RetryBudget.Unlimited; // Microsoft's has none
        o.CircuitBreaker!.FailureRatio = 1;
    }));

    private static HttpClient Make(Func<HttpMessageHandler> primary, Action<IHttpClientBuilder> resilience)
    {
        ServiceCollection services = new();
        IHttpClientBuilder builder = services.AddHttpClient("c").ConfigurePrimaryHttpMessageHandler(primary).RemoveAllLoggers();
        resilience(builder);
        HttpClient client = services.BuildServiceProvider().GetRequiredService<IHttpClientFactory>().CreateClient("c");
        client.BaseAddress = new("http://localhost/");
        return client;
    }
}

/// <summary>A network in memory that answers at once, later, or badly every other time. What every transport does, it does too: it looks whom to ask, and
/// hears of a caller who leaves. Otherwise who does so above it would pay for what is free over a real network.</summary>
internal sealed class Memory(bool suspends, bool fails) : HttpMessageHandler
{
    private int _count;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request.RequestUri);
        if (request.RequestUri.IdnHost.Length == 0) throw new HttpRequestException("There is no host.");
        using CancellationTokenRegistration leaving = cancellationToken.UnsafeRegister(static _ => { }, null);
        if (suspends) await Task.Yield();
        if (request.Content is not null) await request.Content.CopyToAsync(Stream.Null, cancellationToken);
        return new HttpResponseMessage(fails && _count++ % 2 == 0 ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK) { RequestMessage = request };
    }
}
