using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

/// <summary>The hook that finds out what became of a request, before its duplicate is told that the outcome is unknown.</summary>
public sealed class ReconcileTests
{
    private readonly ConcurrentQueue<IdempotencyKey> _asked = [];
    private int _executions;

    /// <summary>An endpoint whose first executions end behind the point of no return without an outcome.</summary>
    private Task<Shop> OpenAsync(Func<HttpContext, IdempotencyKey, ValueTask<IdempotencyFinding?>>? reconcile, int failures = 1, bool encrypts = false) =>
        Shop.OpenAsync(
        app => app.MapPost("/charge", (HttpContext context) =>
        {
            context.GetIdempotencyClaim()!.PassPointOfNoReturn();
            return Interlocked.Increment(ref _executions) > failures ? "charged" : throw new IOException("the reply was lost");
        }).RequireIdempotencyKey(o =>
        {
            o.EncryptsResponses = encrypts;
            o.Reconcile = reconcile is null ? null : (context, key) =>
            {
                _asked.Enqueue(key);
                return reconcile(context, key);
            };
        }),
        services: s => s.AddDataProtection());

    private static ValueTask<IdempotencyFinding?> Found(IdempotencyFinding? finding) => new(finding);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_found_to_be_done_is_recorded_and_given_to_all_duplicates(bool encrypts)
    {
        await using Shop shop = await OpenAsync((_, _) => Found(IdempotencyFinding.Done(TypedResults.Created("/charges/7", new { Id = 7 }))),
            encrypts: encrypts);
        (await shop.SendAsync("/charge")).Status.Should().Be(500);

        Shop.Reply found = await shop.SendAsync("/charge"), again = await shop.SendAsync("/charge");

        foreach (Shop.Reply reply in new[] { found, again })
        {
            (reply.Status, reply.Text, reply.IsReplayed).Should().Be((201, """{"id":7}""", true));
            reply.Headers.Location!.ToString().Should().Be("/charges/7");
        }

        _asked.Should().ContainSingle("what was recorded is not asked for again").Which.Value.Should().Be("k1");
        _executions.Should().Be(1);
    }

    [Fact]
    public async Task What_was_found_to_be_not_done_is_executed()
    {
        await using Shop shop = await OpenAsync((_, _) => Found(IdempotencyFinding.NotDone));
        await shop.SendAsync("/charge");

        Shop.Reply executed = await shop.SendAsync("/charge"), again = await shop.SendAsync("/charge");

        (executed.Status, executed.Text, executed.IsReplayed).Should().Be((200, "charged", false));
        (again.Text, again.IsReplayed, _executions).Should().Be(("charged", true, 2));
    }

    [Theory]
    [InlineData("finds nothing")]
    [InlineData("throws")]
    [InlineData("is not there")]
    public async Task What_is_not_found_out_stays_unknown_and_is_not_executed(string hook)
    {
        await using Shop shop = await OpenAsync(hook switch
        {
            "finds nothing" => (_, _) => Found(null),
            "throws" => (_, _) => throw new IOException("the ledger is away"),
            _ => null,
        });
        await shop.SendAsync("/charge");

        for (int i = 0; i < 2; i++)
        {
            Shop.Reply reply = await shop.SendAsync("/charge");
            (reply.Status, reply.Text.Contains("outcome-unknown", StringComparison.Ordinal)).Should().Be((409, true));
        }

        (_asked.Count, _executions).Should().Be((hook == "is not there" ? 0 : 2, 1));
    }

    [Fact]
    public async Task A_finding_about_an_earlier_doubt_begins_nothing_in_a_later_one()
    {
        TaskCompletionSource slow = new(TaskCreationOptions.RunContinuationsAsynchronously), asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using Shop shop = await OpenAsync(
            async (_, _) =>
            {
                if (_asked.Count > 1) return IdempotencyFinding.NotDone;
                asked.SetResult();
                await slow.Task;
                return IdempotencyFinding.NotDone;
            },
            failures: 2);
        await shop.SendAsync("/charge");
        Task<Shop.Reply> first = shop.SendAsync("/charge");
        await asked.Task.WaitAsync(Shop.Patience);
        (await shop.SendAsync("/charge")).Status.Should().Be(500, "the second finds that it was not done, executes, and ends in doubt anew");

        slow.SetResult();

        (await first).Text.Should().Contain("outcome-unknown", "what the first had found is about the doubt before");
        _executions.Should().Be(2);
    }

    [Fact]
    public async Task The_hook_asks_another_service_by_the_key_that_the_endpoint_derived()
    {
        string? sent = null, looked = null;
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/charge", (HttpContext context) =>
        {
            IdempotencyClaim claim = context.GetIdempotencyClaim()!;
            sent = claim.DeriveKey("charge");
            claim.PassPointOfNoReturn();
            throw new IOException("the reply was lost");
        }).RequireIdempotencyKey(o => o.Reconcile = (_, key) =>
        {
            looked = key.ToId().DeriveKey("charge");
            return Found(null);
        }));
        await shop.SendAsync("/charge");
        await shop.SendAsync("/charge");

        looked.Should().Be(sent).And.NotBeNull();
    }
}
