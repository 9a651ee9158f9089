using System.Net.Sockets;
using Resilience.Tests.Support;

namespace Resilience.StoreTests.Servers;

/// <summary>The tools of these tests do what they say.</summary>
public sealed class ServerTests
{
    [Fact]
    public void A_missing_server_is_a_failure_that_says_what_to_install() =>
        FluentActions.Invoking(() => ServerProcess.Find("no-such-server", "some-package", []))
            .Should().Throw<InvalidOperationException>().WithMessage("*no-such-server*apt-get install some-package*");

    [Fact]
    [Requires(Tool.PostgreSql)]
    public async Task Postgres_comes_back_with_what_was_committed()
    {
        PostgresServer server = new(durable: true);
        try
        {
            await server.InitializeAsync();
            await server.ExecuteAsync("CREATE TABLE t AS SELECT 42 AS x");
            server.KillHard();
            await FluentActions.Awaiting(() => server.AskAsync("SELECT x FROM t")).Should().ThrowAsync<Npgsql.NpgsqlException>();
            await server.StartAgainAsync();
            (await server.AskAsync("SELECT x FROM t")).Should().Be(42);
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [Fact]
    [Requires(Tool.Redis)]
    public async Task Redis_comes_back_with_what_was_acknowledged()
    {
        RedisServer server = RedisServer.Durable();
        try
        {
            await server.InitializeAsync();
            await TalkAsync(server.Port, "SET a 42\r\n", "+OK\r\n");
            server.KillHard();
            await FluentActions.Awaiting(() => TalkAsync(server.Port, "GET a\r\n", "")).Should().ThrowAsync<SocketException>();
            await server.StartAgainAsync();
            await TalkAsync(server.Port, "GET a\r\n", "$2\r\n42\r\n");
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [Fact]
    [Requires(Tool.Redis)]
    public async Task The_proxy_passes_holds_cuts_loses_resets_and_rejects()
    {
        RedisServer server = new();
        try
        {
            await server.InitializeAsync();
            await using FaultProxy proxy = new(server.Port);
            await TalkAsync(proxy.Port, "PING\r\n", "+PONG\r\n");

            proxy.Fault = Fault.BlackHole;
            Task held = TalkAsync(proxy.Port, "INCR a\r\n", ":1\r\n");
            await proxy.Struck;
            held.IsCompleted.Should().BeFalse();
            proxy.Fault = Fault.None;
            await held;

            proxy.Fault = Fault.LoseReply;
            await FluentActions.Awaiting(() => TalkAsync(proxy.Port, "INCR a\r\n", ":2\r\n")).Should().ThrowAsync<IOException>();
            proxy.Struck.IsCompleted.Should().BeTrue();
            proxy.Fault = Fault.Reset;
            await FluentActions.Awaiting(() => TalkAsync(proxy.Port, "INCR a\r\n", ":3\r\n")).Should().ThrowAsync<IOException>();
            proxy.Fault = Fault.CutReply;
            await FluentActions.Awaiting(() => TalkAsync(proxy.Port, "GET a\r\n", "$1\r\n2\r\n")).Should().ThrowAsync<IOException>();
            proxy.Fault = Fault.Reject;
            await FluentActions.Awaiting(() => TalkAsync(proxy.Port, "GET a\r\n", "")).Should().ThrowAsync<Exception>()
                .Where(e => e is IOException || e is SocketException); // while connecting, or just after
            proxy.Fault = Fault.None;
            proxy.Delay = TimeSpan.FromMilliseconds(1);
            await TalkAsync(proxy.Port, "GET a\r\n", "$1\r\n2\r\n"); // the lost one was done, the reset one was not
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    private static async Task TalkAsync(int port, string request, string reply)
    {
        using TcpClient client = new();
        await client.ConnectAsync("127.0.0.1", port);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(request));
        byte[] expected = System.Text.Encoding.ASCII.GetBytes(reply), answer = new byte[Math.Max(1, expected.Length)];
        await stream.ReadExactlyAsync(answer); // an early end is an EndOfStreamException, which is an IOException
        answer.Should().Equal(expected);
    }
}
