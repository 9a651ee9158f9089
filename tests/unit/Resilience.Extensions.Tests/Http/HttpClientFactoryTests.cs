using System.Diagnostics;
using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http;

/// <summary>Clients of IHttpClientFactory: registered, overridden, replaced, rotated, configured.</summary>
public sealed class HttpClientFactoryTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly FakeLogCollector _log = new();

    private ServiceProvider Container(Action<IServiceCollection> add, IConfiguration? configuration = null)
    {
        ServiceCollection services = new();
        services.AddLogging(l => l.AddProvider(new FakeLoggerProvider(_log)));
        services.AddSingleton<TimeProvider>(_time);
        if (configuration is not null) services.AddSingleton(configuration);
        add(services);
        return services.BuildServiceProvider(validateScopes: true);
    }

    private static HttpClient Create(IServiceProvider services, string name) => services.GetRequiredService<IHttpClientFactory>().CreateClient(name);

    private static HttpResilience ResilienceOf(IServiceProvider services, string name) =>
        services.GetRequiredService<HttpResilienceProvider>().GetResilience(name);

    private static void Fast(StandardResilienceOptions options) => options.Retry!.BaseDelay = options.Retry.MaxDelay = TimeSpan.Zero;

    private static IConfigurationRoot Configuration(params (string Key, string Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>(v.Key, v.Value))).Build();

    private static void StartChecks(IServiceProvider services) => services.GetRequiredService<IStartupValidator>().Validate();

    [Fact]
    public async Task Everything_chains_back_to_the_client_and_a_named_client_is_retried()
    {
        ScriptedHandler network = new(HttpStatusCode.BadGateway, HttpStatusCode.OK);
        await using ServiceProvider services = Container(s => s.AddHttpClient("shop")
            .AddStandardResilience(Fast).AddIdempotencyKey().ConfigurePrimaryHttpMessageHandler(() => network));
        (await Create(services, "shop").PostAsync(HttpKit.Address, new StringContent("x"))).StatusCode.Should().Be(HttpStatusCode.OK);
        network.Count.Should().Be(2);
        network.Values("Idempotency-Key").Distinct().Should().ContainSingle().Which.Should().HaveLength(36);
    }

    [Fact]
    public async Task Configured_twice_for_one_client_it_fails_at_start_and_at_creation_and_never_multiplies_attempts()
    {
        ScriptedHandler network = new(HttpStatusCode.BadGateway);
        await using ServiceProvider services = Container(s => s.AddHttpClient("shop")
            .AddStandardResilience(Fast).AddStandardResilience(Fast).ConfigurePrimaryHttpMessageHandler(() => network));
        services.Invoking(StartChecks).Should().Throw<OptionsValidationException>().WithMessage("*'shop'*2 times*RemoveResilience()*");
        services.Invoking(s => Create(s, "shop")).Should().Throw<InvalidOperationException>().WithMessage("*'shop'*2 times*");

        await using ServiceProvider replaced = Container(s => s.AddHttpClient("shop")
            .AddStandardResilience(Fast).RemoveResilience().AddStandardResilience(o =>
            {
                Fast(o);
                o.Retry!.MaxRetries = 1;
            }).ConfigurePrimaryHttpMessageHandler(() => network));
        StartChecks(replaced);
        await Create(replaced, "shop").GetAsync(HttpKit.Address);
        network.Count.Should().Be(2);
    }

    [Fact]
    public async Task Defaults_give_each_client_its_own_circuit_a_client_overrides_them_and_can_do_without()
    {
        ScriptedHandler network = new(HttpStatusCode.BadGateway);
        await using ServiceProvider services = Container(s =>
        {
            s.ConfigureHttpClientDefaults(b => b.AddStandardResilience(Fast).ConfigurePrimaryHttpMessageHandler(() => network));
            s.AddHttpClient("a");
            s.AddHttpClient("b");
            s.AddHttpClient("twice").AddStandardResilience(o =>
            {
                Fast(o);
                o.Retry!.MaxRetries = 1;
            });
            s.AddHttpClient("bare").RemoveResilience();
        });
        StartChecks(services);
        await Create(services, "a").GetAsync(HttpKit.Address);
        network.Count.Should().Be(4);
        await Create(services, "twice").GetAsync(HttpKit.Address);
        network.Count.Should().Be(6);
        await Create(services, "bare").GetAsync(HttpKit.Address);
        network.Count.Should().Be(7);

        await Create(services, "b").GetAsync(HttpKit.Address);
        ResilienceOf(services, "a").For(HttpKit.Address).CircuitBreaker.Should().NotBeSameAs(ResilienceOf(services, "b").For(HttpKit.Address).CircuitBreaker);
        services.GetRequiredService<HttpResilienceProvider>().TryGetResilience("bare", out _).Should().BeFalse();
    }

    [Fact]
    public async Task The_circuit_survives_the_rotation_of_handlers_and_is_at_hand_by_key()
    {
        ScriptedHandler network = new(HttpStatusCode.BadGateway);
        await using ServiceProvider services = Container(s => s.AddHttpClient("shop")
            .AddStandardResilience(o => o.CircuitBreaker!.ConsecutiveFailures = 4).ConfigurePrimaryHttpMessageHandler(() => network));
        services.GetRequiredKeyedService<HttpResilience>("shop").Update(new() { Retry = null, CircuitBreaker = new() { ConsecutiveFailures = 4 } });

        // Two chains of handlers, as before and after a rotation.
        IHttpMessageHandlerFactory factory = services.GetRequiredService<IHttpMessageHandlerFactory>();
        IOptionsMonitor<HttpClientFactoryOptions> options = services.GetRequiredService<IOptionsMonitor<HttpClientFactoryOptions>>();
        HttpMessageHandler first = factory.CreateHandler("shop");
        HttpMessageHandlerBuilder second = services.GetRequiredService<HttpMessageHandlerBuilder>();
        second.Name = "shop";
        foreach (Action<HttpMessageHandlerBuilder> act in options.Get("shop").HttpMessageHandlerBuilderActions) act(second);
        using HttpMessageInvoker before = new(first, false), after = new(second.Build(), false);
        for (int i = 0; i < 4; i++) await (i % 2 == 0 ? before : after).SendAsync(HttpKit.Request(HttpMethod.Get), default);
        await after.Invoking(a => a.SendAsync(HttpKit.Request(HttpMethod.Get), default)).Should().ThrowAsync<HttpResilienceException>();
        services.GetRequiredKeyedService<HttpResilience>("shop").For(HttpKit.Address).CircuitBreaker!.State.Should().Be(CircuitState.Open);
        network.Count.Should().Be(4);
    }

    [Fact]
    public async Task Configuration_is_checked_at_start_with_all_problems_and_their_paths()
    {
        IConfigurationRoot configuration = Configuration(
            ("Http:shop:Retry:MaxRetrys", "3"), ("Http:pay:Retry:MaxRetries", "-9"), ("Http:pay:Retry:Budget:Ratio", "99"), ("Http:slow:AttemptTimeout", "00:00:40"));
        await using ServiceProvider services = Container(
            s =>
            {
                s.AddHttpClient("shop").AddStandardResilience("Http:shop");
                s.AddHttpClient("pay").AddStandardResilience("Http:pay");
                s.AddHttpClient("slow").AddStandardResilience("Http:slow");
                s.AddHttpClient("gone").AddStandardResilience("Http:gone");
            },
            configuration);
        services.Invoking(StartChecks).Should().Throw<OptionsValidationException>().Which.Failures.Should().SatisfyRespectively(
            f => f.Should().StartWith("Http:shop:Retry:MaxRetrys is not a known setting; did you mean MaxRetries?"),
            f => f.Should().StartWith("Http:pay:Retry:MaxRetries is -9, but must be 0 or more"),
            f => f.Should().StartWith("Http:pay:Retry:Budget:Ratio is 99, but must be"),
            f => f.Should().StartWith("Http:slow: RES007"),
            f => f.Should().StartWith("Http:gone has no settings"));
    }

    [Fact]
    public async Task A_live_reload_during_an_outage_keeps_the_circuit_open_and_a_bad_one_keeps_the_last_good_settings()
    {
        ScriptedHandler network = new(HttpStatusCode.BadGateway);
        IConfigurationRoot configuration = Configuration(("Http:CircuitBreaker:ConsecutiveFailures", "2"), ("Http:Retry:Enabled", "false"));
        await using ServiceProvider services = Container(
            s => s.AddHttpClient("shop").AddStandardResilience("Http").ConfigurePrimaryHttpMessageHandler(() => network), configuration);
        HttpClient client = Create(services, "shop");
        await client.GetAsync(HttpKit.Address);
        await client.GetAsync(HttpKit.Address);
        CircuitBreaker circuit = ResilienceOf(services, "shop").For(HttpKit.Address).CircuitBreaker!;
        circuit.State.Should().Be(CircuitState.Open);

        configuration["Http:AttemptTimeout"] = "00:00:03";
        configuration.Reload();
        ResilienceOf(services, "shop").Describe().Policies[^1].Timeout.Should().Be(TimeSpan.FromSeconds(3));
        ResilienceOf(services, "shop").For(HttpKit.Address).Pipeline.Describe().Policies[^1].Timeout.Should().Be(TimeSpan.FromSeconds(3));
        ResilienceOf(services, "shop").For(HttpKit.Address).CircuitBreaker.Should().BeSameAs(circuit);
        circuit.State.Should().Be(CircuitState.Open);

        configuration["Http:AttemptTimeout"] = "7";
        configuration.Reload();
        ResilienceOf(services, "shop").Describe().Policies[^1].Timeout.Should().Be(TimeSpan.FromSeconds(3));
        _log.GetSnapshot().Where(r => r.Id.Id == 21).Should().ContainSingle().Which.Message.Should().Contain("Http:AttemptTimeout is '7'");
        configuration["Http:AttemptTimeout"] = "00:00:04";
        configuration.Reload();
        ResilienceOf(services, "shop").Describe().Policies[^1].Timeout.Should().Be(TimeSpan.FromSeconds(4));
        await client.Invoking(c => c.GetAsync(HttpKit.Address)).Should().ThrowAsync<HttpResilienceException>();
        network.Count.Should().Be(2);
    }

    [Fact]
    public async Task A_client_timeout_that_is_shorter_than_the_pipeline_is_found_and_reported_and_the_default_gives_way()
    {
        await using ServiceProvider services = Container(s =>
        {
            s.AddHttpClient("short", c => c.Timeout = TimeSpan.FromSeconds(7)).AddStandardResilience();
            s.AddHttpClient("late").AddStandardResilience().ConfigureHttpClient(c => c.Timeout = TimeSpan.FromSeconds(30));
            s.AddHttpClient("long").AddStandardResilience(o => o.TotalTimeout = TimeSpan.FromMinutes(5));
            s.AddHttpClient("plain").AddStandardResilience();
            s.AddHttpClient("custom").AddResilience(p => p.AddTimeout(TimeSpan.FromMinutes(3)));
        });
        Create(services, "short").Timeout.Should().Be(TimeSpan.FromSeconds(7));
        Create(services, "short");
        Create(services, "late").Timeout.Should().Be(TimeSpan.FromSeconds(30));
        Create(services, "long").Timeout.Should().Be(Timeout.InfiniteTimeSpan);
        Create(services, "plain").Timeout.Should().Be(TimeSpan.FromSeconds(100), "it bounds the reading of a body that is buffered, too");
        Create(services, "custom").Timeout.Should().Be(Timeout.InfiniteTimeSpan);
        _log.GetSnapshot().Where(r => r.Id.Id == 24).Select(r => r.Message[..6]).Should().Equal("short:", "late: ");
    }

    [Fact]
    public async Task The_key_stands_outside_the_attempts_whatever_the_order_of_registration()
    {
        foreach (bool keyFirst in new[] { true, false })
        {
            ScriptedHandler network = new(HttpStatusCode.BadGateway, HttpStatusCode.OK);
            await using ServiceProvider services = Container(s =>
            {
                IHttpClientBuilder b = s.AddHttpClient("shop").ConfigurePrimaryHttpMessageHandler(() => network);
                if (keyFirst) b.AddIdempotencyKey(o => o.HeaderName = "X-Key").AddStandardResilience(Fast);
                else b.AddStandardResilience(Fast).AddIdempotencyKey(o => o.HeaderName = "X-Key");
            });
            (await Create(services, "shop").PostAsync(HttpKit.Address, null)).StatusCode.Should().Be(HttpStatusCode.OK);
            network.Values("X-Key").Distinct().Should().ContainSingle().Which.Should().NotBeEmpty();
            network.Count.Should().Be(2);
        }
    }

    [Fact]
    public async Task A_pipeline_of_ones_own_gets_services_and_its_own_circuit_for_each_authority()
    {
        ScriptedHandler network = new(HttpStatusCode.OK);
        await using ServiceProvider services = Container(s => s.AddHttpClient("shop")
            .AddResilience((p, sp) => p.AddRetry().AddCircuitBreaker()
                .AddTimeout(sp.GetRequiredService<TimeProvider>() == _time ? TimeSpan.FromSeconds(3) : default))
            .ConfigurePrimaryHttpMessageHandler(() => network));
        HttpClient client = Create(services, "shop");
        await client.GetAsync("https://one.test/");
        await client.GetAsync("https://two.test/");
        await client.GetAsync("https://two.test:8443/");
        await client.GetAsync("http://TWO.test/");
        ResilienceOf(services, "shop").Authorities.Select(a => a.Name)
            .Should().BeEquivalentTo("https://one.test", "https://two.test", "https://two.test:8443", "http://two.test");
        ResilienceOf(services, "shop").Authorities.Select(a => a.CircuitBreaker).Distinct().Should().HaveCount(4);
    }

    [Fact]
    public async Task One_line_is_logged_for_each_retry_and_none_for_success_at_default_levels()
    {
        ScriptedHandler network = new(HttpStatusCode.BadGateway, HttpStatusCode.OK, HttpStatusCode.OK);
        await using ServiceProvider services = Container(s => s.AddHttpClient("shop")
            .AddStandardResilience(Fast).ConfigurePrimaryHttpMessageHandler(() => network));
        HttpClient client = Create(services, "shop");
        using Activity span = new Activity("request").Start();
        await client.GetAsync(HttpKit.Address);
        await client.GetAsync(HttpKit.Address);
        FakeLogRecord line = _log.GetSnapshot().Where(r => r.Category == "Resilience" && r.Level >= LogLevel.Information).Should().ContainSingle().Subject;
        line.Id.Id.Should().Be(1);
        string[] scope = [.. line.Scopes.OfType<IEnumerable<KeyValuePair<string, object?>>>().SelectMany(s => s).Select(p => $"{p.Key}={p.Value}")];
        scope.Should().Contain(["Pipeline=shop/https://api.example.test", "Operation=GET", $"TraceId={span.TraceId}"]);
        line.Message.Should().StartWith("shop/https://api.example.test/retry: attempt 1 failed (502); next attempt in ");
    }
}
