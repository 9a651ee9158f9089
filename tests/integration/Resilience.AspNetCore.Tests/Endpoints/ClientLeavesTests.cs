using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

/// <summary>An execution that a test watches and lets go on.</summary>
public sealed class Leaving
{
    private int _executions;

    internal TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal TaskCompletionSource GoOn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal int Executions => _executions;

    internal bool WasCancelled { get; private set; }

    internal async Task<string> ExecuteAsync(CancellationToken stop)
    {
        Interlocked.Increment(ref _executions);
        Begun.TrySetResult();
        await GoOn.Task;
        WasCancelled = stop.IsCancellationRequested;
        return "paid";
    }
}

/// <summary>Clients that leave after the effect, and claims that are lost while the endpoint runs: whatever kind of endpoint it is.</summary>
public sealed class ClientLeavesTests
{
    [Theory]
    [InlineData("/minimal")]
    [InlineData("/delegate")]
    [InlineData("/middleware")]
    [InlineData("/payments/slow")]
    public async Task A_client_that_leaves_after_the_effect_finds_the_outcome_at_every_kind_of_endpoint(string path)
    {
        Leaving leaving = new();
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.UseIdempotency(context => context.Request.Path == "/middleware");
                app.MapPost("/minimal", (CancellationToken stop) => leaving.ExecuteAsync(stop)).RequireIdempotencyKey();
                app.MapPost("/delegate", (RequestDelegate)(async c => await c.Response.WriteAsync(await leaving.ExecuteAsync(c.RequestAborted))))
                    .RequireIdempotencyKey();
                app.MapPost("/middleware", (CancellationToken stop) => leaving.ExecuteAsync(stop));
                app.MapControllers();
            },
            o => o.WhenInFlight = WhenInFlight.Wait,
            services: s => s.AddSingleton(leaving).AddControllers().AddApplicationPart(typeof(ClientLeavesTests).Assembly));
        using CancellationTokenSource leave = new();
        Task<Shop.Reply> first = shop.SendAsync(path, stop: leave.Token);
        await leaving.Begun.Task.WaitAsync(Shop.Patience);
        await leave.CancelAsync();
        await FluentActions.Awaiting(() => first).Should().ThrowAsync<OperationCanceledException>();
        Task<Shop.Reply> back = shop.SendAsync(path);
        leaving.GoOn.SetResult();

        Shop.Reply again = await back;

        (again.Text.Trim('"'), again.IsReplayed).Should().Be(("paid", true));
        leaving.WasCancelled.Should().BeFalse("what has begun is not stopped by a client that left");
        leaving.Executions.Should().Be(1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task When_another_caller_took_over_the_response_that_was_recorded_counts_and_otherwise_ours_is_marked(bool isOtherDone)
    {
        ManualTime time = new();
        InMemoryIdempotencyStore store = new(timeProvider: time);
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/do", async (HttpContext context) =>
            {
                // This process slept for longer than its lease, and another one took over.
                IdempotencyClaim claim = context.GetIdempotencyClaim()!;
                time.Advance(TimeSpan.FromHours(1));
                AcquireResult other = await store.TryAcquireAsync(new()
                {
                    Id = claim.Id,
                    Fingerprint = claim.Fingerprint,
                    Nonce = Guid.NewGuid(),
                    Lease = TimeSpan.FromMinutes(1),
                    Retention = TimeSpan.FromHours(1),
                    MaxAttempts = 5,
                });
                HttpResponseRecord theirs = new() { Status = 201, Body = "theirs"u8.ToArray() };
                byte[] payload = IdempotencyPayload.Encode(IdempotencyPayloadKind.HttpResponse, theirs.Encode());
                if (isOtherDone) await store.CompleteAsync(claim.Id, other.Fence, IdempotencyCompletion.Completed, payload, TimeSpan.FromHours(1));
                context.Response.Headers.ETag = "\"ours\"";
                await context.Response.WriteAsync("ours");
            }).RequireIdempotencyKey(),
            gate: g => g.UseStore(_ => store));

        Shop.Reply reply = await shop.SendAsync("/do"), again = await shop.SendAsync("/do");

        reply.Text.Should().Be(isOtherDone ? "theirs" : "ours");
        reply.IsReplayed.Should().Be(isOtherDone);
        if (isOtherDone)
        {
            (reply.Status, reply.Headers.ETag, again.Text).Should().Be((201, null, "theirs"));
            return;
        }

        reply.Headers.GetValues("Idempotency-Status").Should().Equal("unrecorded");
        again.Text.Should().Contain("in-flight", "the other one is still at it");
    }
}
