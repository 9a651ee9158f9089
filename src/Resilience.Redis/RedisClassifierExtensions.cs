using Resilience.Transports;
using StackExchange.Redis;

namespace Resilience;

/// <summary>The rules of Redis.</summary>
public static class RedisClassifierExtensions
{
    /// <summary>Errors of StackExchange.Redis are judged by <see cref="RedisErrors"/>: those of the server by the first word of their message, those of the
    /// client by whether the command was sent. A rule of the user comes first, wherever it is written.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rules"/> is null.</exception>
    public static OutcomeClassifier Redis(this OutcomeClassifier rules)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return rules.Table(RedisErrors.All.Name, static table => table
            .On<RedisServerException>(static e => RedisErrors.Judge(e.Message))
            .On<RedisTimeoutException>(static e => RedisErrors.Judge(StateOf(e.Commandstatus)))
            .On<RedisConnectionException>(static e => RedisErrors.Judge(
                IsShutOut(e) ? nameof(ConnectionFailureType.AuthenticationFailure) : StateOf(e.CommandStatus)))
            .On<RedisCommandException>(static _ => RedisErrors.Judge(nameof(RedisCommandException))));
    }

    /// <summary>A state that this version does not know is one in which the command may have been sent.</summary>
    private static string StateOf(CommandStatus status) => status switch
    {
        CommandStatus.WaitingToBeSent => nameof(CommandStatus.WaitingToBeSent),
        CommandStatus.WaitingInBacklog => nameof(CommandStatus.WaitingInBacklog),
        CommandStatus.Sent => nameof(CommandStatus.Sent),
        _ => nameof(CommandStatus.Unknown),
    };

    /// <summary>The password is wrong: that may stand below the connection that was not made.</summary>
    private static bool IsShutOut(Exception? error)
    {
        for (int depth = 0; error is not null && depth < 16; depth++, error = error.InnerException)
        {
            if (error is RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure }) return true;
        }

        return false;
    }
}
