using System.Globalization;
using System.Net;
using Resilience.Extensibility;
using StackExchange.Redis;

namespace Resilience.Idempotency;

/// <summary>Idempotency records in Redis (5 or newer, also a cluster), one packed string for each. Thread-safe.</summary>
/// <remarks>
/// <para>Every operation is one script, which is one step and one round trip, with one key. The clock is the server's. The connection stays the
/// caller's; its timeouts bound the waiting, and its backlog decides whether an operation waits for a connection that is away.</para>
/// <para>Redis is as durable as it is set up: with <c>appendonly yes</c> and <c>appendfsync everysec</c> up to a second of it can be lost,
/// and what the replicas do not know yet is lost when one of them is promoted. With a <c>maxmemory-policy</c> other than
/// <c>noeviction</c> records vanish when memory is short. <see cref="CheckAsync"/> says what it finds of this.</para>
/// </remarks>
public sealed class RedisIdempotencyStore : IResolvableIdempotencyStore, ICheckableIdempotencyStore, IAsyncDisposable
{
    private readonly IConnectionMultiplexer _connection;
    private const string Completed = "2", Released = "3", OutcomeUnknown = "4";

    private readonly RedisIdempotencyOptions _options;
    private bool _ownsConnection;

    /// <summary>Creates the store. Nothing is asked of the server yet.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="connection"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">An option is out of its range.</exception>
    public RedisIdempotencyStore(IConnectionMultiplexer connection, RedisIdempotencyOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        options = _options = (options ?? new()).Copy();
        options.ThrowIfInvalid();
        _connection = connection;
        Traits = new() { Name = "redis", IsShared = true, IsDurable = false, MaxPayloadBytes = options.MaxPayloadBytes };
    }

    /// <inheritdoc/>
    public IdempotencyStoreTraits Traits { get; }

    /// <summary>A store with a connection of its own: it is closed with the store.</summary>
    internal static RedisIdempotencyStore Owning(IConnectionMultiplexer connection, RedisIdempotencyOptions options) =>
        new(connection, options) { _ownsConnection = true };

    /// <summary>Closes the connection that the store made for itself; one that it was given stays open.</summary>
    public ValueTask DisposeAsync() => _ownsConnection ? _connection.DisposeAsync() : default;

    private IDatabase Database => _connection.GetDatabase(_options.Database);

    /// <inheritdoc/>
    public async ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.Check(request);
        RedisKey key = KeyOf(request.Id);
        TimeSpan retention = request.Retention > request.Lease ? request.Retention : request.Lease;
        RedisValue[] values =
            [request.Fingerprint.ToArray(), request.Nonce.ToByteArray(), Micros(request.Lease), Micros(retention), request.MaxAttempts];
        RedisResult result = await RunAsync(RedisScripts.Acquire, key, values, cancellationToken).ConfigureAwait(false);
        AcquireResult answer = RedisReply.Acquire(result) ?? throw RedisFaults.Corrupt(key);
        if (answer.Status == AcquireStatus.Acquired) await WaitAsync(key, cancellationToken).ConfigureAwait(false);
        return answer;
    }

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckLease(lease);
        return ChangeAsync(RedisScripts.Renew, id, [Text(fence), Micros(lease)], cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckCompletion(completion, payload, retention, Traits.MaxPayloadBytes);
        string state = completion == IdempotencyCompletion.Completed ? Completed : OutcomeUnknown;

        // A copy: what could not be sent in time is sent later, when the caller uses his buffer for something else.
        return ChangeAsync(RedisScripts.Complete, id, [Text(fence), state, payload.ToArray(), Micros(retention)], cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) =>
        ChangeAsync(RedisScripts.Release, id, [Text(fence)], cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<ResolveResult> ResolveRecordAsync(ResolveRequest request, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.Check(request, Traits.MaxPayloadBytes);
        RedisKey key = KeyOf(request.Id);
        string state = request.Completion switch
        {
            IdempotencyCompletion.None => Released,
            IdempotencyCompletion.Completed => Completed,
            _ => OutcomeUnknown,
        };
        RedisValue[] values = [Text(request.Fence), state, request.Nonce.ToByteArray(), request.Payload.ToArray(), Micros(request.Retention)];
        RedisResult result = await RunAsync(RedisScripts.Resolve, key, values, cancellationToken).ConfigureAwait(false);
        ResolveResult answer = RedisReply.Resolve(result) ?? throw RedisFaults.Corrupt(key);
        if (answer.Status == ResolveStatus.Resolved) await WaitAsync(key, cancellationToken).ConfigureAwait(false);
        return answer;
    }

    /// <inheritdoc/>
    public async ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default)
    {
        RedisKey key = KeyOf(id);
        RedisResult result = await RunAsync(RedisScripts.Peek, key, [], cancellationToken).ConfigureAwait(false);
        return RedisReply.Peek(result) ?? throw RedisFaults.Corrupt(key);
    }

    /// <summary>Does nothing: keys carry a time to live, and Redis removes them by itself about a minute after they have expired.</summary>
    /// <returns>0.</returns>
    public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return new(0);
    }

    /// <summary>Looks at how the servers are set up and which format their records have, for a check at the start or a page of an operator.</summary>
    /// <returns>One sentence for each thing that can make records vanish; empty when nothing was found.</returns>
    /// <exception cref="IdempotencyStoreException">No primary could be asked, a right is missing, a server with a bound on its memory evicts, or a newer
    /// version of this library writes records here that this one cannot read.</exception>
    public async Task<IReadOnlyList<string>> CheckAsync(CancellationToken cancellationToken = default)
    {
        List<string> warnings = [];
        int asked = 0;
        foreach (IServer server in _connection.GetServers())
        {
            if (!server.IsConnected || server.IsReplica) continue;
            asked++;
            try
            {
                RedisResult said = await server.ExecuteAsync("EVAL", RedisScripts.Setup, 0).WaitAsync(cancellationToken).ConfigureAwait(false);
                RedisSetup.Warn(server.EndPoint, (string?)said ?? "", _options, warnings);
            }
            catch (RedisServerException e)
            {
                warnings.Add($"{server.EndPoint} does not say how it is set up: {e.Message}");
            }
            catch (Exception e) when (RedisFaults.Translate(e) is { } ours)
            {
                throw ours;
            }
        }

        if (asked > 0) await WarnAboutScriptsAsync(warnings, cancellationToken).ConfigureAwait(false);
        else throw await WhyAwayAsync().ConfigureAwait(false);
        await CheckFormatAsync(cancellationToken).ConfigureAwait(false);
        return warnings;
    }

    private async Task WarnAboutScriptsAsync(List<string> warnings, CancellationToken cancellationToken)
    {
        try
        {
            await Database.ExecuteAsync("SCRIPT", "LOAD", RedisScripts.Peek).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (RedisFaults.Translate(e) is { Fault: IdempotencyStoreFault.Misconfigured })
        {
            warnings.Add($"Redis takes no scripts to keep, so the text of each is sent with every operation: {e.Message}");
        }
    }

    /// <summary>Records of format 1 are read and written anew; those of a newer one are rejected, each as it is met, and all of them here.</summary>
    private async Task CheckFormatAsync(CancellationToken cancellationToken)
    {
        RedisKey key = _options.KeyPrefix + "format";
        await RunAsync(RedisScripts.Format, key, [RedisScripts.NewestFormat], cancellationToken).ConfigureAwait(false); // by its text
        long newest = (long)await RunAsync(RedisScripts.Format, key, [RedisScripts.NewestFormat], cancellationToken).ConfigureAwait(false); // by its hash
        if (newest <= RedisScripts.NewestFormat) return;
        throw new IdempotencyStoreException(
            IdempotencyStoreFault.Misconfigured,
            $"Records in Redis have format {newest} (key {key}), which a newer version of this library writes; "
            + $"this one reads formats 1 and {RedisScripts.NewestFormat}.");
    }

    /// <summary>All digits of the id in braces: one slot of a cluster for each.</summary>
    internal RedisKey KeyOf(IdempotencyId id) => $"{_options.KeyPrefix}{{{id.ToHex()}}}";

    private async ValueTask<bool> ChangeAsync(string script, IdempotencyId id, RedisValue[] values, CancellationToken cancellationToken)
    {
        RedisKey key = KeyOf(id);
        RedisResult result = await RunAsync(script, key, values, cancellationToken).ConfigureAwait(false);
        int answer = (int)result;
        if (answer < 0) throw RedisFaults.Corrupt(key);
        if (answer > 0) await WaitAsync(key, cancellationToken).ConfigureAwait(false);
        return answer > 0;
    }

    /// <summary>By its hash; if the server does not know it, the client sends the text.</summary>
    private async Task<RedisResult> RunAsync(string script, RedisKey key, RedisValue[] values, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return await Database.ScriptEvaluateAsync(script, [key], values, CommandFlags.DemandMaster).WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (RedisConnectionException away)
        {
            throw RedisFaults.Away(away, _connection.GetEndPoints());
        }
        catch (Exception e) when (RedisFaults.Translate(e) is { } ours)
        {
            throw ours;
        }
    }

    /// <summary>Why there is no connection, as the client says it when it is asked for something.</summary>
    private async Task<IdempotencyStoreException> WhyAwayAsync()
    {
        try
        {
            await Database.PingAsync(CommandFlags.DemandMaster).ConfigureAwait(false);
        }
        catch (RedisConnectionException away)
        {
            return RedisFaults.Away(away, _connection.GetEndPoints());
        }
        catch (Exception e) when (RedisFaults.Translate(e) is { } ours)
        {
            return ours;
        }

        return new(IdempotencyStoreFault.Unavailable, "No primary of Redis is connected.");
    }

    /// <summary>WAIT counts who has what was written on this connection: it must go to the server that has the key.</summary>
    private async ValueTask WaitAsync(RedisKey key, CancellationToken cancellationToken)
    {
        if (_options.WaitReplicas == 0) return;
        long replicas;
        try
        {
            EndPoint? where = await Database.IdentifyEndpointAsync(key, CommandFlags.DemandMaster).WaitAsync(cancellationToken).ConfigureAwait(false);
            if (where is null) throw new IdempotencyStoreException(IdempotencyStoreFault.Unavailable, "Redis does not say where a key is.");
            RedisResult result = await _connection.GetServer(where)
                .ExecuteAsync("WAIT", _options.WaitReplicas, (long)_options.WaitReplicasTimeout.TotalMilliseconds)
                .WaitAsync(cancellationToken).ConfigureAwait(false);
            replicas = (long)result;
        }
        catch (Exception e) when (RedisFaults.Translate(e) is { } ours)
        {
            throw ours;
        }

        if (replicas < _options.WaitReplicas)
        {
            throw new IdempotencyStoreException(
                IdempotencyStoreFault.Unavailable, $"{replicas} replicas of Redis have the change, but {_options.WaitReplicas} were waited for.");
        }
    }

    private static string Micros(TimeSpan span) => Text(span.Ticks / TimeSpan.TicksPerMicrosecond);

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
