using System.Collections.Concurrent;
using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

/// <summary>Lease, retention, attempts and waiting of single endpoints, and how long rejections are kept.</summary>
public sealed class TermsTests
{
    private static readonly TimeSpan Day = TimeSpan.FromHours(24);
    private readonly RecordingStore _store = new();

    private static RequireIdempotencyKeyAttribute Attribute => new() { LeaseSeconds = 7, RetentionSeconds = 3600, MaxAttempts = 1, MaxWaitSeconds = 2 };

    private static void Set(IdempotencyEndpointOptions o) =>
        (o.Lease, o.Retention, o.MaxAttempts, o.MaxWait) = (TimeSpan.FromSeconds(7), TimeSpan.FromHours(1), 1, TimeSpan.FromSeconds(2));

    [Theory]
    [InlineData("code")]
    [InlineData("attribute")]
    [InlineData("middleware")]
    public async Task An_endpoint_has_terms_of_its_own_and_the_others_those_of_the_gate(string how)
    {
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                if (how == "middleware") app.UseIdempotency();
                RouteHandlerBuilder own = app.MapPost("/own", () => "own");
                if (how == "code") own.RequireIdempotencyKey(Set);
                else if (how == "attribute") own.RequireIdempotencyKey().WithMetadata(Attribute);
                else own.WithMetadata(Attribute);
                app.MapPost("/common", () => "common").RequireIdempotencyKey();
            },
            endpoints: o => o.ScopeFor = _ => "all",
            gate: g => g.UseStore(_ => _store));

        await shop.SendAsync("/own", key: "k1");
        await shop.SendAsync("/common", key: "k2");

        AcquireRequest[] asked = [.. _store.Asked];
        (asked[0].Lease, asked[0].Retention, asked[0].MaxAttempts).Should().Be((TimeSpan.FromSeconds(7), TimeSpan.FromHours(1), 1));
        (asked[1].Lease, asked[1].Retention, asked[1].MaxAttempts).Should().Be((TimeSpan.FromSeconds(30), Day, 5));
        _store.Kept.Should().Equal(TimeSpan.FromHours(1), Day);
    }

    [Fact]
    public async Task One_endpoint_rejects_duplicates_at_once_and_another_lets_them_wait()
    {
        Ledger now = new() { Gate = new(TaskCreationOptions.RunContinuationsAsynchronously) },
            later = new() { Gate = new(TaskCreationOptions.RunContinuationsAsynchronously) };
        await using Shop shop = await Shop.OpenAsync(
            app =>
            {
                app.MapPost("/now", () => now.ChargeAsync()).RequireIdempotencyKey(o => o.WhenInFlight = WhenInFlight.Reject);
                app.MapPost("/later", () => later.ChargeAsync()).RequireIdempotencyKey(o => o.MaxWait = TimeSpan.FromMinutes(5));
            });
        Task<Shop.Reply> first = shop.SendAsync("/now", key: "k1"), second = shop.SendAsync("/later", key: "k2");
        await Task.WhenAll(now.Begun.Task, later.Begun.Task).WaitAsync(Shop.Patience);

        Shop.Reply rejected = await shop.SendAsync("/now", key: "k1");
        Task<Shop.Reply> waiting = shop.SendAsync("/later", key: "k2");
        now.Gate.SetResult();
        later.Gate.SetResult();

        rejected.Status.Should().Be(409);
        (await waiting).Text.Should().Be((await second).Text);
        (await first).Status.Should().Be(200);
        (now.Count, later.Count).Should().Be((1, 1));
    }

    public static TheoryData<string, string> Wrong => new()
    {
        { "lease", "Lease" }, { "retention", "Retention" }, { "attempts", "MaxAttempts" }, { "wait", "MaxWait" }, { "when", "WhenInFlight" },
            { "execution", "MaxExecution" },
        { "rejections", "ClientErrorRetention" }, { "against the gate", "Retention" }, { "attribute lease", "Lease" }, { "attribute nan", "Retention" },
            { "attribute attempts", "MaxAttempts" },
        { "attribute wait", "MaxWait" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task Terms_that_make_no_sense_stop_the_host_by_their_name(string what, string option)
    {
        RequireIdempotencyKeyAttribute? attribute = what switch
        {
            "attribute lease" => new() { LeaseSeconds = -1 },
            "attribute nan" => new() { RetentionSeconds = double.NaN },
            "attribute attempts" => new() { MaxAttempts = -1 },
            "attribute wait" => new() { MaxWaitSeconds = -2 },
            _ => null,
        };
        Func<Task> opening = async () => await (await Shop.OpenAsync(
            app =>
            {
                RouteHandlerBuilder endpoint = app.MapPost("/own", () => "own").RequireIdempotencyKey(o =>
                {
                    o.ScopeFor = _ => "all";
                    if (what == "lease") o.Lease = TimeSpan.FromMilliseconds(1);
                    if (what == "retention") o.Retention = TimeSpan.FromDays(10_000);
                    if (what == "attempts") o.MaxAttempts = 0;
                    if (what == "wait") o.MaxWait = TimeSpan.Zero;
                    if (what == "when") o.WhenInFlight = (WhenInFlight)9;
                    if (what == "execution") o.MaxExecution = TimeSpan.FromDays(2);
                    if (what == "rejections") o.ClientErrorRetention = TimeSpan.Zero;
                    if (what == "against the gate") o.Retention = TimeSpan.FromSeconds(29); // the gate's lease is 30 s
                });
                if (attribute is not null) endpoint.WithMetadata(attribute);
            })).DisposeAsync();

        (await opening.Should().ThrowAsync<ResilienceOptionsException>())
            .Which.Problems.Should().OnlyContain(p => p.Option == option && p.Policy == "POST /own");
    }

    [Theory]
    [InlineData(404, "", 600)]
    [InlineData(422, "", 600)]
    [InlineData(200, "", 86_400)]
    [InlineData(302, "", 86_400)]
    [InlineData(404, "chosen", 86_400)]
    [InlineData(409, "past the point of no return", 86_400)]
    [InlineData(404, "short retention", 60)]
    public async Task A_rejection_is_kept_for_minutes_and_a_response_for_the_retention(int status, string how, int seconds)
    {
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/do", (HttpContext context) =>
            {
                if (how == "past the point of no return") context.GetIdempotencyClaim()!.PassPointOfNoReturn();
                return Results.StatusCode(status);
            }).RequireIdempotencyKey(o =>
            {
                if (how == "chosen") o.Statuses[status] = IdempotencyDisposition.Keep;
                if (how == "short retention") o.Retention = TimeSpan.FromMinutes(1);
            }),
            gate: g => g.UseStore(_ => _store));

        Shop.Reply first = await shop.SendAsync("/do"), again = await shop.SendAsync("/do");

        (first.Status, again.Status, again.IsReplayed).Should().Be((status, status, true));
        _store.Kept.Should().Equal(TimeSpan.FromSeconds(seconds));
    }

    /// <summary>A term that is added and forgotten somewhere is found here.</summary>
    [Fact]
    public void Every_term_is_an_option_of_endpoints_is_copied_and_is_applied()
    {
        foreach (PropertyInfo term in typeof(IdempotencyTerms).GetProperties().Where(p => p.CanWrite))
        {
            PropertyInfo option = typeof(IdempotencyEndpointOptions).GetProperty(term.Name)!, ofGate = typeof(IdempotencyOptions).GetProperty(term.Name)!;
            object value = (Nullable.GetUnderlyingType(term.PropertyType) ?? term.PropertyType) switch
            {
                { IsEnum: true } => WhenInFlight.Reject,
                Type t when t == typeof(int) => 3,
                _ => TimeSpan.FromSeconds(77),
            };
            IdempotencyEndpointOptions options = new();
            option.SetValue(options, value);

            IdempotencyTerms terms = options.Copy().Terms;

            term.GetValue(terms).Should().Be(value, term.Name);
            ofGate.GetValue(terms.ApplyTo(new())).Should().Be(value, term.Name);
        }

        new IdempotencyEndpointOptions().Terms.Should().Be(new IdempotencyTerms());
    }

    /// <summary>Notes what it is asked to keep, and for how long.</summary>
    private sealed class RecordingStore : IIdempotencyStore
    {
        private readonly InMemoryIdempotencyStore _inner = new();

        internal ConcurrentQueue<AcquireRequest> Asked { get; } = [];

        internal ConcurrentQueue<TimeSpan> Kept { get; } = [];

        public IdempotencyStoreTraits Traits => _inner.Traits;

        public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default)
        {
            Asked.Enqueue(request);
            return _inner.TryAcquireAsync(request, cancellationToken);
        }

        public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default) =>
            _inner.RenewAsync(id, fence, lease, cancellationToken);

        public ValueTask<bool> CompleteAsync(
            IdempotencyId id, long fence, IdempotencyCompletion outcome, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken = default)
        {
            Kept.Enqueue(retention);
            return _inner.CompleteAsync(id, fence, outcome, payload, retention, cancellationToken);
        }

        public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) =>
            _inner.ReleaseAsync(id, fence, cancellationToken);

        public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) => _inner.PeekAsync(id, cancellationToken);

        public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default) => _inner.PurgeAsync(max, cancellationToken);
    }
}
