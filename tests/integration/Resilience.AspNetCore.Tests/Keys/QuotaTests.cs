using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

/// <summary>One caller cannot take everything: what is open at once, and what is kept, is bounded for each.</summary>
public sealed class QuotaTests
{
    private readonly Ledger _ledger = new();

    private static string CodeOf(Shop.Reply reply) => JsonDocument.Parse(reply.Text).RootElement.GetProperty("code").GetString()!;

    [Fact]
    public async Task A_caller_at_its_bound_of_open_requests_is_rejected_and_shuts_no_other_out()
    {
        _ledger.Gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/charge", () => _ledger.ChargeAsync()).RequireIdempotencyKey(o => o.MaxOpenPerScope = 2),
            o => (o.WhenInFlight, o.MaxWait) = (WhenInFlight.Wait, TimeSpan.FromMinutes(1)));
        Task<Shop.Reply> first = shop.SendAsync("/charge", "k1");
        await _ledger.Begun.Task.WaitAsync(Shop.Patience);
        Task<Shop.Reply> duplicate = shop.SendAsync("/charge", "k1");
        CallerQuota quota = shop.Services.GetRequiredService<CallerQuotas>().Of("");
        await Until(() => shop.Services.GetRequiredService<IdempotencyGate>().Waiting == 1);

        Shop.Reply rejected = await shop.SendAsync("/charge", "k2");
        (rejected.Status, CodeOf(rejected), rejected.Headers.RetryAfter!.ToString()).Should().Be((429, "too-many-open", "1"));
        Task<Shop.Reply> ofAnother = shop.SendAsync("/charge", "k1", user: "bob");
        await Until(() => _ledger.Count == 2);
        quota.OpenCallers.Should().Be(2);

        _ledger.Gate.SetResult();
        (await first).Status.Should().Be(200);
        (await duplicate).IsReplayed.Should().BeTrue();
        (await ofAnother).Status.Should().Be(200);
        (await shop.SendAsync("/charge", "k2")).Status.Should().Be(200, "what was open has ended");
        await Until(() => quota.OpenCallers == 0); // nothing is remembered of who has nothing open
    }

    [Fact]
    public async Task However_a_request_ends_it_is_open_no_more()
    {
        await using Shop shop = await Shop.OpenAsync(app =>
        {
            app.MapPost("/throws", void () => throw new InvalidOperationException("broken")).RequireIdempotencyKey(o => o.MaxOpenPerScope = 1);
            app.MapPost("/bound/{n:int}", (int n, int missing) => n + missing).RequireIdempotencyKey(o => o.MaxOpenPerScope = 1);
            app.MapPost("/rejects", () => Results.StatusCode(503)).RequireIdempotencyKey(o => o.MaxOpenPerScope = 1);
        });
        CallerQuota quota = shop.Services.GetRequiredService<CallerQuotas>().Of("");
        foreach ((string path, int status) in new[] { ("/throws", 500), ("/bound/7", 400), ("/rejects", 503), ("/rejects", 503) })
        {
            (await shop.SendAsync(path, path)).Status.Should().Be(status);
            await Until(() => quota.OpenCallers == 0);
        }
    }

    [Fact]
    public async Task A_caller_at_its_bound_of_keys_receives_known_outcomes_and_learns_when_there_is_room_again()
    {
        ManualTime time = new();
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.MapPost("/charge", () => _ledger.ChargeAsync()).RequireIdempotencyKey(o => o.MaxKeysPerScope = 2);
                app.MapPost("/away", () => Results.StatusCode(503)).RequireIdempotencyKey(o => o.MaxKeysPerScope = 2);
                app.MapPost("/throws", void () => throw new HttpRequestException(HttpRequestError.ConnectionError))
                    .RequireIdempotencyKey(o => o.MaxKeysPerScope = 2);
            },
            o => o.Retention = TimeSpan.FromHours(4),
            services: s => s.AddSingleton<TimeProvider>(time));
        for (int i = 0; i < 5; i++) (await shop.SendAsync("/away", $"away-{i}")).Status.Should().Be(503, "what is given back does not count");
        for (int i = 0; i < 5; i++) (await shop.SendAsync("/throws", $"throws-{i}")).Status.Should().Be(500);
        Shop.Reply first = await shop.SendAsync("/charge", "k1");
        time.Advance(TimeSpan.FromMinutes(30));
        (await shop.SendAsync("/charge", "k2")).Status.Should().Be(200);

        Shop.Reply rejected = await shop.SendAsync("/charge", "k3"), again = await shop.SendAsync("/charge", "k1"),
            reused = await shop.SendAsync("/charge", "k1", body: "other");

        (rejected.Status, CodeOf(rejected)).Should().Be((429, "too-many-keys"));
        (again.Text, again.IsReplayed).Should().Be((first.Text, true), "what is known is told");
        reused.Status.Should().Be(422);
        (await shop.SendAsync("/charge", "k3", user: "bob")).Status.Should().Be(200, "another caller has keys of its own");

        TimeSpan retryAfter = TimeSpan.FromSeconds(int.Parse(rejected.Headers.RetryAfter!.ToString(), CultureInfo.InvariantCulture));
        retryAfter.Should().BeGreaterThan(TimeSpan.FromHours(3.5), "no key has expired before").And.BeLessThanOrEqualTo(TimeSpan.FromHours(5));
        time.Advance(retryAfter - TimeSpan.FromHours(1.1));
        (await shop.SendAsync("/charge", "k3")).Status.Should().Be(429);
        time.Advance(TimeSpan.FromHours(1.1));
        (await shop.SendAsync("/charge", "k3")).Status.Should().Be(200, "it was told the truth");
    }

    [Fact]
    public async Task A_duplicate_of_what_runs_is_no_new_key_also_for_a_caller_who_may_have_no_more()
    {
        _ledger.Gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/charge", () => _ledger.ChargeAsync()).RequireIdempotencyKey(o => o.MaxKeysPerScope = 1),
            o => (o.WhenInFlight, o.MaxWait) = (WhenInFlight.Wait, TimeSpan.FromMinutes(1)));
        Task<Shop.Reply> first = shop.SendAsync("/charge", "k1");
        await _ledger.Begun.Task.WaitAsync(Shop.Patience);

        Task<Shop.Reply> duplicate = shop.SendAsync("/charge", "k1");
        (await shop.SendAsync("/charge", "k2")).Status.Should().Be(429);
        await Until(() => shop.Services.GetRequiredService<IdempotencyGate>().Waiting == 1);
        _ledger.Gate.SetResult();

        (await duplicate).Should().Match<Shop.Reply>(r => r.Status == 200 && r.IsReplayed);
        (await first).Status.Should().Be(200);
    }

    [Fact]
    public async Task While_a_duplicate_waits_in_the_place_of_a_key_its_caller_is_told_to_come_back_soon()
    {
        _ledger.Gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/charge", () => _ledger.ChargeAsync()).RequireIdempotencyKey(o => o.MaxKeysPerScope = 2),
            o => (o.WhenInFlight, o.MaxWait) = (WhenInFlight.Wait, TimeSpan.FromMinutes(1)));
        Task<Shop.Reply> first = shop.SendAsync("/charge", "k1");
        await _ledger.Begun.Task.WaitAsync(Shop.Patience);
        Task<Shop.Reply> duplicate = shop.SendAsync("/charge", "k1");
        await Until(() => shop.Services.GetRequiredService<IdempotencyGate>().Waiting == 1);

        Shop.Reply early = await shop.SendAsync("/charge", "k2");
        _ledger.Gate.SetResult();
        await Task.WhenAll(first, duplicate);

        (early.Status, CodeOf(early), early.Headers.RetryAfter!.ToString()).Should().Be((429, "too-many-keys", "1"), "the duplicate gives its place back");
        (await shop.SendAsync("/charge", "k2")).Status.Should().Be(200, "it was told the truth");
        Shop.Reply full = await shop.SendAsync("/charge", "k3");
        int.Parse(full.Headers.RetryAfter!.ToString(), CultureInfo.InvariantCulture).Should().BeGreaterThan(3600, "nothing is undecided any more");
    }

    [Fact]
    public async Task A_store_that_is_full_says_when_it_will_have_room()
    {
        ManualTime time = new();
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/charge", () => _ledger.ChargeAsync()).RequireIdempotencyKey(),
            o => o.Retention = TimeSpan.FromHours(2),
            services: s => s.AddSingleton<TimeProvider>(time),
            gate: g => g.UseInMemory(o => o.MaxRecords = 2));
        await shop.SendAsync("/charge", "k1");
        time.Advance(TimeSpan.FromHours(1));
        await shop.SendAsync("/charge", "k2", user: "bob");

        Shop.Reply rejected = await shop.SendAsync("/charge", "k3", user: "carol");

        (rejected.Status, CodeOf(rejected)).Should().Be((503, "store-unavailable"));
        TimeSpan retryAfter = TimeSpan.FromSeconds(int.Parse(rejected.Headers.RetryAfter!.ToString(), CultureInfo.InvariantCulture));
        retryAfter.Should().BeCloseTo(TimeSpan.FromHours(1), TimeSpan.FromSeconds(2));
        time.Advance(retryAfter);
        (await shop.SendAsync("/charge", "k3", user: "carol")).Status.Should().Be(200);
    }

    /// <summary>With all defaults: what is full is full of the keys of many.</summary>
    [Fact]
    public async Task One_caller_cannot_fill_a_store_that_has_a_bound()
    {
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/charge", () => _ledger.ChargeAsync()).RequireIdempotencyKey(), gate: g => g.UseInMemory(o => o.MaxRecords = 10));
        for (int i = 0; i < 5; i++) (await shop.SendAsync("/charge", $"k{i}")).Status.Should().Be(200);
        Shop.Reply rejected = await shop.SendAsync("/charge", "k5");
        (rejected.Status, CodeOf(rejected)).Should().Be((429, "too-many-keys"));
        rejected.Text.Should().Contain("At most 5 keys");
        (await shop.SendAsync("/charge", "k0")).IsReplayed.Should().BeTrue();
        for (int i = 0; i < 5; i++) (await shop.SendAsync("/charge", $"k{i}", user: "bob")).Status.Should().Be(200, "there is room for the others");
        _ledger.Count.Should().Be(10);
    }

    [Fact]
    public async Task Callers_who_share_one_scope_are_not_counted_as_one()
    {
        _ledger.Gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/charge", () => _ledger.ChargeAsync())
            .RequireIdempotencyKey(o => (o.AllowSharedScope, o.MaxOpenPerScope, o.MaxKeysPerScope) = (true, 1, 1)));
        Task<Shop.Reply>[] all = [.. Enumerable.Range(0, 3).Select(i => shop.SendAsync("/charge", $"k{i}", user: null))];
        await Until(() => _ledger.Count == 3);
        _ledger.Gate.SetResult();
        (await Task.WhenAll(all)).Should().OnlyContain(r => r.Status == 200);
    }

    /// <summary>The quota against plain lists, over drawn histories.</summary>
    [Fact]
    public void No_history_lets_a_caller_have_more_keys_than_allowed_or_tells_a_time_at_which_there_is_no_room()
    {
        Random random = new(7);
        for (int history = 0; history < 200; history++)
        {
            ManualTime time = new();
            CallerQuota quota = new(time);
            TimeSpan retention = TimeSpan.FromSeconds(random.Next(1, 1000)), now = TimeSpan.Zero;
            int max = random.Next(1, 6);
            List<(string Scope, TimeSpan At, long Generation)> kept = [];
            for (int step = 0; step < 60; step++)
            {
                string scope = $"caller-{random.Next(2)}";
                List<(string Scope, TimeSpan At, long Generation)> live = [.. kept.Where(k => k.Scope == scope && now - k.At < retention)];
                if (quota.TryUse(scope, max, retention, out long generation, out TimeSpan retryAfter))
                {
                    live.Count.Should().BeLessThan(max);
                    if (random.Next(3) == 0) quota.GiveBack(scope, generation);
                    else kept.Add((scope, now, generation));
                }
                else
                {
                    kept.Count(k => k.Scope == scope && now - k.At < retention * 1.25 + TimeSpan.FromTicks(8))
                        .Should().BeGreaterThanOrEqualTo(max, "it is rejected for a reason");
                    if (random.Next(2) == 0)
                    {
                        time.Advance(retryAfter);
                        now += retryAfter;
                        quota.TryUse(scope, max, retention, out generation, out _).Should().BeTrue("that time was told");
                        kept.Add((scope, now, generation));
                    }
                }

                TimeSpan pass = retention * (random.NextDouble() / 3);
                time.Advance(pass);
                now += pass;
            }
        }
    }

    private static async Task Until(Func<bool> holds)
    {
        using CancellationTokenSource limit = new(Shop.Patience);
        while (!holds()) await Task.Delay(1, limit.Token);
    }
}
