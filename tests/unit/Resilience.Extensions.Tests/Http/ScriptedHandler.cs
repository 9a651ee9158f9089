using System.Collections.Concurrent;
using System.Net;

namespace Resilience.Tests.Http;

/// <summary>A network in memory: answers as the test says, and remembers what it was sent.</summary>
internal sealed class ScriptedHandler(Func<int, HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> answer) : HttpMessageHandler
{
    private int _count;

    internal ScriptedHandler(params HttpStatusCode[] statuses)
        : this((n, _, _) => Task.FromResult<HttpResponseMessage>(new TrackedResponse(statuses[Math.Min(n, statuses.Length - 1)])))
    {
    }

    internal ScriptedHandler(Func<int, HttpRequestMessage, HttpResponseMessage> answer)
        : this((n, request, _) => Task.FromResult(answer(n, request)))
    {
    }

    /// <summary>False: connects first, and fails before it reads.</summary>
    internal bool ReadsBodies { get; init; } = true;

    internal int Count => Volatile.Read(ref _count);

    internal ConcurrentQueue<Seen> Requests { get; } = [];

    internal ConcurrentQueue<HttpResponseMessage> Responses { get; } = [];

    internal string[] Values(string header) => [.. Requests.Select(r => r.Headers.TryGetValue(header, out string? value) ? value : "")];

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        int number = Interlocked.Increment(ref _count) - 1;
        string? body = request.Content is null || !ReadsBodies ? null : await request.Content.ReadAsStringAsync(cancellationToken);
        Requests.Enqueue(new(
            request.Method, request.RequestUri!, request.Version, request.VersionPolicy,
            request.Headers.ToDictionary(h => h.Key, h => string.Join(",", h.Value)), body, request));
        HttpResponseMessage response = await answer(number, request, cancellationToken);
        response.RequestMessage ??= request;
        Responses.Enqueue(response);
        return response;
    }

    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken) =>
        SendAsync(request, cancellationToken).GetAwaiter().GetResult();

    internal sealed record Seen(
        HttpMethod Method, Uri Uri, Version Version, HttpVersionPolicy VersionPolicy, Dictionary<string, string> Headers, string? Body, HttpRequestMessage Message);
}

/// <summary>A response that knows whether it was disposed of.</summary>
internal sealed class TrackedResponse : HttpResponseMessage
{
    internal TrackedResponse(HttpStatusCode status, string body = "")
        : base(status) => Content = new StringContent(body);

    internal bool IsDisposed { get; private set; }

    protected override void Dispose(bool disposing)
    {
        IsDisposed = true;
        base.Dispose(disposing);
    }
}

/// <summary>Clients over a scripted network, on a clock of the test.</summary>
internal static class HttpKit
{
    internal static readonly Uri Address = new("https://api.example.test/orders");

    internal static HttpResilience Standard(TimeProvider time, Action<StandardResilienceOptions>? configure = null, Action<ResilienceEvent>? hear = null)
    {
        StandardResilienceOptions options = new();
        options.Retry!.BaseDelay = options.Retry.MaxDelay = TimeSpan.Zero;
        configure?.Invoke(options);
        return HttpResilience.Standard(options, "shop", b =>
        {
            b.TimeProvider = time;
            if (hear is not null) b.OnEvent(hear);
        });
    }

    internal static HttpClient Client(HttpResilience resilience, HttpMessageHandler network) => new(new ResilienceHttpHandler(resilience, network));

    internal static HttpRequestMessage Request(HttpMethod method, HttpContent? content = null) => new(method, Address) { Content = content };
}
