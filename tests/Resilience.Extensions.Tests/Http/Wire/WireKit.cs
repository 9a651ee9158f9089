using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Resilience.Tests.Http.Wire;

/// <summary>Clients over real connections.</summary>
internal static class WireKit
{
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Both versions, as arguments of theories.</summary>
    public static TheoryData<HttpProtocols> Versions => new(HttpProtocols.Http1, HttpProtocols.Http2);

    internal static HttpRequestMessage Request(HttpProtocols protocols, HttpMethod method, Uri uri, HttpContent? content = null, string? key = null)
    {
        HttpRequestMessage request = new(method, uri)
        {
            Version = VersionOf(protocols),
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        if (key is not null) request.Headers.Add("Idempotency-Key", key);
        return request;
    }

    internal static Version VersionOf(HttpProtocols protocols) => protocols == HttpProtocols.Http2 ? HttpVersion.Version20 : HttpVersion.Version11;

    /// <summary>Each request on a connection of its own: SocketsHttpHandler repeats by itself what a connection that it has used before
    /// did not answer.</summary>
    internal static SocketsHttpHandler Fresh() => new() { PooledConnectionLifetime = TimeSpan.Zero };

    /// <summary>Ends with the exception that the call ended with.</summary>
    internal static async Task<Exception> FailureOf(Func<Task> call)
    {
        try
        {
            await call().WaitAsync(Limit);
        }
        catch (Exception error)
        {
            return error;
        }

        throw new InvalidOperationException("The call succeeded.");
    }
}

/// <summary>An inner handler that does something to each attempt, or tells the test when the headers of its answer have arrived.</summary>
internal sealed class Inner(HttpMessageHandler network) : DelegatingHandler(network)
{
    internal Action<HttpRequestMessage>? Before { get; init; }

    internal Action<HttpResponseMessage>? After { get; init; }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Before?.Invoke(request);
        HttpResponseMessage response = await base.SendAsync(request, cancellationToken);
        After?.Invoke(response);
        return response;
    }
}
