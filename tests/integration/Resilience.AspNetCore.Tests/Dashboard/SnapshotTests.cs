using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Tests;

namespace Resilience.AspNetCore.Tests;

/// <summary>What the page is told of the pipelines.</summary>
public sealed class SnapshotTests
{
    [Fact]
    public async Task All_pipelines_of_the_container_are_there_with_their_options()
    {
        await using Desk desk = await Desk.OpenAsync(
            b => b.AddPipeline("orders", p => p.AddTimeout(TimeSpan.FromSeconds(30)).AddRetry().AddCircuitBreaker())
                .AddPipeline<string>("prices", p => p.AddTimeout(TimeSpan.FromSeconds(2)))
                .AddPipeline("empty", _ => { }),
            services: s => s.AddHttpClient("payments").AddStandardResilience());
        desk.Services.GetRequiredService<HttpResilienceProvider>().GetResilience("payments").For(new("https://pay.example.org"));

        JsonElement snapshot = await desk.SnapshotAsync();

        Dictionary<string, JsonElement> pipelines = Pipelines(snapshot);
        pipelines.Keys.Should().BeEquivalentTo("orders", "prices<String>", "empty", "payments/https://pay.example.org");
        Policies(pipelines["orders"]).Should().Equal("timeout: timeout", "retry: retry", "circuit-breaker: circuit breaker");
        pipelines["orders"].GetProperty("policies")[2].GetProperty("options").EnumerateArray().Select(o => o.GetProperty("name").GetString())
            .Should().Contain(["failure ratio", "break"]);
        pipelines["prices<String>"].GetProperty("detail").GetString().Should().Be("pipeline for String");
        pipelines["payments/https://pay.example.org"].GetProperty("kind").GetString().Should().Be("http");
    }

    [Fact]
    public async Task A_circuit_shows_its_window_and_why_it_opened()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker(
            new CircuitBreakerOptions { MinimumCalls = 4, BreakDuration = TimeSpan.FromHours(1), MaxBreakDuration = TimeSpan.FromHours(1) })));
        ResiliencePipeline orders = desk.Pipeline("orders");
        await FailAsync(orders, 3);

        JsonElement closed = Circuit(await desk.SnapshotAsync());
        await FailAsync(orders, 1);
        JsonElement open = Circuit(await desk.SnapshotAsync());

        closed.GetProperty("state").GetString().Should().Be("closed");
        (closed.GetProperty("calls").GetInt32(), closed.GetProperty("failures").GetInt32()).Should().Be((3, 3));
        (closed.GetProperty("minimumCalls").GetInt32(), closed.GetProperty("opensAtRatio").GetDouble()).Should().Be((4, 0.5));
        open.GetProperty("state").GetString().Should().Be("open");
        open.GetProperty("cause").GetString().Should().Be("4 of 4 calls failed");
        open.GetProperty("breakLeftMs").GetInt64().Should().BePositive();
        open.GetProperty("epoch").GetInt64().Should().Be(closed.GetProperty("epoch").GetInt64() + 1);
        open.GetProperty("id").GetString().Should().Be(closed.GetProperty("id").GetString());
    }

    [Fact]
    public async Task Budgets_and_limits_show_what_is_left()
    {
        ConcurrencyLimit limit = new(new ConcurrencyLimitOptions { Name = "places", MaxConcurrent = 5, MaxQueued = 7 });
        RetryBudget budget = new(new RetryBudgetOptions { MinRetriesPerSecond = 2, Window = TimeSpan.FromSeconds(10) });
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders",
            p => p.AddRetry(new RetryOptions { Budget = budget }).AddConcurrencyLimit(limit)));
        limit.TryEnter().Should().BeTrue();

        JsonElement[] policies = Now(await desk.SnapshotAsync());

        policies[0].GetProperty("status").GetProperty("text").GetString().Should().Be("20 retries left, 20 at rest");
        policies[0].GetProperty("status").GetProperty("share").GetDouble().Should().Be(1);
        JsonElement places = policies[1].GetProperty("status");
        places.GetProperty("text").GetString().Should().Be("1 of 5 running · 0 of 7 waiting");
        (places.GetProperty("condition").GetString(), places.GetProperty("share").GetDouble()).Should().Be(("ok", 0.2));
        places.GetProperty("readings").EnumerateArray().Select(r => r.ToString()).Should().Equal(
            """{"name":"running","value":1,"max":5,"unit":"calls"}""", """{"name":"waiting","value":0,"max":7,"unit":"calls"}""");
    }

    [Fact]
    public async Task A_policy_of_another_author_is_shown_by_what_it_says_of_itself_and_only_by_that()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p
            .AddPolicy(new Foreign("policy", new Speaking(() => new(PolicyCondition.Tripped, "paused for 3 s")
            {
                Readings = [new("running", double.NaN), new("left", 3, "s") { Max = 4 }],
                Parts = [new("a", new(PolicyCondition.Ok, "well")), new("b", new(PolicyCondition.Warning, "ill"))],
            })))
            .AddPolicy(new Foreign("policy-2", new Speaking(() => throw new IOException())))
            .AddPolicy(new Foreign("policy-3", "a secret"))));

        JsonElement snapshot = await desk.SnapshotAsync();

        JsonElement[] policies = Now(snapshot);
        policies[0].GetProperty("status").ToString().Should().Be(
            """{"condition":"tripped","text":"paused for 3 s","share":0.75,"readings":[{"name":"running"},{"name":"left","value":3,"max":4,"unit":"s"}],"parts":[{"key":"b","text":"ill"},{"key":"a","text":"well"}]}""");
        policies[1].GetProperty("status").GetProperty("text").GetString().Should().Be("could not be read: IOException");
        policies[2].TryGetProperty("status", out _).Should().BeFalse();
        snapshot.ToString().Should().NotContain("a secret");
    }

    [Fact]
    public async Task Keys_of_another_author_that_shall_not_be_seen_are_not_there_either()
    {
        Speaking tenants = new(() => new(PolicyCondition.Tripped, "1 tenant is out")
        {
            Parts = [new("a-secret-tenant", new(PolicyCondition.Tripped, "a-secret-tenant has no quota left")),
                new("another-secret", new(PolicyCondition.Ok, "well"))],
        });
        await using Desk desk = await Desk.OpenAsync(
            b => b.AddPipeline("orders", p => p.AddPolicy(new Foreign("policy", tenants))), o => o.ShowPartitionKeys = false);

        JsonElement snapshot = await desk.SnapshotAsync();

        Now(snapshot)[0].GetProperty("status").GetProperty("parts").ToString().Should().Be("""[{"key":"(hidden)","text":"tripped"}]""");
        snapshot.ToString().Should().NotContain("secret");
    }

    private sealed class Speaking(Func<PolicyStatus> say) : IPolicyStatus
    {
        public PolicyStatus GetStatus() => say();
    }

    private sealed class Foreign(string name, object state) : SimplePolicy
    {
        public override object? State => state;

        public override PolicyDescription Describe() => new(name, PolicyRole.Other);

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }

    [Fact]
    public async Task Of_many_keys_those_in_trouble_are_shown_and_the_rest_is_counted()
    {
        CircuitBreakerPartitions shards = new(new CircuitBreakerOptions { ConsecutiveFailures = 1 });
        for (int i = 0; i < 30; i++) shards.Get($"shard-{i:00}");
        shards.Get("shard-29").Isolate();
        await using Desk desk = await Desk.OpenAsync(
            b => b.AddPipeline("orders", p => p.AddCircuitBreaker(shards, c => c.Operation)), o => o.MaxShown = 3);

        JsonElement circuits = Now(await desk.SnapshotAsync())[0].GetProperty("circuits");

        circuits.GetProperty("total").GetInt32().Should().Be(30);
        circuits.GetProperty("notClosed").GetInt32().Should().Be(1);
        circuits.GetProperty("shown").EnumerateArray().Select(c => c.GetProperty("key").GetString()).Should().Equal("shard-29", "shard-00", "shard-01");
    }

    [Fact]
    public async Task Keys_that_shall_not_be_seen_are_not_there()
    {
        CircuitBreakerPartitions tenants = new(new CircuitBreakerOptions());
        tenants.Get("a-secret-tenant").Isolate();
        await using Desk desk = await Desk.OpenAsync(
            b => b.AddPipeline("orders", p => p.AddCircuitBreaker(tenants, c => c.Operation)), o => o.ShowPartitionKeys = false);
        desk.Pipeline("orders");
        tenants.Get("a-secret-tenant").Close();
        tenants.Get("a-secret-tenant").Isolate();

        JsonElement snapshot = await desk.SnapshotAsync();

        snapshot.ToString().Should().NotContain("a-secret-tenant").And.Contain("(hidden)");
        snapshot.GetProperty("state").GetProperty("recent").GetArrayLength().Should().Be(2, "the changes are told, without the key");
    }

    [Fact]
    public async Task Of_many_pipelines_those_in_trouble_are_shown_and_the_rest_is_counted()
    {
        await using Desk desk = await Desk.OpenAsync(
            b =>
            {
                for (int i = 0; i < 9; i++) b.AddPipeline($"p{i}", p => p.AddCircuitBreaker());
            },
            o => o.MaxShown = 2);
        desk.Pipeline("p8").Find<CircuitBreaker>()!.Isolate();

        JsonElement snapshot = await desk.SnapshotAsync();

        Pipelines(snapshot).Keys.Should().Equal("p8", "p0");
        snapshot.GetProperty("layout").GetProperty("hidden").GetInt32().Should().Be(7);
    }

    [Fact]
    public async Task Names_are_text_wherever_they_stand()
    {
        const string Evil = "<script>alert('x')</script>";
        await using Desk desk = await Desk.OpenAsync(
            b => b.AddPipeline(Evil, p => p.AddCircuitBreaker(new CircuitBreakerOptions { Name = Evil })), o => o.Title = Evil);

        string page = await desk.Client.GetStringAsync("/resilience"), snapshot = await desk.Client.GetStringAsync("/resilience/snapshot");

        page.Should().NotContain(Evil).And.Contain("&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;");
        snapshot.Should().NotContain("<").And.Contain("\\u003Cscript");
        Pipelines(JsonDocument.Parse(snapshot).RootElement).Keys.Should().Equal(Evil);
    }

    [Fact]
    public async Task A_pipeline_inside_another_is_shown_in_its_place()
    {
        await using Desk desk = await Desk.OpenAsync(b => b
            .AddPipeline("inner", p => p.AddCircuitBreaker(new CircuitBreakerOptions { Name = "heart" }))
            .AddPipeline("outer", (p, s) => p.AddTimeout(TimeSpan.FromSeconds(9)).AddPipeline(s.GetRequiredService<ResiliencePipelineProvider>().GetPipeline("inner"))));
        desk.Pipeline("inner").Find<CircuitBreaker>()!.Isolate();

        JsonElement snapshot = await desk.SnapshotAsync();

        JsonElement outer = Pipelines(snapshot)["outer"];
        outer.GetProperty("policies").EnumerateArray().Select(p => (p.GetProperty("name").GetString(), p.GetProperty("depth").GetInt32()))
            .Should().Equal(("timeout", 0), ("pipeline", 0), ("heart", 1));
        JsonElement now = snapshot.GetProperty("state").GetProperty("pipelines").EnumerateArray().Single(p => p.GetProperty("id").GetString() == "p:outer");
        now.GetProperty("policies")[2].GetProperty("circuits").GetProperty("shown")[0].GetProperty("state").GetString().Should().Be("isolated");
    }

    [Fact]
    public async Task A_policy_that_cannot_describe_itself_does_not_hide_the_others()
    {
        Moody moody = new();
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("bad", p => p.AddPolicy(moody)).AddPipeline("good", p => p.AddCircuitBreaker()));
        moody.Throws = true;

        Dictionary<string, JsonElement> pipelines = Pipelines(await desk.SnapshotAsync());

        pipelines["good"].GetProperty("policies").GetArrayLength().Should().Be(1);
        JsonElement problem = pipelines["bad"].GetProperty("policies")[0].GetProperty("options")[0];
        problem.GetProperty("value").GetString().Should().Be("Describe threw InvalidOperationException", "no message of an exception is shown");
    }

    [Fact]
    public async Task The_gate_and_the_guard_of_its_store_are_shown_once_they_were_used()
    {
        await using Desk desk = await Desk.OpenAsync(services: s => s.AddIdempotency()
            .UseStore(_ => new ThrowingStore(() => new NotSupportedException(), "far")));
        JsonElement before = await desk.SnapshotAsync();
        desk.Services.GetRequiredService<IdempotencyGate>();

        JsonElement after = await desk.SnapshotAsync();

        Pipelines(before).Should().BeEmpty("looking makes nothing");
        Pipelines(after).Values.Select(p => p.GetProperty("kind").GetString()).Should().Equal("gate", "store");
        Now(after)[0].GetProperty("store").GetString().Should().Be("far");
    }

    [Fact]
    public async Task Warnings_of_the_order_are_shown()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("odd", p => p.AddCircuitBreaker().AddTimeout(TimeSpan.FromSeconds(1)).AddRetry()));

        JsonElement warnings = Pipelines(await desk.SnapshotAsync())["odd"].GetProperty("warnings");

        warnings.EnumerateArray().Select(w => w.GetProperty("code").GetString()).Should().NotBeEmpty()
            .And.OnlyContain(c => c!.StartsWith("RES", StringComparison.Ordinal));
    }

    internal static async Task FailAsync(ResiliencePipeline pipeline, int times)
    {
        for (int i = 0; i < times; i++) await pipeline.TryExecuteAsync(static _ => ValueTask.FromException<int>(new IOException("down")));
    }

    internal static Dictionary<string, JsonElement> Pipelines(JsonElement all) =>
        all.GetProperty("layout").GetProperty("pipelines").EnumerateArray().ToDictionary(p => p.GetProperty("name").GetString()!);

    internal static JsonElement[] Now(JsonElement all) => [.. all.GetProperty("state").GetProperty("pipelines")[0].GetProperty("policies").EnumerateArray()];

    internal static JsonElement Circuit(JsonElement all) =>
        Now(all).Single(p => p.TryGetProperty("circuits", out _)).GetProperty("circuits").GetProperty("shown")[0];

    private static IEnumerable<string> Policies(JsonElement pipeline) =>
        pipeline.GetProperty("policies").EnumerateArray().Select(p => $"{p.GetProperty("name").GetString()}: {p.GetProperty("role").GetString()}");

    private sealed class Moody : SimplePolicy
    {
        internal bool Throws { get; set; }

        public override PolicyDescription Describe() => Throws ? throw new InvalidOperationException("password=123") : base.Describe();

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }
}
