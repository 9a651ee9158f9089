using System.Reflection;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Tests;

/// <summary>What a method under a key sees of its call, and what becomes of its answer when the store or another node has a say in it.</summary>
public sealed class MethodContextTests
{
    /// <summary>Those that are ours.</summary>
    private static readonly string[] Own =
        [nameof(ServerCallContext.CancellationToken), nameof(ServerCallContext.ResponseTrailers), nameof(ServerCallContext.Status)];

    [Fact]
    public async Task A_method_sees_every_part_of_its_call_as_it_is()
    {
        Book book = new();
        Seen outside = new();
        Dictionary<string, object?> inside = [];
        book.Answer = (number, _, context) =>
        {
            inside = PartsOf(context);
            context.WriteOptions = new(WriteFlags.NoCompress);
            context.UserState["mine"] = 7;
            return Task.FromResult(new Receipt { Number = number });
        };
        await using Shop shop = await Shop.OpenAsync(book, services: s =>
        {
            s.AddSingleton(outside);
            s.AddGrpc(o => o.Interceptors.Add<Looking>());
        });

        await shop.ChargeAsync(options: new(deadline: DateTime.UtcNow.AddMinutes(1)));

        inside.Should().HaveCountGreaterThan(8);
        foreach ((string part, object? value) in inside.Where(p => !Own.Contains(p.Key))) value.Should().Be(outside.Before[part], "{0}", part);
        outside.After[nameof(ServerCallContext.WriteOptions)].Should().BeOfType<WriteOptions>().Which.Flags.Should().Be(WriteFlags.NoCompress);
        outside.State.Should().Be(7);
    }

    [Fact]
    public async Task A_method_may_write_headers_before_its_answer_and_a_replay_has_none()
    {
        Book book = new();
        book.Answer = async (number, _, context) =>
        {
            await context.WriteResponseHeadersAsync(new() { { "early", "1" } });
            return new() { Number = number };
        };
        await using Shop shop = await Shop.OpenAsync(book);
        List<string?> early = [];
        for (int i = 0; i < 2; i++)
        {
            Metadata headers = new() { { "idempotency-key", "k" }, { "x-user", "ann" } };
            using AsyncUnaryCall<Receipt> call = shop.Client.ChargeAsync(new() { Item = "tea" }, headers);
            early.Add((await call.ResponseHeadersAsync.WaitAsync(Shop.Patience)).GetValue("early"));
            (await call.ResponseAsync.WaitAsync(Shop.Patience)).Number.Should().Be(1);
        }

        early.Should().Equal("1", null);
    }

    [Fact]
    public async Task A_call_that_was_overtaken_receives_the_answer_of_the_one_that_overtook_it()
    {
        ManualTime time = new();
        InMemoryIdempotencyStore store = new(timeProvider: time);
        Book book = new();
        book.Answer = async (number, _, _) =>
        {
            if (number == 1) await book.Gate.Task;
            return new() { Number = number };
        };
        await using Shop slow = await Shop.OpenAsync(book, gate: g => g.UseStore(_ => new NeverRenewing(store)));
        await using Shop other = await Shop.OpenAsync(book, gate: g => g.UseStore(_ => new ForwardingStore(store)));
        Task<Reply> first = slow.ChargeAsync();
        await book.Begun.Task.WaitAsync(Shop.Patience);
        time.Advance(TimeSpan.FromMinutes(1)); // its lease has lapsed in the store

        (await other.ChargeAsync()).Should().Match<Reply>(r => !r.IsReplayed && r.Receipt!.Number == 2);
        book.Gate.SetResult();

        (await first).Should().Match<Reply>(r => r.IsReplayed && r.Receipt!.Number == 2, "all callers are told the same");
    }

    [Fact]
    public async Task An_answer_that_the_store_did_not_take_is_given_and_says_so()
    {
        Book book = new();
        InMemoryIdempotencyStore store = new();
        await using Shop shop = await Shop.OpenAsync(
            book, gate: g => g.UseStore(_ => new NeverCompleting(store)), options: o => o.FinishTimeout = TimeSpan.FromMilliseconds(20));

        Reply reply = await shop.ChargeAsync();

        reply.Receipt!.Number.Should().Be(1);
        reply.Trailers.GetValue("idempotency-status").Should().Be("unrecorded");
    }

    private static Dictionary<string, object?> PartsOf(ServerCallContext context) => typeof(ServerCallContext)
        .GetProperties(BindingFlags.Public | BindingFlags.Instance).ToDictionary(p => p.Name, p => p.GetValue(context));

    private sealed class Seen
    {
        internal Dictionary<string, object?> Before { get; set; } = [];

        internal Dictionary<string, object?> After { get; set; } = [];

        internal object? State { get; set; }
    }

    private sealed class Looking(Seen seen) : Interceptor
    {
        public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
            TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
        {
            seen.Before = PartsOf(context);
            TResponse response = await continuation(request, context);
            seen.After = PartsOf(context);
            seen.State = context.UserState["mine"];
            return response;
        }
    }

    /// <summary>A store that the node believes to hold its claims.</summary>
    private sealed class NeverRenewing(IIdempotencyStore inner) : ForwardingStore(inner)
    {
        public override ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default) => new(true);
    }

    private sealed class NeverCompleting(IIdempotencyStore inner) : ForwardingStore(inner), IIdempotencyStore
    {
        ValueTask<bool> IIdempotencyStore.CompleteAsync(
            IdempotencyId id, long fence, IdempotencyCompletion outcome, ReadOnlyMemory<byte> payload, TimeSpan retention,
            CancellationToken cancellationToken) => throw new IdempotencyStoreException(IdempotencyStoreFault.Unavailable, "it is away");
    }
}
