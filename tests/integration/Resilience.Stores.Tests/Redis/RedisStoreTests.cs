using System.Buffers.Binary;
using System.Net;
using System.Text;
using Resilience.StoreTests.Servers;
using StackExchange.Redis;

namespace Resilience.StoreTests.Redis;

/// <summary>What is particular to Redis: scripts, broken hashes, lost replies, replicas, and what its errors mean.</summary>
public sealed class RedisStoreTests(RedisServer server) : IClassFixture<RedisServer>
{
    private const string Impatient = "asyncTimeout=500,connectTimeout=1000,connectRetry=1";
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);

    private static AcquireRequest Ask(IdempotencyId id, Guid? nonce = null, TimeSpan? lease = null, TimeSpan? retention = null) => new()
    {
        Id = id,
        Nonce = nonce ?? Guid.NewGuid(),
        Lease = lease ?? Long,
        Retention = retention ?? Long,
        MaxAttempts = 3,
    };

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    private static async Task FaultOf(Func<Task> ask, IdempotencyStoreFault fault) =>
        await ask.Should().ThrowAsync<IdempotencyStoreException>().Where(e => e.Fault == fault && e.IsTransient == (fault == IdempotencyStoreFault.Unavailable));

    private static async Task WithServerAsync(RedisServer server, Func<Task> test)
    {
        try
        {
            await server.InitializeAsync();
            await test();
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_record_is_one_packed_string_that_says_its_format_and_goes_by_itself()
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync();
        RedisIdempotencyStore store = new(connection, new() { KeyPrefix = "app:", Database = 3 });
        IDatabase database = connection.GetDatabase(3);
        IdempotencyId id = NewId();
        RedisKey key = "app:{" + id.ToHex() + "}";
        AcquireResult claim = await store.TryAcquireAsync(Ask(id, lease: TimeSpan.FromSeconds(1), retention: TimeSpan.FromMinutes(2)));
        byte[] value = (byte[]?)await database.StringGetAsync(key) ?? [];
        (Encoding.ASCII.GetString(value, 0, 2), value[2], value[3], value.Length).Should().Be(("ri", 2, 1, 80));
        BinaryPrimitives.ReadDoubleLittleEndian(value.AsSpan(8)).Should().Be(claim.Fence);
        (await database.KeyTimeToLiveAsync(key)).Should().BeGreaterThan(TimeSpan.FromMinutes(2)).And.BeLessThanOrEqualTo(TimeSpan.FromMinutes(3));
        (await store.RenewAsync(id, claim.Fence, TimeSpan.FromMinutes(5))).Should().BeTrue();
        (await database.KeyTimeToLiveAsync(key)).Should().BeGreaterThan(TimeSpan.FromMinutes(5)).And.BeLessThanOrEqualTo(TimeSpan.FromMinutes(6));
        (await store.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, new byte[] { 0, 255, 13, 10 }, Long)).Should().BeTrue();
        ((byte[]?)await database.StringGetAsync(key))![80..].Should().Equal(0, 255, 13, 10);
        (await database.KeyTimeToLiveAsync(key)).Should().BeGreaterThan(Long).And.BeLessThanOrEqualTo(Long + TimeSpan.FromMinutes(1));
        (await store.PurgeAsync(10)).Should().Be(0);

        IdempotencyId other = NewId();
        await store.ReleaseAsync(other, (await store.TryAcquireAsync(Ask(other))).Fence);
        RedisKey released = "app:{" + other.ToHex() + "}";
        ((byte[]?)await database.StringGetAsync(released))![32..].Should().AllBeEquivalentTo((byte)0, "neither nonce nor fingerprint is remembered");
        (await database.KeyTimeToLiveAsync(released)).Should().BePositive().And.BeLessThanOrEqualTo(TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task After_a_key_was_collected_the_next_fence_is_larger_nevertheless()
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync();
        RedisIdempotencyStore store = new(connection);
        IdempotencyId id = NewId();
        long before = (await store.TryAcquireAsync(Ask(id))).Fence;
        (await connection.GetDatabase().KeyDeleteAsync(store.KeyOf(id))).Should().BeTrue();
        AcquireResult next = await store.TryAcquireAsync(Ask(id));
        next.Fence.Should().BeGreaterThan(before);
        next.Attempt.Should().Be(1);
    }

    public static TheoryData<string, object[]> Broken
    {
        get
        {
            TheoryData<string, object[]> all = new()
            {
                { "a string of another", ["SET", "x"] },
                { "a long string of another", ["SET", new string('x', 200)] },
                { "a list", ["RPUSH", "x"] },
                { "a hash of another", ["HSET", "foreign", "x"] },
                { "format 1 cut short", ["HSET", "state", "1", "fence", "5", "expires", "99999999999999999"] },
                { "another magic", Patch(0, "xx"u8) },
                { "a newer format", Patch(2, [3]) },
                { "a state that does not exist", Patch(3, [9]) },
                { "no state", Patch(3, [0]) },
                { "no attempt", Patch(4, [0, 0, 0, 0]) },
            };
            foreach ((string name, int at) in new[] { ("fence", 8), ("lease", 16), ("expires", 24) })
            {
                foreach (double value in new[] { double.NaN, double.PositiveInfinity, -1, 1.5, 9007199254740992 })
                    all.Add($"{name} {value}", Patch(at, BitConverter.GetBytes(value)));
            }

            all.Add("fence 0", Patch(8, new byte[8]));
            return all;

            static object[] Patch(int at, ReadOnlySpan<byte> bytes) => ["SETRANGE", at, bytes.ToArray()];
        }
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task A_broken_record_is_never_granted_and_named_as_what_it_is(string what, object[] command)
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync();
        RedisIdempotencyStore store = new(connection);
        IDatabase database = connection.GetDatabase();
        IdempotencyId id = NewId();
        RedisKey key = store.KeyOf(id);
        long fence = 1;
        if (command[0] is "SETRANGE") fence = (await store.TryAcquireAsync(Ask(id))).Fence;
        await database.ExecuteAsync((string)command[0], [key, .. command[1..]]);
        byte[]? before = await database.KeyDumpAsync(key);

        await FaultOf(async () => await store.TryAcquireAsync(Ask(id)), IdempotencyStoreFault.Corrupt);
        await FaultOf(async () => await store.PeekAsync(id), IdempotencyStoreFault.Corrupt);
        await FaultOf(async () => await store.RenewAsync(id, fence, Long), IdempotencyStoreFault.Corrupt);
        await FaultOf(async () => await store.CompleteAsync(id, fence, IdempotencyCompletion.Completed, default, Long), IdempotencyStoreFault.Corrupt);
        await FaultOf(async () => await store.ReleaseAsync(id, fence), IdempotencyStoreFault.Corrupt);
        (await database.KeyDumpAsync(key)).Should().Equal(before, "{0} is not ours and is left alone", what);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task When_the_reply_is_lost_the_same_nonce_gets_the_same_claim_and_the_same_outcome(bool cut)
    {
        await using ConnectionMultiplexer direct = await server.ConnectAsync();
        RedisIdempotencyStore witness = new(direct);
        await using FaultProxy proxy = new(server.Port);
        await using ConnectionMultiplexer connection = await RedisServer.ConnectAtAsync(proxy.Port, Impatient);
        RedisIdempotencyStore store = new(connection);
        IdempotencyId id = NewId(), first = NewId();
        Guid nonce = Guid.NewGuid();

        // The server knows the scripts: what is lost next is the reply to the claim, not to the text of the script.
        await store.CompleteAsync(first, (await store.TryAcquireAsync(Ask(first))).Fence, IdempotencyCompletion.Completed, default, Long);
        proxy.Fault = cut ? Fault.CutReply : Fault.LoseReply;
        await FaultOf(async () => await store.TryAcquireAsync(Ask(id, nonce)), IdempotencyStoreFault.Unavailable);
        await proxy.Struck;
        proxy.Fault = Fault.None;
        PeekResult done = await witness.PeekAsync(id);
        done.State.Should().Be(IdempotencyState.InFlight);
        AcquireResult again = await ReconnectedAsync(() => store.TryAcquireAsync(Ask(id, nonce)));
        again.Should().Be(AcquireResult.Acquired(done.Fence, 1));

        proxy.Fault = cut ? Fault.CutReply : Fault.LoseReply;
        await FaultOf(async () => await store.CompleteAsync(id, again.Fence, IdempotencyCompletion.Completed, new byte[] { 1 }, Long), IdempotencyStoreFault.Unavailable);
        await proxy.Struck;
        proxy.Fault = Fault.None;
        (await ReconnectedAsync(() => store.CompleteAsync(id, again.Fence, IdempotencyCompletion.Completed, new byte[] { 1 }, Long))).Should().BeTrue();
        (await witness.TryAcquireAsync(Ask(id))).Payload.ToArray().Should().Equal(1);
    }

    /// <summary>The client connects again when it sees fit: ask until it has.</summary>
    private static async Task<T> ReconnectedAsync<T>(Func<ValueTask<T>> ask)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return await ask();
            }
            catch (IdempotencyStoreException e) when (e.IsTransient && TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(30))
            {
                await Task.Delay(20);
            }
        }
    }

    [Fact]
    public async Task A_server_that_resets_or_is_silent_is_unavailable_and_cancellation_stays_cancellation()
    {
        await using FaultProxy proxy = new(server.Port);
        await using ConnectionMultiplexer connection = await RedisServer.ConnectAtAsync(proxy.Port, Impatient);
        RedisIdempotencyStore store = new(connection);
        proxy.Fault = Fault.Reset;
        await FaultOf(async () => await store.TryAcquireAsync(Ask(NewId())), IdempotencyStoreFault.Unavailable);
        proxy.Fault = Fault.None;
        await ReconnectedAsync(() => store.PeekAsync(NewId()));
        proxy.Fault = Fault.BlackHole;
        await FaultOf(async () => await store.TryAcquireAsync(Ask(NewId())), IdempotencyStoreFault.Unavailable);
        using CancellationTokenSource cancellation = new();
        Task<AcquireResult> silent = store.TryAcquireAsync(Ask(NewId()), cancellation.Token).AsTask();
        await cancellation.CancelAsync();
        await FluentActions.Awaiting(() => silent).Should().ThrowAsync<OperationCanceledException>();
        proxy.Fault = Fault.None;
        (await ReconnectedAsync(() => store.TryAcquireAsync(Ask(NewId())))).Status.Should().Be(AcquireStatus.Acquired);
    }

    [Fact]
    public async Task Every_operation_is_one_round_trip_and_the_text_of_a_script_is_sent_once()
    {
        await using FaultProxy proxy = new(server.Port);
        await using ConnectionMultiplexer connection = await RedisServer.ConnectAtAsync(proxy.Port);
        RedisIdempotencyStore store = new(connection);
        await AllAsync(_ => Task.CompletedTask); // the client learns which scripts there are
        int before = 0;
        await AllAsync(step =>
        {
            if (step > 0) (proxy.Requests - before).Should().Be(1, "step {0}", step);
            before = proxy.Requests;
            return Task.CompletedTask;
        });

        async Task AllAsync(Func<int, Task> after)
        {
            IdempotencyId id = NewId(), other = NewId();
            await after(0);
            long fence = (await store.TryAcquireAsync(Ask(id))).Fence;
            await after(1);
            await store.TryAcquireAsync(Ask(id));
            await after(2);
            await store.RenewAsync(id, fence, Long);
            await after(3);
            await store.CompleteAsync(id, fence, IdempotencyCompletion.Completed, new byte[100], Long);
            await after(4);
            await store.PeekAsync(id);
            await after(5);
            fence = (await store.TryAcquireAsync(Ask(other))).Fence;
            await after(6);
            await store.ReleaseAsync(other, fence);
            await after(7);
        }
    }

    [Fact]
    public async Task Scripts_that_the_server_forgot_are_sent_again()
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync("allowAdmin=true");
        RedisIdempotencyStore store = new(connection);
        IdempotencyId id = NewId();
        long fence = (await store.TryAcquireAsync(Ask(id))).Fence;
        await connection.GetDatabase().ExecuteAsync("SCRIPT", "FLUSH");
        (await store.TryAcquireAsync(Ask(id))).Fence.Should().Be(fence);
        await connection.GetDatabase().ExecuteAsync("SCRIPT", "FLUSH");
        (await store.CompleteAsync(id, fence, IdempotencyCompletion.Completed, default, Long)).Should().BeTrue();
    }

    [Fact]
    public async Task What_was_acknowledged_survives_the_death_of_the_server()
    {
        RedisServer mortal = RedisServer.Durable();
        await WithServerAsync(mortal, async () =>
        {
            await using ConnectionMultiplexer connection = await mortal.ConnectAsync();
            RedisIdempotencyStore store = new(connection);
            Dictionary<IdempotencyId, int> acknowledged = [];
            for (int i = 0; i < 50; i++)
            {
                IdempotencyId id = NewId();
                long fence = (await store.TryAcquireAsync(Ask(id))).Fence;
                if (await store.CompleteAsync(id, fence, IdempotencyCompletion.Completed, BitConverter.GetBytes(i), Long)) acknowledged[id] = i;
            }

            IdempotencyId begun = NewId();
            AcquireResult claim = await store.TryAcquireAsync(Ask(begun));
            mortal.KillHard();
            await FaultOf(async () => await store.TryAcquireAsync(Ask(NewId())), IdempotencyStoreFault.Unavailable);
            await mortal.StartAgainAsync();

            acknowledged.Should().HaveCount(50);
            (await ReconnectedAsync(() => store.TryAcquireAsync(Ask(begun)))).Fence.Should().Be(claim.Fence, "who held it holds it still");
            foreach ((IdempotencyId id, int i) in acknowledged)
                (await store.TryAcquireAsync(Ask(id))).Payload.ToArray().Should().Equal(BitConverter.GetBytes(i));
            (await store.CompleteAsync(begun, claim.Fence, IdempotencyCompletion.Completed, default, Long)).Should().BeTrue();
        });
    }

    [Fact]
    public async Task Replicas_are_waited_for_and_without_them_the_change_does_not_count()
    {
        RedisServer replica = new("--replicaof", "127.0.0.1", $"{server.Port}");
        await using ConnectionMultiplexer connection = await server.ConnectAsync();
        RedisIdempotencyStore store = new(connection, new() { WaitReplicas = 1, WaitReplicasTimeout = TimeSpan.FromMilliseconds(200) });
        IdempotencyId id = NewId();
        Guid nonce = Guid.NewGuid();
        await FaultOf(async () => await store.TryAcquireAsync(Ask(id, nonce)), IdempotencyStoreFault.Unavailable);
        (await store.CheckAsync()).Should().Contain(w => w.Contains("replicas", StringComparison.Ordinal));
        RedisIdempotencyStore patient = new(connection, new() { WaitReplicas = 1, WaitReplicasTimeout = TimeSpan.FromSeconds(4) }); // a busy machine needs it
        await WithServerAsync(replica, async () =>
        {
            AcquireResult claim = await ReconnectedAsync(() => patient.TryAcquireAsync(Ask(id, nonce)));
            claim.Attempt.Should().Be(1);
            (await ReconnectedAsync(() => patient.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, new byte[] { 5 }, Long))).Should().BeTrue();
            await using ConnectionMultiplexer behind = await replica.ConnectAsync();
            byte[]? copy = await behind.GetDatabase().StringGetAsync(store.KeyOf(id), CommandFlags.DemandReplica);
            copy![80..].Should().Equal(5);
            await FaultOf(async () => await new RedisIdempotencyStore(behind).TryAcquireAsync(Ask(id)), IdempotencyStoreFault.Unavailable);
        });
        await FaultOf(async () => await store.CompleteAsync(id, (await store.PeekAsync(id)).Fence, IdempotencyCompletion.Completed, default, Long), IdempotencyStoreFault.Unavailable);
    }

    [Fact]
    public async Task A_cluster_is_no_obstacle()
    {
        RedisServer node = new("--cluster-enabled", "yes", "--cluster-port", $"{ServerProcess.FreePort()}");
        await WithServerAsync(node, async () =>
        {
            await using (ConnectionMultiplexer admin = await node.ConnectAsync("allowAdmin=true"))
                await admin.GetServers()[0].ExecuteAsync("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
            await using ConnectionMultiplexer connection = await node.ConnectAsync();
            RedisIdempotencyStore store = new(connection);
            for (int i = 0; i < 20; i++)
            {
                IdempotencyId id = NewId();
                long fence = (await ReconnectedAsync(() => store.TryAcquireAsync(Ask(id)))).Fence;
                (await store.CompleteAsync(id, fence, IdempotencyCompletion.Completed, default, Long)).Should().BeTrue();
                (await store.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.Completed);
            }
        });
    }

    [Fact]
    public async Task No_room_no_right_and_no_password_are_told_apart()
    {
        RedisServer strict = new("--requirepass", "secret");
        await WithServerAsync(strict, async () =>
        {
            await using ConnectionMultiplexer connection = await strict.ConnectAsync("password=secret,allowAdmin=true");
            RedisIdempotencyStore store = new(connection);
            await store.TryAcquireAsync(Ask(NewId()));
            await using (ConnectionMultiplexer stranger = await strict.ConnectAsync(Impatient + ",password=wrong"))
                await FaultOf(async () => await new RedisIdempotencyStore(stranger).TryAcquireAsync(Ask(NewId())), IdempotencyStoreFault.Misconfigured);
            await using (ConnectionMultiplexer nameless = await strict.ConnectAsync(Impatient))
                await FaultOf(async () => await new RedisIdempotencyStore(nameless).TryAcquireAsync(Ask(NewId())), IdempotencyStoreFault.Misconfigured);
            await connection.GetDatabase().ExecuteAsync("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+@read", "+@connection", "+info");
            await using (ConnectionMultiplexer reader = await strict.ConnectAsync("user=reader,password=secret"))
                await FaultOf(async () => await new RedisIdempotencyStore(reader).TryAcquireAsync(Ask(NewId())), IdempotencyStoreFault.Misconfigured);
            await connection.GetDatabase().ExecuteAsync("CONFIG", "SET", "maxmemory", "1");
            await FaultOf(async () => await store.TryAcquireAsync(Ask(NewId())), IdempotencyStoreFault.Full);
        });
    }

    [Fact]
    public async Task The_check_finds_what_can_make_records_vanish()
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync();
        (await new RedisIdempotencyStore(connection).CheckAsync()).Should().ContainSingle().Which.Should().Contain("append-only");
        RedisServer careless = new("--appendonly", "no", "--maxmemory-policy", "allkeys-lru");
        await WithServerAsync(careless, async () =>
        {
            await using ConnectionMultiplexer other = await careless.ConnectAsync();
            (await new RedisIdempotencyStore(other).CheckAsync()).Should().HaveCount(2).And.Contain(w => w.Contains("allkeys-lru", StringComparison.Ordinal));
        });
        RedisServer secretive = new("--user", "default", "on", "nopass", "~*", "+@all", "-info");
        await WithServerAsync(secretive, async () =>
        {
            await using ConnectionMultiplexer none = await secretive.ConnectAsync();
            (await new RedisIdempotencyStore(none).CheckAsync()).Should().ContainSingle().Which.Should().Contain("does not say how it is set up");
        });
        RedisServer careful = RedisServer.Durable();
        await WithServerAsync(careful, async () =>
        {
            await using ConnectionMultiplexer third = await careful.ConnectAsync();
            RedisIdempotencyStore store = new(third);
            (await store.CheckAsync()).Should().BeEmpty();
            careful.KillHard();
            await FaultOf(async () => await store.CheckAsync(), IdempotencyStoreFault.Unavailable);
        });
    }

    /// <summary>What a server says of itself, without the server: also where it is not installed.</summary>
    [Theory]
    [InlineData("garnet_version:2.2.8", false, "*is Garnet*")]
    [InlineData("garnet_version:2.2.8", true, null)]
    [InlineData("maxmemory:100\r\nmaxmemory_policy:volatile-lru", false, "*volatile-lru*executed again*")]
    [InlineData("maxmemory:0\r\nmaxmemory_policy:volatile-lru", false, null)]
    [InlineData("maxmemory:100\r\nmaxmemory_policy:noeviction", false, null)]
    public void A_server_that_breaks_the_promise_is_rejected(string info, bool allowsGarnet, string? sentence)
    {
        Action warn = () => RedisSetup.Warn(new IPEndPoint(IPAddress.Loopback, 1), info, new() { AllowGarnet = allowsGarnet }, []);
        if (sentence is null) warn.Should().NotThrow();
        else warn.Should().Throw<IdempotencyStoreException>().WithMessage(sentence).Which.Fault.Should().Be(IdempotencyStoreFault.Misconfigured);
    }

    [Fact]
    public async Task Options_out_of_range_are_rejected()
    {
        await using ConnectionMultiplexer connection = await server.ConnectAsync();
        RedisIdempotencyOptions[] bad =
        [
            new() { KeyPrefix = "a{b" }, new() { KeyPrefix = "a}b" }, new() { KeyPrefix = new string('a', 201) }, new() { KeyPrefix = null! },
            new() { Database = -2 }, new() { MaxPayloadBytes = 0 }, new() { WaitReplicas = -1 }, new() { WaitReplicasTimeout = TimeSpan.Zero },
        ];
        foreach (RedisIdempotencyOptions options in bad)
            FluentActions.Invoking(() => new RedisIdempotencyStore(connection, options)).Should().Throw<ArgumentException>();
    }

    [Theory]
    [InlineData("WRONGTYPE Operation against a key holding the wrong kind of value", IdempotencyStoreFault.Corrupt)]
    [InlineData("ERR Error running script (call to f_12): @user_script:3: WRONGTYPE Operation against a key", IdempotencyStoreFault.Corrupt)]
    [InlineData("OOM command not allowed when used memory > 'maxmemory'.", IdempotencyStoreFault.Full)]
    [InlineData("ERR Error running script (call to f_12): @user_script:3: -OOM command not allowed", IdempotencyStoreFault.Full)]
    [InlineData("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", IdempotencyStoreFault.Full)]
    [InlineData("NOAUTH Authentication required.", IdempotencyStoreFault.Misconfigured)]
    [InlineData("NOPERM this user has no permissions", IdempotencyStoreFault.Misconfigured)]
    [InlineData("ERR unknown command 'EVALSHA'", IdempotencyStoreFault.Misconfigured)]
    [InlineData("ERR max number of clients reached", IdempotencyStoreFault.Unavailable)]
    [InlineData("READONLY You can't write against a read only replica.", IdempotencyStoreFault.Unavailable)]
    [InlineData("LOADING Redis is loading the dataset in memory", IdempotencyStoreFault.Unavailable)]
    [InlineData("CLUSTERDOWN The cluster is down", IdempotencyStoreFault.Unavailable)]
    [InlineData("BUSY Redis is busy running a script.", IdempotencyStoreFault.Unavailable)]
    [InlineData("NOREPLICAS Not enough good replicas to write.", IdempotencyStoreFault.Unavailable)]
    [InlineData("ERR Error running script (call to f_12): @user_script:3: @user_script: 3: -READONLY You can't write against a read only replica. ", IdempotencyStoreFault.Unavailable)]
    [InlineData("ERR Error running script (call to f_12): @user_script:3: @user_script: 3: -NOREPLICAS Not enough good replicas to write. ", IdempotencyStoreFault.Unavailable)]
    [InlineData("ERR Error running script (call to f_12): @user_script:3: @user_script: 3: -MISCONF Redis is configured to save RDB snapshots", IdempotencyStoreFault.Full)]
    [InlineData("ERR Error running script (call to f_12): @user_script:3: @user_script: 3: -NOPERM The user executing the script can't run this command", IdempotencyStoreFault.Misconfigured)]
    [InlineData("ERR Error running script (call to f_12): @user_script:3: @user_script: 3: Unknown Redis command called from Lua script ", IdempotencyStoreFault.Misconfigured)]
    public void Errors_mean_what_they_mean(string message, IdempotencyStoreFault fault) =>
        RedisFaults.Translate(new RedisServerException(RedisErrorKind.Unknown, CommandFlags.None, message))!.Fault.Should().Be(fault);

    [Fact]
    public void Other_errors_are_told_apart_from_cancellation_and_mistakes()
    {
        RedisFaults.Translate(new RedisTimeoutException(CommandFlags.None, "m", CommandStatus.Sent))!.Fault.Should().Be(IdempotencyStoreFault.Unavailable);
        RedisFaults.Translate(new RedisConnectionException(ConnectionFailureType.SocketClosed, CommandFlags.None, "m", null, CommandStatus.Unknown))!.Fault.Should().Be(IdempotencyStoreFault.Unavailable);
        RedisFaults.Translate(new RedisConnectionException(ConnectionFailureType.AuthenticationFailure, CommandFlags.None, "m", null, CommandStatus.Unknown))!.Fault.Should().Be(IdempotencyStoreFault.Misconfigured);
        RedisFaults.Translate(new OperationCanceledException()).Should().BeNull();
        RedisFaults.Translate(new ArgumentException("m")).Should().BeNull();
    }
}
