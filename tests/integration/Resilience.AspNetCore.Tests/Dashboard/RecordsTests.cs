using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Resilience.Tests;

namespace Resilience.AspNetCore.Tests;

/// <summary>The operator's way out on the live page: a record whose outcome is unknown is looked at and decided about, by those who may.</summary>
public sealed partial class RecordsTests
{
    private readonly Lines _log = new();

    private Task<Desk> OpenAsync(Action<ResilienceDashboardOptions>? options = null, string environment = "Development", IIdempotencyStore? store = null) =>
        Desk.OpenAsync(
        options: o =>
        {
            (o.EnableActions, o.EnableResolving) = (true, true);
            options?.Invoke(o);
        },
        environment: environment,
        endpoints: environment == "Development" ? null : e => e.RequireAuthorization("lookers"),
        services: s =>
        {
            s.AddSingleton<ILoggerFactory>(_log);
            s.AddIdempotency().UseStore(_ => store ?? new InMemoryIdempotencyStore()).GuardStore(_ => { });
        });

    /// <summary>A request that has passed its point of no return and has no outcome.</summary>
    private static async Task<IdempotencyId> DoubtAsync(Desk desk)
    {
        IdempotencyId id = IdempotencyKey.Shared("order-1").ToId();
        IdempotencyClaim claim = (await desk.Services.GetRequiredService<IdempotencyGate>().EnterAsync(id, default)).Claim!;
        await claim.CompleteAsUnknownAsync();
        return id;
    }

    [Theory]
    [InlineData("record-not-done", IdempotencyStatus.Claimed)]
    [InlineData("record-done", IdempotencyStatus.Replayed)]
    [InlineData("record-unknown", IdempotencyStatus.OutcomeUnknown)]
    public async Task A_record_whose_outcome_is_unknown_is_looked_at_and_decided_about_and_the_log_says_who_did(string decision, IdempotencyStatus then)
    {
        await using Desk desk = await OpenAsync(o => o.ActionsPolicy = "doers", "Production");
        IdempotencyId id = await DoubtAsync(desk);
        string token = await TokenAsync(desk), gate = await GateAsync(desk);

        (HttpStatusCode status, JsonElement seen) = await ActAsync(desk, token, new { action = "look-at-record", target = gate, record = id.ToHex() });
        (status, seen.GetProperty("said").GetString()).Should().Be((HttpStatusCode.OK, "The outcome is unknown."));
        long fence = seen.GetProperty("fence").GetInt64();

        (status, JsonElement decided) = await ActAsync(desk, token, new { action = decision, target = gate, record = id.ToHex(), fence });
        status.Should().Be(HttpStatusCode.OK);
        decided.GetProperty("said").GetString().Should().StartWith("Decided: ");
        (await desk.Services.GetRequiredService<IdempotencyGate>().EnterAsync(id, default)).Status.Should().Be(then);
        _log.All.Should().ContainSingle(l => l.Name == "DashboardResolved")
            .Which.Text.Should().Contain("doer").And.Contain(id.ToHex())
            .And.Contain(decision["record-".Length..].Replace('-', ' ')).And.EndWith("this was recorded");

        (await ActAsync(desk, token, new { action = decision, target = gate, record = id.ToHex(), fence }))
            .Status.Should().Be(HttpStatusCode.Conflict, "it has another fence now");
    }

    [Theory]
    [InlineData("no token", HttpStatusCode.Forbidden)]
    [InlineData("wrong token", HttpStatusCode.Forbidden)]
    [InlineData("other origin", HttpStatusCode.Forbidden)]
    [InlineData("no origin", HttpStatusCode.Forbidden)]
    [InlineData("cross-site", HttpStatusCode.Forbidden)]
    [InlineData("as a form", HttpStatusCode.BadRequest)]
    [InlineData("with GET", HttpStatusCode.MethodNotAllowed)]
    [InlineData("only looks", HttpStatusCode.Forbidden)]
    [InlineData("anonymous", HttpStatusCode.Unauthorized)]
    [InlineData("not enabled", HttpStatusCode.NotFound)]
    [InlineData("no fence", HttpStatusCode.BadRequest)]
    [InlineData("other fence", HttpStatusCode.Conflict)]
    [InlineData("no id", HttpStatusCode.BadRequest)]
    [InlineData("other id", HttpStatusCode.Conflict)]
    [InlineData("other gate", HttpStatusCode.NotFound)]
    public async Task A_decision_that_is_not_the_pages_own_or_not_allowed_changes_nothing(string what, HttpStatusCode expected)
    {
        await using Desk desk = await OpenAsync(o => (o.ActionsPolicy, o.EnableResolving) = ("doers", what != "not enabled"), "Production");
        IdempotencyId id = await DoubtAsync(desk);
        long seen = (await desk.Services.GetRequiredService<IdempotencyGate>().PeekAsync(id)).Fence;
        string token = what switch { "wrong token" => new string('0', 32), "no token" => "", _ => await TokenAsync(desk) };
        string gate = what switch { "other gate" => "999", "not enabled" => "1", _ => await GateAsync(desk) };
        string record = what switch { "no id" => "abc", "other id" => new string('a', 64), _ => id.ToHex() };
        long? fence = what switch { "no fence" => null, "other fence" => seen + 1, _ => seen };

        (HttpStatusCode status, _) = await ActAsync(desk, token, new { action = "record-not-done", target = gate, record, fence }, request =>
        {
            if (what is "other origin" or "no origin") request.Headers.Remove("Origin");
            if (what == "other origin") request.Headers.Add("Origin", "http://evil.example");
            if (what == "cross-site") request.Headers.Add("Sec-Fetch-Site", what);
            if (what == "as a form") request.Content = new FormUrlEncodedContent([new("action", "record-not-done"), new("record", record)]);
            if (what == "with GET") (request.Method, request.Content) = (HttpMethod.Get, null);
            if (what is "anonymous" or "only looks") request.Headers.Remove("X-User");
            if (what == "only looks") request.Headers.Add("X-User", "ann");
        });

        status.Should().Be(expected);
        (await desk.Services.GetRequiredService<IdempotencyGate>().PeekAsync(id))
            .Should().Match<PeekResult>(p => p.State == IdempotencyState.OutcomeUnknown && p.Fence == seen);
    }

    [Fact]
    public async Task A_live_claim_an_outcome_and_a_store_that_is_away_are_told_and_left_alone()
    {
        AwayStore store = new(new());
        await using Desk desk = await OpenAsync(store: store);
        IdempotencyGate gate = desk.Services.GetRequiredService<IdempotencyGate>();
        IdempotencyId live = IdempotencyKey.Shared("live").ToId(), done = IdempotencyKey.Shared("done").ToId();
        await using IdempotencyClaim claim = (await gate.EnterAsync(live, default)).Claim!;
        await (await gate.EnterAsync(done, default)).Claim!.CompleteAsync(IdempotencyPayloadKind.Value, "x"u8.ToArray());
        string token = await TokenAsync(desk), target = await GateAsync(desk);

        foreach ((IdempotencyId id,
            string said) in new[] { (live, "being carried out"), (done, "has an outcome"), (IdempotencyKey.Shared("none").ToId(), "no such record") })
        {
            (HttpStatusCode status, JsonElement seen) = await ActAsync(desk, token, new { action = "look-at-record", target, record = id.ToHex() });
            status.Should().Be(HttpStatusCode.OK);
            seen.GetProperty("said").GetString().Should().Contain(said);
            seen.TryGetProperty("fence", out _).Should().BeFalse("there is nothing to decide");
        }

        (await ActAsync(desk, token, new { action = "record-not-done", target, record = done.ToHex(), fence = 1 })).Status.Should().Be(HttpStatusCode.Conflict);
        store.IsAway = true;
        (await ActAsync(desk, token, new { action = "look-at-record", target, record = live.ToHex() })).Status.Should().Be(HttpStatusCode.ServiceUnavailable);
        _log.All.Should().ContainSingle(l => l.Name == "DashboardRecordFailed");
    }

    [Fact]
    public async Task To_resolve_without_actions_is_rejected_when_the_page_is_mapped()
    {
        Func<Task> open = async () => await (await Desk.OpenAsync(options: o => o.EnableResolving = true)).DisposeAsync();
        (await open.Should().ThrowAsync<ResilienceOptionsException>()).Which.Problems.Should().ContainSingle(p => p.Option == "EnableResolving");
    }

    [Fact]
    public async Task One_client_has_only_so_many_views_and_keeps_no_other_out()
    {
        await using Desk desk = await Desk.OpenAsync(options: o => (o.MaxViewers, o.MaxViewersPerClient) = (4, 2));
        using Watch first = await desk.WatchAsync(), second = await desk.WatchAsync();

        (await desk.StatusAsync("/resilience/events")).Should().Be(HttpStatusCode.TooManyRequests, "this address has two already");
        desk.Client.DefaultRequestHeaders.Add("X-User", "ann");
        using Watch ann = await desk.WatchAsync(), annToo = await desk.WatchAsync();
        (await desk.StatusAsync("/resilience/events")).Should().Be(HttpStatusCode.TooManyRequests);
        desk.Client.DefaultRequestHeaders.Clear();
        desk.Client.DefaultRequestHeaders.Add("X-User", "bob");
        (await desk.StatusAsync("/resilience/events")).Should().Be(HttpStatusCode.ServiceUnavailable, "now it is full for all");
    }

    [Theory]
    [InlineData("localhost", true)]
    [InlineData("LocalHost:5000", true)]
    [InlineData("app.localhost", true)]
    [InlineData("127.0.0.1", true)]
    [InlineData("192.168.1.7:5000", true)]
    [InlineData("[::1]:5000", true)]
    [InlineData("my-machine", true)]
    [InlineData("evil.example", false)]
    [InlineData("localhost.evil.example", false)]
    [InlineData("127.0.0.1.evil.example", false)]
    [InlineData("evil-localhost", false)]
    [InlineData("my-machine.evil.example", false)]
    public async Task In_Development_an_open_page_answers_only_under_names_that_no_website_can_take(string host, bool isAllowed)
    {
        await using Desk desk = await Desk.OpenAsync(options: o =>
        {
            o.EnableActions = true;
            o.DevelopmentHosts.Add("my-machine");
        });
        foreach (string path in new[] { "/resilience", "/resilience/snapshot", "/resilience/events" })
            (await StatusAsync(desk, host, path)).Should().Be(isAllowed ? HttpStatusCode.OK : HttpStatusCode.MisdirectedRequest, path);

        await using Desk guarded = await Desk.OpenAsync(endpoints: e => e.RequireAuthorization("lookers"));
        (await StatusAsync(guarded, host, "/resilience", "ann")).Should().Be(HttpStatusCode.OK, "who looks is known there");
    }

    private static async Task<HttpStatusCode> StatusAsync(Desk desk, string host, string path, string? user = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, path);
        request.Headers.Host = host;
        if (user is not null) request.Headers.Add("X-User", user);
        using HttpResponseMessage response = await desk.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).WaitAsync(Desk.Patience);
        return response.StatusCode;
    }

    private static async Task<string> TokenAsync(Desk desk)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, "/resilience") { Headers = { { "X-User", "doer" } } };
        using HttpResponseMessage response = await desk.Client.SendAsync(request);
        return Token().Match(await response.Content.ReadAsStringAsync()).Groups[1].Value;
    }

    private static async Task<string> GateAsync(Desk desk)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, "/resilience/snapshot") { Headers = { { "X-User", "doer" } } };
        using HttpResponseMessage response = await desk.Client.SendAsync(request);
        JsonElement state = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("state");
        return state.GetProperty("pipelines").EnumerateArray().SelectMany(p => p.GetProperty("policies").EnumerateArray())
            .Single(p => p.TryGetProperty("gate", out _)).GetProperty("gate").GetString()!;
    }

    private static async Task<(HttpStatusCode Status, JsonElement Answer)> ActAsync(Desk desk, string token, object asked,
        Action<HttpRequestMessage>? change = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Post,
            "/resilience/actions")
        { Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(asked)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Add("X-Resilience-Dashboard", token);
        request.Headers.Add("X-User", "doer");
        request.Headers.Add("Origin", desk.Client.BaseAddress!.GetLeftPart(UriPartial.Authority));
        change?.Invoke(request);
        using HttpResponseMessage response = await desk.Client.SendAsync(request).WaitAsync(Desk.Patience);
        string text = await response.Content.ReadAsStringAsync();
        return (response.StatusCode, text.StartsWith('{') ? JsonDocument.Parse(text).RootElement : default);
    }

    [GeneratedRegex("name=\"resilience-token\" content=\"([^\"]*)\"")]
    private static partial Regex Token();

    /// <summary>In memory, and unreachable when it is switched so.</summary>
    private sealed class AwayStore(InMemoryIdempotencyStore inner) : ForwardingStore(inner), IResolvableIdempotencyStore
    {
        internal bool IsAway { get; set; }

        protected override InMemoryIdempotencyStore Inner => IsAway ? throw new IdempotencyStoreException(IdempotencyStoreFault.Full, "away") : inner;

        public ValueTask<ResolveResult> ResolveRecordAsync(ResolveRequest request, CancellationToken cancellationToken = default) =>
            Inner.ResolveRecordAsync(request, cancellationToken);
    }

    private sealed class Lines : ILoggerFactory, ILogger
    {
        internal ConcurrentQueue<(string? Name, string Text)> All { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            All.Enqueue((eventId.Name, formatter(state, exception)));

        public void Dispose()
        {
        }
    }
}
