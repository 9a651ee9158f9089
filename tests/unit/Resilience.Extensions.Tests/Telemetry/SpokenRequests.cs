using System.Net;

namespace Resilience.Tests.Telemetry;

/// <summary>What callers of an HttpClient catch: rejected or timed out, at once and after attempts.</summary>
internal static class SpokenRequests
{
    internal static async Task<IReadOnlyList<string>> AllAsync()
    {
        static void Isolated(HttpResilience client) => client.For(new("https://shop.example")).CircuitBreaker!.Isolate();
        return
        [
            await CaughtAsync(Isolated, HttpStatusCode.OK),
            await CaughtAsync(_ => { }, [null]),
            await CaughtAsync(_ => { }, HttpStatusCode.ServiceUnavailable, null),
            await CaughtAsync(_ => { }, HttpStatusCode.ServiceUnavailable, HttpStatusCode.BadGateway, null),
        ];
    }

    /// <summary>A null answer never comes.</summary>
    private static async Task<string> CaughtAsync(Action<HttpResilience> prepare, params HttpStatusCode?[] answers)
    {
        StandardResilienceOptions options = new() { TotalTimeout = null, AttemptTimeout = TimeSpan.FromSeconds(2) };
        options.Retry!.MaxRetries = answers.Length - 1;
        InstantTime time = new() { MaxWait = TimeSpan.FromSeconds(2), StandsStill = true };
        HttpResilience client = HttpResilience.Standard(options, "shop", builder => builder.TimeProvider = time);
        prepare(client);
        using HttpClient http = new(new ResilienceHttpHandler(client, new Answers(answers)));
        try
        {
            using HttpResponseMessage answer = await http.GetAsync("https://shop.example/orders");
            return $"it was answered with {answer.StatusCode}";
        }
        catch (HttpRequestException caught)
        {
            return caught.Message;
        }
    }

    private sealed class Answers(HttpStatusCode?[] answers) : HttpMessageHandler
    {
        private int _asked = -1;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (answers[++_asked] is { } status) return new(status);
            await Task.Delay(Timeout.Infinite, cancellationToken);
            throw new InvalidOperationException();
        }
    }
}
