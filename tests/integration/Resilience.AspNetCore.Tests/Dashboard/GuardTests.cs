using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Resilience.AspNetCore.Tests;

/// <summary>Who may look, who may act, and what the page lets a browser do.</summary>
public sealed partial class GuardTests
{
    private static readonly string[] Paths = ["/resilience", "/resilience/events", "/resilience/snapshot"];

    [Theory]
    [InlineData("Production")]
    [InlineData("Staging")]
    [InlineData("development2")]
    public async Task Outside_of_Development_a_careless_page_shows_nothing(string environment)
    {
        ReviewedLines log = new();
        await using Desk desk = await Desk.OpenAsync(
            b => b.AddPipeline("orders", p => p.AddCircuitBreaker()), environment: environment, services: s => s.AddSingleton<ILoggerFactory>(log));
        log.Of("DashboardLocked").Should().ContainSingle("and says why, once").Which.Should().Contain("/resilience answers 404");
        foreach (string path in Paths) (await desk.StatusAsync(path, "ann")).Should().Be(HttpStatusCode.NotFound, path);
        (await ActAsync(desk, "isolate", "1", new string('0', 32))).Status.Should().Be(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task With_authorization_it_is_shown_to_those_who_have_it()
    {
        ReviewedLines log = new();
        await using Desk desk = await Desk.OpenAsync(
            environment: "Production", endpoints: e => e.RequireAuthorization("lookers"), services: s => s.AddSingleton<ILoggerFactory>(log));
        log.Of("DashboardLocked").Should().BeEmpty();
        foreach (string path in Paths)
        {
            (await desk.StatusAsync(path)).Should().Be(HttpStatusCode.Unauthorized, path);
            (await desk.StatusAsync(path, "ann")).Should().Be(HttpStatusCode.OK, path);
        }
    }

    [Fact]
    public async Task Authorization_that_is_taken_back_locks_it_again()
    {
        await using Desk desk = await Desk.OpenAsync(environment: "Production", endpoints: e => e.RequireAuthorization("lookers").AllowAnonymous());
        foreach (string path in Paths) (await desk.StatusAsync(path, "ann")).Should().Be(HttpStatusCode.NotFound, path);
    }

    [Fact]
    public async Task By_name_it_is_shown_to_every_client()
    {
        await using Desk desk = await Desk.OpenAsync(options: o => o.AllowAnonymousOutsideDevelopment = true, environment: "Production");
        foreach (string path in Paths) (await desk.StatusAsync(path)).Should().Be(HttpStatusCode.OK, path);
    }

    [Fact]
    public async Task In_Development_authorization_holds_too()
    {
        await using Desk desk = await Desk.OpenAsync(endpoints: e => e.RequireAuthorization("lookers"));
        (await desk.StatusAsync("/resilience")).Should().Be(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task The_browser_is_told_to_run_the_script_of_the_page_and_nothing_else()
    {
        await using Desk desk = await Desk.OpenAsync(options: o => o.EnableActions = true);
        using HttpResponseMessage response = await desk.Client.GetAsync("/resilience");
        string page = await response.Content.ReadAsStringAsync(), policy = response.Headers.GetValues("Content-Security-Policy").Single();

        Match script = Script().Matches(page).Should().ContainSingle().Subject, style = Style().Matches(page).Should().ContainSingle().Subject;
        policy.Split("; ").Should().Contain([
            "default-src 'none'", $"script-src 'sha256-{HashOf(script)}'", $"style-src 'sha256-{HashOf(style)}'", "connect-src 'self'", "frame-ancestors 'none'",
            "base-uri 'none'", "form-action 'none'",
        ]);
        policy.Should().NotContain("unsafe").And.NotContain("http");
        EventHandler().IsMatch(page).Should().BeFalse("there are no handlers in attributes");
        Address().Matches(page).Select(m => m.Value)
            .Should().OnlyContain(a => a.StartsWith("http://www.w3.org/", StringComparison.Ordinal), "nothing is loaded from elsewhere");
        page.Should().NotContain("innerHTML").And.NotContain("{{");
        response.Headers.GetValues("X-Frame-Options").Should().Equal("DENY");
        response.Headers.GetValues("X-Content-Type-Options").Should().Equal("nosniff");
        response.Headers.GetValues("Referrer-Policy").Should().Equal("no-referrer");
        response.Headers.CacheControl!.NoStore.Should().BeTrue();
    }

    [Fact]
    public async Task Without_actions_the_page_knows_no_token()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker()));
        (await TokenAsync(desk)).Should().BeEmpty();
        (await ActAsync(desk, "isolate", await CircuitAsync(desk), "")).Status.Should().Be(HttpStatusCode.NotFound);
        desk.Pipeline("orders").Find<CircuitBreaker>()!.State.Should().Be(CircuitState.Closed);
    }

    [Fact]
    public async Task With_actions_a_circuit_is_isolated_and_closed()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker()), o => o.EnableActions = true);
        string token = await TokenAsync(desk), circuit = await CircuitAsync(desk);
        CircuitBreaker breaker = desk.Pipeline("orders").Find<CircuitBreaker>()!;

        (await ActAsync(desk, "isolate", circuit, token)).Should().Be((HttpStatusCode.OK, "circuit-breaker is isolated."));
        breaker.State.Should().Be(CircuitState.Isolated);
        (await ActAsync(desk, "close", circuit, token)).Should().Be((HttpStatusCode.OK, "circuit-breaker is closed."));
        breaker.State.Should().Be(CircuitState.Closed);
    }

    [Fact]
    public async Task Chaos_is_shown_and_turned_off_but_never_on()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddChaos(o => o.Rates = new() { Fault = 1 })),
            o => o.EnableActions = true);
        ChaosSwitch chaos = desk.Pipeline("orders").Find<ChaosSwitch>()!;
        chaos.TurnOn();
        System.Text.Json.JsonElement policy = SnapshotTests.Now(await desk.SnapshotAsync())[0], shown = policy.GetProperty("chaos");
        (shown.GetProperty("isOn").GetBoolean(), policy.GetProperty("status").GetProperty("text").GetString()).Should().Be((true, "chaos on"));
        string token = await TokenAsync(desk), id = shown.GetProperty("id").GetString()!;

        (await ActAsync(desk, "isolate", id, token)).Status.Should().Be(HttpStatusCode.NotFound, "it is no circuit");
        (await ActAsync(desk, "turn-on", id, token)).Status.Should().Be(HttpStatusCode.BadRequest);
        chaos.IsOn.Should().BeTrue();
        (await ActAsync(desk, "turn-off", id, token)).Status.Should().Be(HttpStatusCode.OK);
        chaos.IsOn.Should().BeFalse();
    }

    [Theory]
    [InlineData("wrong token", HttpStatusCode.Forbidden)]
    [InlineData("no token", HttpStatusCode.Forbidden)]
    [InlineData("other origin", HttpStatusCode.Forbidden)]
    [InlineData("no origin", HttpStatusCode.Forbidden)]
    [InlineData("null origin", HttpStatusCode.Forbidden)]
    [InlineData("cross-site", HttpStatusCode.Forbidden)]
    [InlineData("same-site", HttpStatusCode.Forbidden)]
    [InlineData("as a form", HttpStatusCode.BadRequest)]
    [InlineData("no json", HttpStatusCode.BadRequest)]
    [InlineData("much json", HttpStatusCode.BadRequest)]
    [InlineData("other action", HttpStatusCode.BadRequest)]
    [InlineData("other circuit", HttpStatusCode.NotFound)]
    public async Task An_action_that_is_not_the_pages_own_does_nothing(string what, HttpStatusCode expected)
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker()), o => o.EnableActions = true);
        string circuit = what == "other circuit" ? "999" : await CircuitAsync(desk), action = what == "other action" ? "explode" : "isolate";
        string token = what switch { "wrong token" => new string('0', 32), "no token" => "", _ => await TokenAsync(desk) };

        (HttpStatusCode status, _) = await ActAsync(desk, action, circuit, token, request =>
        {
            if (what is "other origin" or "no origin" or "null origin") request.Headers.Remove("Origin");
            if (what == "other origin") request.Headers.Add("Origin", "http://evil.example");
            if (what == "null origin") request.Headers.Add("Origin", "null");
            if (what is "cross-site" or "same-site") request.Headers.Add("Sec-Fetch-Site", what);
            if (what == "as a form") request.Content = new FormUrlEncodedContent([new("action", action), new("target", circuit)]);
            if (what == "no json") request.Content = new StringContent("{", Encoding.UTF8, "application/json");
            if (what == "much json") request.Content = new StringContent(
                $"{{\"action\":\"isolate\",\"target\":\"{circuit}\",\"x\":\"{new string('x', 2000)}\"}}", Encoding.UTF8, "application/json");
        });

        status.Should().Be(expected);
        desk.Pipeline("orders").Find<CircuitBreaker>()!.State.Should().Be(CircuitState.Closed);
    }

    [Fact]
    public async Task To_act_needs_the_policy_for_acting()
    {
        await using Desk desk = await Desk.OpenAsync(
            b => b.AddPipeline("orders", p => p.AddCircuitBreaker()),
            o => (o.EnableActions, o.ActionsPolicy) = (true, "doers"),
            "Production",
            e => e.RequireAuthorization("lookers"));
        string token = await TokenAsync(desk, "ann"), circuit = await CircuitAsync(desk, "ann");

        (await ActAsync(desk, "isolate", circuit, token)).Status.Should().Be(HttpStatusCode.Unauthorized);
        (await ActAsync(desk, "isolate", circuit, token, r => r.Headers.Add("X-User", "ann"))).Status.Should().Be(HttpStatusCode.Forbidden);
        desk.Pipeline("orders").Find<CircuitBreaker>()!.State.Should().Be(CircuitState.Closed);
        (await ActAsync(desk, "isolate", circuit, token, r => r.Headers.Add("X-User", "doer"))).Status.Should().Be(HttpStatusCode.OK);
        desk.Pipeline("orders").Find<CircuitBreaker>()!.State.Should().Be(CircuitState.Isolated);
    }

    [Theory]
    [InlineData("ann", false)]
    [InlineData("doer", true)]
    public async Task Only_those_who_may_act_see_buttons(string user, bool mayAct)
    {
        await using Desk desk = await Desk.OpenAsync(options: o => (o.EnableActions, o.ActionsPolicy) = (true, "doers"));
        desk.Client.DefaultRequestHeaders.Add("X-User", user);
        using Watch watch = await desk.WatchAsync();
        (await watch.NextAsync())!.Value.Data.GetProperty("mayAct").GetBoolean().Should().Be(mayAct);
    }

    [Fact]
    public async Task Actions_without_a_policy_are_rejected_at_the_start_outside_of_Development()
    {
        Func<Task> open = async () => await (await Desk.OpenAsync(options: o => o.EnableActions = true, environment: "Production")).DisposeAsync();
        await open.Should().ThrowAsync<InvalidOperationException>().WithMessage("*ActionsPolicy*");
    }

    [Fact]
    public async Task Options_are_checked_all_at_once()
    {
        Func<Task> open = async () => await (await Desk.OpenAsync(options: o =>
        {
            o.Interval = TimeSpan.FromMilliseconds(1);
            o.MaxViewers = 0;
            o.MaxViewersPerClient = 1001;
            o.MaxShown = 1001;
            o.MaxRecent = 9;
            o.ActionsPolicy = "doers";
        })).DisposeAsync();
        (await open.Should().ThrowAsync<ResilienceOptionsException>()).Which.Problems.Select(p => p.Option)
            .Should().Equal("Interval", "MaxViewers", "MaxViewersPerClient", "MaxShown", "MaxRecent", "ActionsPolicy");
    }

    [Fact]
    public void Without_pipelines_mapping_says_what_is_missing()
    {
        WebApplication app = WebApplication.CreateSlimBuilder().Build();
        app.Invoking(a => a.MapResilienceDashboard()).Should().Throw<InvalidOperationException>().WithMessage("*AddResilience()*");
    }

    private static async Task<string> TokenAsync(Desk desk, string? user = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, "/resilience");
        if (user is not null) request.Headers.Add("X-User", user);
        using HttpResponseMessage response = await desk.Client.SendAsync(request);
        return Token().Match(await response.Content.ReadAsStringAsync()).Groups[1].Value;
    }

    private static async Task<string> CircuitAsync(Desk desk, string? user = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, "/resilience/snapshot");
        if (user is not null) request.Headers.Add("X-User", user);
        using HttpResponseMessage response = await desk.Client.SendAsync(request);
        return SnapshotTests.Circuit(await response.Content.ReadFromJsonAsync<System.Text.Json.JsonElement>()).GetProperty("id").GetString()!;
    }

    private static async Task<(HttpStatusCode Status, string? Said)> ActAsync(
        Desk desk, string action, string circuit, string token, Action<HttpRequestMessage>? change = null)
    {
        byte[] body = Encoding.UTF8.GetBytes($"{{\"action\":\"{action}\",\"target\":\"{circuit}\"}}"); // with a length, as browsers send it
        using HttpRequestMessage request = new(HttpMethod.Post, "/resilience/actions") { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new("application/json");
        request.Headers.Add("X-Resilience-Dashboard", token);
        request.Headers.Add("Origin", desk.Client.BaseAddress!.GetLeftPart(UriPartial.Authority));
        change?.Invoke(request);
        using HttpResponseMessage response = await desk.Client.SendAsync(request).WaitAsync(Desk.Patience);
        string text = await response.Content.ReadAsStringAsync();
        return (response.StatusCode, text.StartsWith('{') ? System.Text.Json.JsonDocument.Parse(text).RootElement.GetProperty("said").GetString() : null);
    }

    private static string HashOf(Match match) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(match.Groups[1].Value)));

    [GeneratedRegex("<script[^>]*>(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Script();

    [GeneratedRegex("<style[^>]*>(.*?)</style>", RegexOptions.Singleline)]
    private static partial Regex Style();

    [GeneratedRegex("<[a-z][^>]*\\son[a-z]+\\s*=", RegexOptions.IgnoreCase)]
    private static partial Regex EventHandler();

    [GeneratedRegex("(https?:)?//[a-z0-9.-]+\\.[a-z]{2,}[^'\"\\s]*", RegexOptions.IgnoreCase)]
    private static partial Regex Address();

    [GeneratedRegex("name=\"resilience-token\" content=\"([^\"]*)\"")]
    private static partial Regex Token();
}
