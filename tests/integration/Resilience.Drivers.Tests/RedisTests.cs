#pragma warning disable CS0618 // constructors without flags: they are what a test needs
using Resilience.StoreTests.Servers;
using StackExchange.Redis;

namespace Resilience.DriverTests;

/// <summary>The words of Redis, said by a real server to the real client, and what the client says when there is no answer.</summary>
public sealed class RedisTests(RedisServer server) : IClassFixture<RedisServer>
{
    private static OutcomeClassifier Rules(OutcomeClassifier rules) => rules.Redis();

    [Fact]
    public async Task Each_word_of_the_table_that_a_server_says_is_repeated_and_counted_as_its_row_says()
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync();
        IDatabase database = connection.GetDatabase();
        List<string> wrong = [];
        foreach (TransportRow row in RedisErrors.All.Where(r => r.Code == "*" || r.Code.All(char.IsAsciiLetterUpper)))
        {
            string word = row.Code == "*" ? "MYWORD" : row.Code, message = $"{word} {(row.When.Length > 0 ? row.When : "said by the test")}";

            // The client itself follows MOVED and ASK to the server that they name: as it would have to, it says what it was told.
            if (word is "MOVED" or "ASK") message = $"{word} said by the test";
            Driven driven = await Driven.By(Rules, _ => database.ScriptEvaluateAsync("return redis.error_reply(ARGV[1])", [], [message]));
            if (driven.DifferenceTo(row) is { } difference) wrong.Add(difference);
            if (driven.Outcome.Exception is not RedisServerException said || !said.Message.StartsWith(word, StringComparison.Ordinal)) wrong.Add($"{word}: {driven.Outcome}");
        }

        wrong.Should().BeEmpty();
    }

    [Theory]
    [InlineData("WRONGTYPE")]
    [InlineData("NOSCRIPT")]
    [InlineData("ERR")]
    [InlineData("EXECABORT")]
    [InlineData("OOM")]
    [InlineData("NOPERM")]
    public async Task A_fault_that_a_server_really_has_is_judged_by_its_word(string word)
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync("allowAdmin=true");
        IDatabase database = connection.GetDatabase();
        await database.ExecuteAsync("ACL", "SETUSER", "reader", "on", "nopass", "+@all", "-set", "~*");
        await using ConnectionMultiplexer reader = await server.ConnectAsync("user=reader,password=x");
        try
        {
            Driven driven = await Driven.By(Rules, _ => ProvokeAsync(word, database, reader.GetDatabase()));
            driven.Outcome.Exception.Should().BeOfType<RedisServerException>().Which.Message.Should().StartWith(word);
            driven.DifferenceTo(RedisErrors.Find(driven.Outcome.Exception!.Message)!).Should().BeNull();
        }
        finally
        {
            await database.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
        }
    }

    private static async Task ProvokeAsync(string word, IDatabase database, IDatabase reader)
    {
        switch (word)
        {
            case "WRONGTYPE":
                await database.StringSetAsync("text", "x");
                await database.ListLeftPushAsync("text", "y");
                break;
            case "NOSCRIPT":
                await database.ExecuteAsync("EVALSHA", new string('0', 40), 0);
                break;
            case "ERR":
                await database.ExecuteAsync("NOSUCHCOMMAND");
                break;
            case "EXECABORT":
                ITransaction transaction = database.CreateTransaction();
                _ = transaction.ExecuteAsync("NOSUCHCOMMAND").ContinueWith(_ => { }, TaskScheduler.Default);
                await transaction.ExecuteAsync();
                break;
            case "OOM":
                await database.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");
                await database.StringSetAsync("more", "x");
                break;
            default:
                await reader.StringSetAsync("text", "x");
                break;
        }
    }

    [Fact]
    public async Task A_command_that_was_sent_and_not_answered_may_have_been_carried_out()
    {
        // The driver gives up a connection on which nothing was read for four times this long: both tries must end well before that.
        await using ConnectionMultiplexer connection = await server.ConnectAsync("asyncTimeout=2000");
        await using ConnectionMultiplexer other = await server.ConnectAsync("allowAdmin=true");
        await connection.GetDatabase().PingAsync();
        await other.GetDatabase().ExecuteAsync("CLIENT", "PAUSE", "60000", "WRITE");
        try
        {
            Driven driven = await Driven.By(Rules, _ => connection.GetDatabase().StringSetAsync("k", "v"));
            driven.Outcome.Exception.Should().BeOfType<RedisTimeoutException>().Which.Commandstatus.Should().Be(CommandStatus.Sent);
            driven.DifferenceTo(RedisErrors.Find("Sent")!).Should().BeNull();
        }
        finally
        {
            await other.GetDatabase().ExecuteAsync("CLIENT", "UNPAUSE");
        }
    }

    [Fact]
    public async Task A_command_for_a_server_that_is_away_never_left()
    {
        RedisServer own = new();
        await own.InitializeAsync();
        try
        {
            await using ConnectionMultiplexer connection = await own.ConnectAsync("asyncTimeout=200,syncTimeout=200");
            await connection.GetDatabase().PingAsync();
            own.KillHard();
            await UntilDisconnectedAsync(connection);
            Driven driven = await Driven.By(Rules, _ => connection.GetDatabase().StringSetAsync("k", "v"));
            driven.Outcome.Exception.Should().BeAssignableTo<Exception>();
            driven.DifferenceTo(RedisErrors.Find("WaitingInBacklog")!).Should().BeNull();
        }
        finally
        {
            await own.DisposeAsync();
        }
    }

    private static async Task UntilDisconnectedAsync(ConnectionMultiplexer connection)
    {
        for (int i = 0; i < 3000 && connection.IsConnected; i++) await Task.Delay(20);
        connection.IsConnected.Should().BeFalse("the server is gone");
    }

    [Fact]
    public async Task The_states_of_a_command_that_was_not_answered_are_judged_by_their_rows()
    {
        List<string> wrong = [];
        foreach (CommandStatus status in Enum.GetValues<CommandStatus>())
        {
            TransportRow row = RedisErrors.All.Single(r => r.Code == $"{status}");
            foreach (Exception thrown in new Exception[]
            {
                new RedisTimeoutException("x", status), new RedisConnectionException(ConnectionFailureType.SocketFailure, "x", null, status),
            })
            {
                if ((await Driven.By(Rules, _ => throw thrown)).DifferenceTo(row) is { } difference) wrong.Add($"{thrown.GetType().Name} {difference}");
            }
        }

        foreach ((Exception thrown, string code) in new (Exception, string)[]
        {
            (new RedisCommandException("x"), "RedisCommandException"),
            (new RedisConnectionException(ConnectionFailureType.AuthenticationFailure, "x"), "AuthenticationFailure"),
            (new RedisConnectionException(ConnectionFailureType.UnableToConnect, "x", new RedisConnectionException(ConnectionFailureType.AuthenticationFailure, "y")), "AuthenticationFailure"),
            (new RedisTimeoutException("x", (CommandStatus)99), "Unknown"),
        })
        {
            if ((await Driven.By(Rules, _ => throw thrown)).DifferenceTo(RedisErrors.All.Single(r => r.Code == code)) is { } difference) wrong.Add(difference);
        }

        wrong.Should().BeEmpty();
    }
}
