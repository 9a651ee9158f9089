using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace Resilience.Idempotency;

/// <summary>What the errors of Redis mean to a store.</summary>
internal static class RedisFaults
{
    /// <summary>Null when it is not the store's: a mistake of the caller, or his cancellation.</summary>
    internal static IdempotencyStoreException? Translate(Exception error) => error switch
    {
        RedisServerException e => new(FaultOf(e.Message), $"Redis rejected an operation: {e.Message}", e),
        RedisConnectionException e => Away(e, []),
        RedisCommandException e => new(IdempotencyStoreFault.Misconfigured, $"The connection to Redis does not allow an operation: {e.Message}", e),
        RedisException or TimeoutException => new(IdempotencyStoreFault.Unavailable, $"Redis could not be asked: {error.Message}", error),
        _ => null,
    };

    /// <summary>There is no connection. The cause is what lies deepest: a refused connection, a name that is not known, a password that is wrong.</summary>
    internal static IdempotencyStoreException Away(Exception error, IReadOnlyCollection<EndPoint> servers)
    {
        Exception cause = error;
        bool isShutOut = false;
        for (Exception? inner = error; inner is not null; inner = inner.InnerException)
        {
            isShutOut |= inner is RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure };
            cause = inner;
        }

        // The client gives up its own attempt to connect when that takes too long.
        string what = cause is OperationCanceledException or SocketException { SocketErrorCode: SocketError.OperationAborted }
            ? "no connection could be made in time"
            : cause.Message;
        string where = servers.Count == 0 ? "" : $" at {string.Join(", ", servers)}";
        return isShutOut
            ? new(IdempotencyStoreFault.Misconfigured, $"Redis{where} does not let us in: {what}", error)
            : new(IdempotencyStoreFault.Unavailable, $"Redis{where} could not be asked: {what}", error);
    }

    internal static IdempotencyStoreException Corrupt(RedisKey key) =>
        new(IdempotencyStoreFault.Corrupt, $"The key {key} is no record of ours, or one of a newer version.");

    private static IdempotencyStoreFault FaultOf(string message)
    {
        // Redis 5 and 6 put a sentence about the script before the error of a command: the word of that one counts.
        int inner = message.StartsWith("ERR Error running script", StringComparison.Ordinal) ? message.LastIndexOf(": -", StringComparison.Ordinal) : -1;
        if (inner >= 0) message = message[(inner + 3)..];
        if (Says(message, "WRONGTYPE")) return IdempotencyStoreFault.Corrupt;

        // MISCONF: it cannot write to its disk.
        if (Says(message, "OOM") || Says(message, "MISCONF")) return IdempotencyStoreFault.Full;
        if (Says(message, "NOAUTH") || Says(message, "NOPERM") || Says(message, "WRONGPASS")) return IdempotencyStoreFault.Misconfigured;

        // ERR is what has no word of its own: a command that it does not know, an older version. READONLY, LOADING, CLUSTERDOWN, BUSY,
        // TRYAGAIN, MASTERDOWN, NOREPLICAS and what else there is pass.
        return message.StartsWith("ERR ", StringComparison.Ordinal) && !message.Contains("max number of clients", StringComparison.Ordinal)
            ? IdempotencyStoreFault.Misconfigured
            : IdempotencyStoreFault.Unavailable;
    }

    /// <summary>The word at the beginning; older versions put a sentence about the script before it.</summary>
    private static bool Says(string message, string word) =>
        message.StartsWith(word + " ", StringComparison.Ordinal) || message.Contains($": {word} ", StringComparison.Ordinal)
        || message.Contains($": -{word} ", StringComparison.Ordinal);
}
