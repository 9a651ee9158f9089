using Microsoft.Extensions.DependencyInjection;
using Resilience.StoreTests.Servers;
using StackExchange.Redis;

namespace Resilience.StoreTests.Redis;

/// <summary>The error says why Redis cannot be reached: rejected, unknown name, wrong password, a right that is missing. And which rights it needs.</summary>
[Tests.Support.Requires(Tests.Support.Tool.Redis)]
public sealed class RedisCausesTests : IAsyncLifetime
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    /// <summary>On a busy machine the client may give up an attempt to connect before it learns that it is rejected.</summary>
    private const string GivenUp = "no connection could be made in time";

    private readonly RedisServer _strict = new("--requirepass", "secret");

    public Task InitializeAsync() => _strict.InitializeAsync();

    public Task DisposeAsync() => _strict.DisposeAsync();

    private static AcquireRequest Ask() => new()
    {
        Id = IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId(),
        Nonce = Guid.NewGuid(),
        Lease = Minute,
        Retention = Minute,
        MaxAttempts = 3,
    };

    /// <summary>Through the gate of an application, with all defaults: the sentence has the cause, and not "did not answer within 1000 ms".</summary>
    [Theory]
    [InlineData("rejected", "Connection refused", IdempotencyStoreFault.Unavailable)]
    [InlineData("wrong password", "Authentication", IdempotencyStoreFault.Misconfigured)]
    [InlineData("no password", "Authentication", IdempotencyStoreFault.Misconfigured)]
    [InlineData("unknown user", "Authentication", IdempotencyStoreFault.Misconfigured)]
    public async Task The_cause_is_in_the_sentence_that_the_gate_says(string what, string cause, IdempotencyStoreFault fault)
    {
        IdempotencyResult entry = default;
        for (int attempt = 0; attempt < 10 && entry.Error?.Message.Contains("did not answer", StringComparison.Ordinal) != false; attempt++)
        {
            // Anew: on a busy machine even a connection that is rejected may take a second.
            ServiceCollection services = new();
            services.AddIdempotency().UseRedis(what switch
            {
                "rejected" => "127.0.0.1:1",
                "wrong password" => $"127.0.0.1:{_strict.Port},password=wrong",
                "no password" => $"127.0.0.1:{_strict.Port}",
                _ => $"127.0.0.1:{_strict.Port},user=unknown,password=secret",
            });
            await using ServiceProvider provider = services.BuildServiceProvider();
            entry = await provider.GetRequiredService<IdempotencyGate>().EnterAsync(Ask().Id, default);
        }

        entry.Status.Should().Be(IdempotencyStatus.StoreUnavailable);
        entry.Error.Should().BeOfType<IdempotencyStoreException>().Which.Fault.Should().Be(fault);
        entry.Error.Message.Should().ContainAny(cause, GivenUp).And.Contain("127.0.0.1:", "it names the server").And.NotContain("did not answer");
    }

    /// <summary>The documented rights, and each of them missing: found by the check that claims a record and gives it back.</summary>
    [Fact]
    public async Task The_documented_rights_are_enough_and_each_that_is_missing_is_found_at_the_start()
    {
        string[] rights = ["+eval", "+evalsha", "+script|load", "+get", "+set", "+time", "+info"];
        await using ConnectionMultiplexer admin = await _strict.ConnectAsync("password=secret,allowAdmin=true");
        IDatabase database = admin.GetDatabase();
        foreach (string? missing in rights.Prepend(null))
        {
            string user = "u" + (missing ?? "+all")[1..].Replace('|', '-');
            object[] rule = [user, "on", ">pw", "~resilience:idem:*", "+@connection", "+echo", "+ping", .. rights.Where(r => r != missing)];
            await database.ExecuteAsync("ACL", ["SETUSER", .. rule]);
            await using ConnectionMultiplexer connection = await _strict.ConnectAsync($"user={user},password=pw");
            RedisIdempotencyStore store = new(connection);
            using IdempotencyGate gate = new(store);
            if (missing is null)
            {
                (await gate.CheckStoreAsync()).Should().NotContain(s => s.Contains("does not say", StringComparison.Ordinal) || s.Contains("no scripts", StringComparison.Ordinal));
                AcquireRequest ask = Ask();
                long fence = (await store.TryAcquireAsync(ask)).Fence;
                (await store.RenewAsync(ask.Id, fence, Minute)).Should().BeTrue();
                (await store.CompleteAsync(ask.Id, fence, IdempotencyCompletion.Completed, new byte[5], Minute)).Should().BeTrue();
                (await store.PeekAsync(ask.Id)).State.Should().Be(IdempotencyState.Completed);
            }
            else if (missing is "+info" or "+script|load")
            {
                string told = missing == "+info" ? "does not say how it is set up" : "takes no scripts to keep";
                (await gate.CheckStoreAsync()).Should().Contain(s => s.Contains(told, StringComparison.Ordinal), "it works, with a warning");
            }
            else
            {
                await gate.Invoking(g => g.CheckStoreAsync()).Should().ThrowAsync<IdempotencyStoreException>(missing)
                    .Where(e => e.Fault == IdempotencyStoreFault.Misconfigured);
            }
        }
    }
}
