using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Tests;

/// <summary>A repeated call is executed once, and receives the first answer.</summary>
public sealed class ReplayTests
{
    /// <summary>What two nodes share.</summary>
    public static TheoryData<string> Stores => ["in memory", "SQLite"];

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_call_whose_reply_was_lost_is_executed_once_on_two_nodes_and_returns_the_first_receipt(string kind)
    {
        using TemporaryDatabase database = new();
        InMemoryIdempotencyStore memory = new();
        Action<IIdempotencyBuilder> share = kind == "SQLite" ? g => g.UseSqlite(database.ConnectionString) : g => g.UseStore(_ => new ForwardingStore(memory));
        Book book = new();
        await using Shop one = await Shop.OpenAsync(book, gate: share), other = await Shop.OpenAsync(book, gate: share);
        LossyWire wire = null!;
        using GrpcChannel channel = one.NewChannel(transport => wire = new(transport, other.Address));
        GrpcResilienceOptions options = new GrpcResilienceOptions().IdempotentByKey(Shop.Charge);
        CallInvoker invoker = channel.Intercept(new ResilienceInterceptor(GrpcResilience.Standard("till", options)));

        Reply reply = await Shop.CallAsync((o, c) => new Till.TillClient(invoker).ChargeAsync(o, c), key: null);

        reply.Receipt.Should().Be(new Receipt { Number = 1, Text = "tea" });
        reply.IsReplayed.Should().BeTrue("the second node answers what the first one did");
        book.Charges.Should().Be(1);
        wire.Requests.Should().Be(2);
        wire.Keys.Distinct().Should().ContainSingle().Which.Should().NotBeNull("all attempts of a call have one key");
    }

    [Fact]
    public async Task Without_a_key_the_same_loss_is_an_error_and_nothing_is_repeated()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book, o => o.RequireKey(Shop.Charge).IsRequired = false);
        LossyWire wire = null!;
        using GrpcChannel channel = shop.NewChannel(transport => wire = new(transport, shop.Address));
        CallInvoker invoker = channel.Intercept(new ResilienceInterceptor(GrpcResilience.Standard("till")));

        Reply reply = await Shop.CallAsync((o, c) => new Till.TillClient(invoker).ChargeAsync(o, c), key: null);

        reply.Code.Should().Be(StatusCode.Unavailable);
        wire.Requests.Should().Be(1);
    }

    [Fact]
    public async Task The_message_comes_back_byte_for_byte_with_status_and_trailers()
    {
        Receipt known = new() { Number = 7, Text = "ü", Seal = ByteString.CopyFrom(0, 255), Notes = { ["b"] = "2", ["a"] = "1" } };
        Receipt given = Receipt.Parser.ParseFrom([.. known.ToByteArray(), 0xF8, 0x07, 0x2A]); // and a field of a version to come
        Book book = new()
        {
            Answer = (_, _, context) =>
            {
                context.ResponseTrailers.Add("receipt", "seven");
                context.ResponseTrailers.Add("receipt", "again");
                context.ResponseTrailers.Add("seal-bin", [0, 1, 255]);
                return Task.FromResult(given);
            },
        };
        await using Shop shop = await Shop.OpenAsync(book);
        Recorder recorder = null!;
        using GrpcChannel channel = shop.NewChannel(transport => recorder = new(transport));
        Func<Order, GrpcCallOptions, AsyncUnaryCall<Receipt>> call = (o, c) => new Till.TillClient(channel).ChargeAsync(o, c);

        Reply first = await Shop.CallAsync(call), second = await Shop.CallAsync(call);

        book.Charges.Should().Be(1);
        first.IsReplayed.Should().BeFalse();
        second.IsReplayed.Should().BeTrue();
        recorder.Bodies.Should().HaveCount(2);
        recorder.Bodies.Last().Should().Equal(recorder.Bodies.First());
        second.Receipt!.ToByteArray().Should().Equal(given.ToByteArray(), "also what this version of the message does not know");
        Said(second).Should().Equal([.. Said(first), "idempotency-replayed=true"]);
    }

    [Fact]
    public async Task A_duplicate_waits_for_the_first_and_receives_its_answer()
    {
        Book book = new();
        book.Answer = async (number, _, _) =>
        {
            await book.Gate.Task;
            return new() { Number = number };
        };
        await using Shop shop = await Shop.OpenAsync(book);
        Task<Reply> first = shop.ChargeAsync();
        await book.Begun.Task.WaitAsync(Shop.Patience);
        IdempotencyGate gate = shop.Services.GetRequiredService<IdempotencyGate>();

        Task<Reply> second = shop.ChargeAsync();
        await Until(() => gate.Waiting == 1, "the duplicate waits");
        book.Gate.SetResult();

        (await first).IsReplayed.Should().BeFalse();
        (await second).Should().Match<Reply>(r => r.IsReplayed && r.Receipt!.Number == 1);
        book.Charges.Should().Be(1);
    }

    [Fact]
    public async Task A_client_of_ours_that_is_told_when_to_come_back_comes_back_then_and_receives_the_first_answer()
    {
        Book book = new();
        book.Answer = async (number, _, _) =>
        {
            await book.Gate.Task;
            return new() { Number = number };
        };
        await using Shop shop = await Shop.OpenAsync(
            book, o => o.RequireKey(Shop.Charge).WhenInFlight = WhenInFlight.Reject, options: o => o.Lease = TimeSpan.FromMilliseconds(300));
        Task<Reply> first = shop.ChargeAsync();
        await book.Begun.Task.WaitAsync(Shop.Patience);
        List<AttemptResult> repeated = [];
        GrpcResilienceOptions options = new()
        {
            TotalTimeout = Shop.Patience,
            Retry = new()
            {
                MaxRetries = 1000,
                RetryAfterJitter = 0,
                Budget = null,
                OnRetry = (attempt, _) =>
                {
                    repeated.Add(attempt);
                    book.Gate.TrySetResult();
                },
            },
        };
        CallInvoker invoker = shop.Channel.Intercept(new ResilienceInterceptor(GrpcResilience.Standard("till", options)));

        Reply second = await Shop.CallAsync((o, c) => new Till.TillClient(invoker).ChargeAsync(o, c));

        second.Should().Match<Reply>(r => r.IsReplayed && r.Receipt!.Number == 1);
        (await first).Receipt!.Number.Should().Be(1);
        repeated.Should().NotBeEmpty();
        repeated[0].Exception.Should().BeOfType<RpcException>().Which.StatusCode.Should().Be(StatusCode.Aborted);
        book.Charges.Should().Be(1);
    }

    [Fact]
    public async Task A_client_that_leaves_does_not_stop_what_has_begun()
    {
        Book book = new();
        bool wasCancelled = true;
        book.Answer = async (number, _, context) =>
        {
            await book.Gate.Task;
            wasCancelled = context.CancellationToken.IsCancellationRequested || context.GetHttpContext().RequestAborted.IsCancellationRequested;
            return new() { Number = number };
        };
        await using Shop shop = await Shop.OpenAsync(book);
        using CancellationTokenSource left = new();
        Task<Reply> first = shop.ChargeAsync(options: new(cancellationToken: left.Token));
        await book.Begun.Task.WaitAsync(Shop.Patience);
        await left.CancelAsync();
        (await first).Code.Should().Be(StatusCode.Cancelled);
        book.Gate.SetResult();

        Reply second = await shop.ChargeAsync();

        second.Should().Match<Reply>(r => r.IsReplayed && r.Receipt!.Number == 1);
        wasCancelled.Should().BeFalse();
        book.Charges.Should().Be(1);
    }

    [Fact]
    public async Task A_deadline_that_passes_does_not_stop_what_has_begun()
    {
        Book book = new();
        bool wasCancelled = true;
        book.Answer = async (number, _, context) =>
        {
            await book.Gate.Task;
            wasCancelled = context.CancellationToken.IsCancellationRequested;
            return new() { Number = number };
        };
        await using Shop shop = await Shop.OpenAsync(book);
        Task<Reply> first = shop.ChargeAsync(options: new(deadline: DateTime.UtcNow.AddMilliseconds(500)));
        await book.Begun.Task.WaitAsync(Shop.Patience);
        (await first).Code.Should().Be(StatusCode.DeadlineExceeded);
        book.Gate.SetResult();

        Reply second = await shop.ChargeAsync();

        second.Should().Match<Reply>(r => r.IsReplayed && r.Receipt!.Number == 1);
        wasCancelled.Should().BeFalse();
        book.Charges.Should().Be(1);
    }

    [Fact]
    public async Task Keys_of_two_callers_never_meet()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book);

        (await shop.ChargeAsync(user: "ann")).Receipt!.Number.Should().Be(1);
        (await shop.ChargeAsync(user: "bob")).Receipt!.Number.Should().Be(2);
        (await shop.ChargeAsync(user: "ann")).Receipt!.Number.Should().Be(1);
    }

    [Fact]
    public async Task A_method_sees_its_claim_and_its_key_from_both_sides()
    {
        Book book = new();
        List<object?> seen = [];
        book.Answer = (number, _, context) =>
        {
            HttpContext http = context.GetHttpContext();
            seen.AddRange([context.GetIdempotencyClaim(), http.GetIdempotencyClaim(), context.GetIdempotencyKey()?.Value, http.GetIdempotencyKey()?.Value]);
            return Task.FromResult(new Receipt { Number = number });
        };
        await using Shop shop = await Shop.OpenAsync(book);

        await shop.ChargeAsync("my-key");
        await Shop.CallAsync((o, c) => shop.Client.RefundAsync(o, c), "my-key");

        seen[0].Should().BeOfType<IdempotencyClaim>().And.BeSameAs(seen[1]);
        seen[2].Should().Be("my-key").And.Be(seen[3]);
        seen.Skip(4).Should().HaveCount(4).And.OnlyContain(s => s == null, "that method requires no key");
    }

    [Fact]
    public async Task Only_named_trailers_are_kept_where_some_are_named_and_those_of_the_protocol_never()
    {
        Book book = new()
        {
            Answer = (number, _, context) =>
            {
                foreach (string name in new[] { "receipt", "trace", "grpc-retry-pushback-ms", "idempotency-problem" }) context.ResponseTrailers.Add(name, "1");
                return Task.FromResult(new Receipt { Number = number });
            },
        };
        await using Shop shop = await Shop.OpenAsync(
            book, o => o.RequireKey(Shop.Charge).KeptTrailers = new HashSet<string> { "Receipt", "grpc-retry-pushback-ms", "idempotency-problem" });
        await shop.ChargeAsync();

        Said(await shop.ChargeAsync()).Should().Equal("receipt=1", "idempotency-replayed=true");
    }

    [Fact]
    public async Task An_answer_that_is_too_large_is_given_once_and_not_executed_again()
    {
        Book book = new() { Answer = (number, _, _) => Task.FromResult(new Receipt { Number = number, Text = new('x', 2000) }) };
        await using Shop shop = await Shop.OpenAsync(book, o => o.RequireKey(Shop.Charge).MaxResponseBytes = 1000);

        (await shop.ChargeAsync()).Receipt!.Text.Should().HaveLength(2000);
        Reply second = await shop.ChargeAsync();

        second.Should().Match<Reply>(r => r.Code == StatusCode.Aborted && r.Problem == "response-not-retained" && r.Pushback == "-1");
        book.Charges.Should().Be(1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Answers_are_encrypted_in_the_store_where_that_is_asked_for(bool isEncrypted)
    {
        using TemporaryDatabase database = new();
        Book book = new() { Answer = (number, _, _) => Task.FromResult(new Receipt { Number = number, Text = "a secret of the caller" }) };
        await using (Shop shop = await Shop.OpenAsync(
            book, o => o.RequireKey(Shop.Charge).EncryptsResponses = isEncrypted,
            s => s.AddSingleton<IDataProtectionProvider>(new EphemeralDataProtectionProvider()), g => g.UseSqlite(database.ConnectionString)))
        {
            await shop.ChargeAsync();
            (await shop.ChargeAsync()).Should().Match<Reply>(r => r.IsReplayed && r.Receipt!.Text == "a secret of the caller");
        }

        Encoding.Latin1.GetString(database.AllBytes()).Contains("a secret of the caller").Should().Be(!isEncrypted);
    }

    internal static List<string> Said(Reply reply) =>
        [.. reply.Trailers.Where(t => t.Key is not ("date" or "server")).Select(t => $"{t.Key}={(t.IsBinary ? Convert.ToHexString(t.ValueBytes) : t.Value)}")];

    internal static async Task Until(Func<bool> condition, string what)
    {
        using CancellationTokenSource bound = new(Shop.Patience);
        while (!condition())
        {
            bound.IsCancellationRequested.Should().BeFalse(what);
            await Task.Yield();
        }
    }
}
