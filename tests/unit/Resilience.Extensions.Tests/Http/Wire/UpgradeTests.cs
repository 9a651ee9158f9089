using System.Net.WebSockets;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http.Wire;

/// <summary>What begins with an agreement: connections that turn into something else, and bodies that are sent when they are asked for.</summary>
public sealed class UpgradeTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("1.1", 2)]
    [InlineData("2.0", 1)]
    public async Task A_web_socket_is_opened_at_the_second_attempt_where_it_begins_as_a_get_and_outlives_all_timeouts(string version, int requests)
    {
        FakeTimeProvider time = new();
        await using WireServer server = await WireServer.StartAsync(
            async (n, c) =>
            {
                if (n < requests - 1) // CONNECT, as it begins over HTTP/2, is not repeated
                {
                    c.Response.StatusCode = 503;
                    return;
                }

                Stream stream;
                if (c.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect)
                {
                    connect.Protocol.Should().Be("websocket");
                    stream = await connect.AcceptAsync();
                }
                else
                {
                    c.Response.Headers.Upgrade = "websocket";
                    c.Response.Headers.SecWebSocketAccept = Accept(c.Request.Headers.SecWebSocketKey.ToString());
                    stream = await c.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
                }

                using WebSocket socket = WebSocket.CreateFromStream(stream, new WebSocketCreationOptions { IsServer = true });
                byte[] heard = new byte[10];
                WebSocketReceiveResult result = await socket.ReceiveAsync(heard, c.RequestAborted);
                await socket.SendAsync(heard.AsMemory(0, result.Count), WebSocketMessageType.Text, true, c.RequestAborted);
            },
            version == "2.0" ? HttpProtocols.Http2 : HttpProtocols.Http1,
            readsBodies: false);
        HttpResilience resilience = HttpKit.Standard(time, o => (o.ReadIdleTimeout, o.BufferResponses) = (TimeSpan.FromSeconds(10), true));
        using HttpMessageInvoker invoker = new(new ResilienceHttpHandler(resilience, new SocketsHttpHandler()));
        using ClientWebSocket client = new();
        client.Options.HttpVersion = new(version);
        client.Options.HttpVersionPolicy = HttpVersionPolicy.RequestVersionExact;
        Uri address = new UriBuilder(server.Address) { Scheme = "ws" }.Uri;
        await client.ConnectAsync(address, invoker, default).WaitAsync(Patience);
        time.Advance(TimeSpan.FromHours(1));
        await client.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, true, default).WaitAsync(Patience);
        byte[] answer = new byte[10];
        WebSocketReceiveResult result = await client.ReceiveAsync(answer, default).WaitAsync(Patience);
        answer[..result.Count].Should().Equal("hello"u8.ToArray());
        server.Count.Should().Be(requests);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_one_shot_stream_that_waits_to_be_asked_for_is_offered_until_the_server_wants_it(string version)
    {
        string received = "";
        await using WireServer server = await WireServer.StartAsync(
            async (n, c) =>
            {
                c.Response.StatusCode = n < 2 ? 503 : 200;
                if (n == 2) received = await new StreamReader(c.Request.Body).ReadToEndAsync(); // asks for it: 100 Continue
            },
            version == "2.0" ? HttpProtocols.Http2 : HttpProtocols.Http1,
            readsBodies: false);
        using HttpClient client = HttpKit.Client(HttpKit.Standard(new FakeTimeProvider()), new SocketsHttpHandler { Expect100ContinueTimeout = Patience });
        HttpRequestMessage request = new(HttpMethod.Put, server.Address)
        {
            Version = new(version),
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new StreamContent(new OneWay()),
        };
        request.Headers.ExpectContinue = true;
        using HttpResponseMessage response = await client.SendAsync(request).WaitAsync(Patience);
        response.StatusCode.Should().Be(System.Net.HttpStatusCode.OK);
        received.Should().Be("once");
        server.Count.Should().Be(3);
    }

    /// <summary>What RFC 6455 wants of a server.</summary>
    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5350", Justification = "The protocol asks for SHA-1.")]
    private static string Accept(string key) =>
        Convert.ToBase64String(System.Security.Cryptography.SHA1.HashData(System.Text.Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));

    private sealed class OneWay() : MemoryStream("once"u8.ToArray())
    {
        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();
    }
}
