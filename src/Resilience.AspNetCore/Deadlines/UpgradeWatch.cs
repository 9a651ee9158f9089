using System.Net.WebSockets;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Resilience.Overload;

/// <summary>Takes the deadline from a request that becomes a connection of another protocol: a socket lives longer than any request. An <c>Upgrade</c> that
/// the server does not follow changes nothing.</summary>
internal static class UpgradeWatch
{
    /// <summary>Whether <c>UseWebSockets</c> stands before or behind, and whatever the version of HTTP.</summary>
    internal static void Watch(HttpContext context, Action upgraded)
    {
        IFeatureCollection features = context.Features;
        if (features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } upgrade) features.Set<IHttpUpgradeFeature>(new Upgrade(upgrade, upgraded));
        if (features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
            features.Set<IHttpExtendedConnectFeature>(new Connect(connect, upgraded));
        if (features.Get<IHttpWebSocketFeature>() is { IsWebSocketRequest: true } socket) features.Set<IHttpWebSocketFeature>(new Socket(socket, upgraded));
    }

    private sealed class Upgrade(IHttpUpgradeFeature inner, Action upgraded) : IHttpUpgradeFeature
    {
        public bool IsUpgradableRequest => inner.IsUpgradableRequest;

        public async Task<Stream> UpgradeAsync()
        {
            Stream stream = await inner.UpgradeAsync().ConfigureAwait(false);
            upgraded();
            return stream;
        }
    }

    private sealed class Connect(IHttpExtendedConnectFeature inner, Action upgraded) : IHttpExtendedConnectFeature
    {
        public bool IsExtendedConnect => inner.IsExtendedConnect;

        public string? Protocol => inner.Protocol;

        public async ValueTask<Stream> AcceptAsync()
        {
            Stream stream = await inner.AcceptAsync().ConfigureAwait(false);
            upgraded();
            return stream;
        }
    }

    private sealed class Socket(IHttpWebSocketFeature inner, Action upgraded) : IHttpWebSocketFeature
    {
        public bool IsWebSocketRequest => inner.IsWebSocketRequest;

        public async Task<WebSocket> AcceptAsync(WebSocketAcceptContext context)
        {
            WebSocket socket = await inner.AcceptAsync(context).ConfigureAwait(false);
            upgraded();
            return socket;
        }
    }
}
