using Grpc.Core;
using Grpc.Core.Interceptors;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Tests;

/// <summary>Answers in place of the method: their status, their word, and what the client's retry makes of them.</summary>
public sealed class ProblemTests
{
    [Fact]
    public async Task A_key_that_was_used_for_another_message_is_rejected_and_not_repeated()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book);
        await shop.ChargeAsync(order: new() { Item = "tea", Amount = 3 });

        Reply reply = await shop.ChargeAsync(order: new() { Item = "tea", Amount = 4 });

        reply.Should().Match<Reply>(r => r.Code == StatusCode.FailedPrecondition && r.Problem == "key-reused" && r.Pushback == "-1");
        book.Charges.Should().Be(1);
    }

    [Fact]
    public async Task A_key_that_was_used_for_another_method_is_rejected()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book, o => o.RequireKey("/shop.Till/*"));
        await shop.ChargeAsync();

        (await Shop.CallAsync((o, c) => shop.Client.RefundAsync(o, c))).Problem.Should().Be("key-reused");
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("a b")]
    [InlineData("a,b")]
    [InlineData("a;b")]
    [InlineData("a\\b")]
    [InlineData("\"open")]
    [InlineData("\"a\" b")]
    [InlineData("\"\"")]
    [InlineData("a\u007Fb")]
    [InlineData("<256>")]
    [InlineData("<2000>")]
    public async Task A_key_that_is_none_is_rejected_before_anything_is_done(string key)
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book);
        if (key[..Math.Min(1, key.Length)] == "<") key = new('k', int.Parse(key[1..^1], System.Globalization.CultureInfo.InvariantCulture));

        Reply reply = await shop.ChargeAsync(key);

        reply.Should().Match<Reply>(r => r.Code == StatusCode.InvalidArgument && r.Problem == "key-invalid" && r.Pushback == "-1");
        reply.Status.Detail.Should().NotContain(new string('k', 50), "an answer does not echo what came in");
        book.Charges.Should().Be(0);
    }

    [Fact]
    public async Task The_longest_key_a_quoted_key_and_the_same_one_bare_are_keys()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book);

        (await shop.ChargeAsync(new string('k', 255))).Code.Should().Be(StatusCode.OK);
        (await shop.ChargeAsync("\"order 1\"")).Code.Should().Be(StatusCode.OK);
        (await shop.ChargeAsync("\"order-1\"")).Receipt!.Number.Should().Be(3);
        (await shop.ChargeAsync("order-1")).Receipt!.Number.Should().Be(3);
    }

    [Fact]
    public async Task Several_keys_are_rejected_and_a_binary_one_is_none()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book);

        (await shop.ChargeAsync("k1", headers: new() { { "idempotency-key", "k2" } })).Problem.Should().Be("key-invalid");
        (await shop.ChargeAsync("k1", headers: new() { { "idempotency-key", "k1" } })).Problem.Should().Be("key-invalid");
        (await shop.ChargeAsync(key: null, headers: new() { { "idempotency-key-bin", [1, 2] } })).Problem.Should().Be("key-missing");
        book.Charges.Should().Be(0);
    }

    [Fact]
    public async Task A_call_without_a_key_is_rejected_where_one_is_required_and_runs_where_none_is()
    {
        Book book = new();
        await using Shop strict = await Shop.OpenAsync(book), lenient = await Shop.OpenAsync(book, o => o.RequireKey(Shop.Charge).IsRequired = false);

        (await strict.ChargeAsync(key: null))
            .Should().Match<Reply>(r => r.Code == StatusCode.InvalidArgument && r.Problem == "key-missing" && r.Pushback == "-1");
        (await lenient.ChargeAsync(key: null)).Receipt!.Number.Should().Be(1);
        (await lenient.ChargeAsync(key: null)).Receipt!.Number.Should().Be(2);
    }

    [Fact]
    public async Task Rules_of_the_service_for_keys_are_asked()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book, o =>
        {
            o.RequireKey(Shop.Charge).MinKeyLength = 3;
            o.MaxKeyLength = 5;
            o.AcceptsKey = k => k.StartsWith('k');
        });

        foreach (string wrong in new[] { "k1", "k12345", "x123" }) (await shop.ChargeAsync(wrong)).Problem.Should().Be("key-invalid");
        (await shop.ChargeAsync("k123")).Code.Should().Be(StatusCode.OK);
    }

    [Fact]
    public async Task A_caller_without_a_name_is_rejected()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book);

        (await shop.ChargeAsync(user: null))
            .Should().Match<Reply>(r => r.Code == StatusCode.Unauthenticated && r.Problem == "caller-unknown" && r.Pushback == "-1");
        book.Charges.Should().Be(0);
    }

    [Fact]
    public async Task A_scope_that_is_no_name_is_rejected_and_a_long_one_is_shortened()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book, o => o.RequireKey(Shop.Charge).ScopeFor = c =>
            c.RequestHeaders.GetValue("x-user") switch { "bad" => "\u0001", "long" => new('s', 5000), var s => s });

        (await shop.ChargeAsync(user: "bad")).Should().Match<Reply>(r => r.Code == StatusCode.InvalidArgument && r.Problem == "scope-invalid");
        (await shop.ChargeAsync(user: "long")).Receipt!.Number.Should().Be(1);
        (await shop.ChargeAsync(user: "long")).IsReplayed.Should().BeTrue();
        (await shop.ChargeAsync(user: null)).Should().Match<Reply>(r => r.Code == StatusCode.Internal && r.Problem == "misconfigured");
    }

    /// <summary>Every fault that a store can have, and what a caller is told.</summary>
    public static TheoryData<IdempotencyStoreFault, StatusCode, string, bool> Faults => new()
    {
        { IdempotencyStoreFault.Unavailable, StatusCode.Unavailable, "store-unavailable", true },
        { IdempotencyStoreFault.Full, StatusCode.Unavailable, "store-unavailable", true },
        { IdempotencyStoreFault.Misconfigured, StatusCode.Internal, "misconfigured", false },
        { IdempotencyStoreFault.Corrupt, StatusCode.Aborted, "outcome-unreadable", false },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_store_that_fails_is_told_as_an_outage_or_as_a_mistake_and_nothing_is_done(
        IdempotencyStoreFault fault, StatusCode status, string problem, bool isRetryable)
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(
            book, gate: g => g.UseStore(_ => ThrowingStore.Of(fault)), options: o => o.AcquireTimeout = o.FinishTimeout = TimeSpan.FromMilliseconds(20));

        Reply reply = await shop.ChargeAsync();

        reply.Code.Should().Be(status);
        reply.Problem.Should().Be(problem);
        (reply.Pushback != "-1" && int.Parse(reply.Pushback!, System.Globalization.CultureInfo.InvariantCulture) >= 0).Should().Be(isRetryable);
        book.Charges.Should().Be(0);
    }

    [Fact]
    public void No_fault_is_without_a_row() =>
        Faults.Select(row => (IdempotencyStoreFault)row[0]).Should().BeEquivalentTo(Enum.GetValues<IdempotencyStoreFault>());

    [Fact]
    public async Task Without_the_store_a_call_runs_unprotected_where_that_is_asked_for_and_says_so()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(
            book, gate: g => g.UseStore(_ => ThrowingStore.Of(IdempotencyStoreFault.Unavailable)),
            options: o => (o.WhenStoreFails, o.AcquireTimeout) = (WhenStoreFails.RunUnprotected, TimeSpan.FromMilliseconds(20)));

        (await shop.ChargeAsync()).Trailers.GetValue("idempotency-status").Should().Be("bypassed");
    }

    [Fact]
    public async Task A_service_that_stops_begins_nothing_and_sends_the_caller_on()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book);
        shop.Services.GetRequiredService<IdempotencyGate>().BeginStopping();

        (await shop.ChargeAsync()).Should().Match<Reply>(r => r.Code == StatusCode.Unavailable && r.Problem == "stopping" && r.Pushback == "1000");
        book.Charges.Should().Be(0);
    }

    [Fact]
    public async Task A_replay_that_may_not_be_seen_is_forbidden()
    {
        Book book = new();
        bool may = false;
        await using Shop shop = await Shop.OpenAsync(book, o => o.RequireKey(Shop.Charge).MayReplay = _ => new(may));
        await shop.ChargeAsync();

        (await shop.ChargeAsync()).Should().Match<Reply>(r => r.Code == StatusCode.PermissionDenied && r.Problem == "replay-forbidden");
        may = true;
        (await shop.ChargeAsync()).IsReplayed.Should().BeTrue();
    }

    [Fact]
    public async Task One_caller_has_so_many_calls_open_and_no_more()
    {
        Book book = new();
        book.Answer = async (number, _, _) =>
        {
            await book.Gate.Task;
            return new() { Number = number };
        };
        await using Shop shop = await Shop.OpenAsync(book, o => o.RequireKey(Shop.Charge).MaxOpenPerScope = 1);
        Task<Reply> first = shop.ChargeAsync("k1");
        await book.Begun.Task.WaitAsync(Shop.Patience);

        (await shop.ChargeAsync("k2"))
            .Should().Match<Reply>(r => r.Code == StatusCode.ResourceExhausted && r.Problem == "too-many-open" && r.Pushback == "1000");
        book.Gate.SetResult();
        (await first).Code.Should().Be(StatusCode.OK);
        (await shop.ChargeAsync("k2")).Code.Should().Be(StatusCode.OK);
    }

    [Fact]
    public async Task One_caller_has_so_many_keys_and_one_that_was_given_back_does_not_count()
    {
        Book book = new();
        await using Shop shop = await Shop.OpenAsync(book, o => o.RequireKey(Shop.Charge).MaxKeysPerScope = 1);
        book.Answer = (number, _, _) =>
            number == 1 ? throw new RpcException(new(StatusCode.Unavailable, "")) : Task.FromResult(new Receipt { Number = number });
        await shop.ChargeAsync("k1");
        (await shop.ChargeAsync("k2")).Code.Should().Be(StatusCode.OK);

        (await shop.ChargeAsync("k3")).Should().Match<Reply>(r => r.Code == StatusCode.ResourceExhausted && r.Problem == "too-many-keys" && r.Pushback != "-1");
        (await shop.ChargeAsync("k2")).IsReplayed.Should().BeTrue();
    }

    [Fact]
    public async Task An_outcome_that_is_found_out_is_recorded_and_replayed()
    {
        Book book = new()
        {
            Answer = (_, _, context) =>
            {
                context.GetIdempotencyClaim()!.PassPointOfNoReturn();
                throw new InvalidOperationException("half done");
            },
        };
        int asked = 0;
        await using Shop shop = await Shop.OpenAsync(book, o => o.RequireKey(Shop.Charge).Reconcile = (_, key) =>
        {
            asked++;
            return new(key.Value == "k1" ? GrpcIdempotencyFinding.Done(new Receipt { Number = 42 }, new() { { "found", "yes" } }) : null);
        });
        await shop.ChargeAsync("k1");
        await shop.ChargeAsync("k2");

        for (int i = 0; i < 2; i++)
        {
            Reply reply = await shop.ChargeAsync("k1");
            reply.Should().Match<Reply>(r => r.IsReplayed && r.Receipt!.Number == 42);
            reply.Trailers.GetValue("found").Should().Be("yes");
        }

        (await shop.ChargeAsync("k2")).Problem.Should().Be("outcome-unknown");
        asked.Should().Be(2);
        book.Charges.Should().Be(2);
    }
}
