using System.Diagnostics.Metrics;
using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http.Wire;

/// <summary>What is known to go wrong with Microsoft.Extensions.Http.Resilience when clients are registered and configured, each fault as a test
/// of what ours does instead. Numbers are issues of dotnet/extensions.</summary>
public sealed class MicrosoftRegistrationFaultTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly FakeLogCollector _log = new();

    private ServiceProvider Container(Action<IServiceCollection> add, IConfiguration? configuration = null)
    {
        ServiceCollection services = new();
        services.AddLogging(l => l.AddProvider(new FakeLoggerProvider(_log)));
        services.AddMetrics();
        services.AddSingleton<TimeProvider>(_time);
        if (configuration is not null) services.AddSingleton(configuration);
        add(services);
        return services.BuildServiceProvider(validateScopes: true);
    }

    private static void Fast(StandardResilienceOptions options) => options.Retry!.BaseDelay = options.Retry.MaxDelay = TimeSpan.Zero;

    private static void Validate(IServiceProvider services) => services.GetRequiredService<IStartupValidator>().Validate();

    private static HttpClient Create(IServiceProvider services, string name) => services.GetRequiredService<IHttpClientFactory>().CreateClient(name);

    private static IConfigurationRoot Configuration(params (string Key, string Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>(v.Key, v.Value))).Build();

    private static Task<WireServer> FailingAsync(int status = 503) => WireServer.StartAsync((_, c) => WireServer.Status(c, status));

    /// <summary>Section 0.6: two standard handlers on one client made sixteen attempts.</summary>
    [Fact]
    public async Task Configured_twice_for_one_client_it_sends_nothing_at_all_and_never_sixteen_times()
    {
        await using WireServer server = await FailingAsync();
        await using ServiceProvider services = Container(s => s.AddHttpClient("shop").AddStandardResilience(Fast).AddStandardResilience(Fast));
        services.Invoking(Validate).Should().Throw<OptionsValidationException>().WithMessage("*'shop'*2 times*");
        services.Invoking(s => Create(s, "shop")).Should().Throw<InvalidOperationException>();
        server.Count.Should().Be(0);
    }

    /// <summary>4814, 5443, 5695: the configuration of one client was stacked upon the defaults of all; only an experimental method removed them.</summary>
    [Fact]
    public async Task What_is_configured_for_one_client_replaces_the_defaults_of_all()
    {
        await using WireServer server = await FailingAsync();
        await using ServiceProvider services = Container(s =>
        {
            s.ConfigureHttpClientDefaults(b => b.AddStandardResilience(Fast));
            s.AddHttpClient("own").AddStandardResilience(o =>
            {
                Fast(o);
                o.Retry!.MaxRetries = 1;
            });
            s.AddHttpClient("none").RemoveResilience();
        });
        await Create(services, "own").GetAsync(server.Address);
        server.Count.Should().Be(2);
        await Create(services, "none").GetAsync(server.Address);
        server.Count.Should().Be(3);
        await Create(services, "any other").GetAsync(server.Address);
        server.Count.Should().Be(7);
    }

    /// <summary>5021: the defaults gave all clients one circuit, so that one client's outage stopped the others.</summary>
    [Fact]
    public async Task With_defaults_for_all_clients_one_clients_circuit_does_not_stop_another()
    {
        await using WireServer bad = await FailingAsync(), good = await FailingAsync(200);
        await using ServiceProvider services = Container(s =>
        {
            s.ConfigureHttpClientDefaults(b => b.AddStandardResilience(o =>
            {
                o.Retry = null;
                o.CircuitBreaker!.ConsecutiveFailures = 2;
            }));
            s.AddHttpClient("one");
            s.AddHttpClient("two");
        });
        HttpClient one = Create(services, "one");
        for (int i = 0; i < 2; i++) await one.GetAsync(bad.Address);
        await one.Invoking(c => c.GetAsync(bad.Address)).Should().ThrowAsync<HttpResilienceException>();
        (await one.GetAsync(good.Address)).StatusCode.Should().Be(HttpStatusCode.OK, "another authority has a circuit of its own");
        (await Create(services, "two").GetAsync(bad.Address)).StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable, "another client too");
    }

    /// <summary>5463, 5540, 7535: the circuits of a client's authorities could be neither read nor controlled. 1.8: they were never forgotten.</summary>
    [Fact]
    public async Task Circuits_of_each_authority_are_at_hand_to_read_and_to_switch_and_their_number_is_bounded()
    {
        await using WireServer server = await FailingAsync(200);
        await using ServiceProvider services = Container(s => s.AddHttpClient("shop").AddStandardResilience(o =>
        {
            o.MaxAuthorities = 10;
            o.Retry = null;
        }));
        HttpResilience resilience = services.GetRequiredKeyedService<HttpResilience>("shop");
        CircuitBreaker circuit = resilience.For(server.Address).CircuitBreaker!;
        circuit.Isolate();
        await Create(services, "shop").Invoking(c => c.GetAsync(server.Address)).Should().ThrowAsync<HttpResilienceException>();
        circuit.Close();
        (await Create(services, "shop").GetAsync(server.Address)).StatusCode.Should().Be(HttpStatusCode.OK);

        for (int i = 0; i < 100; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            resilience.For(new($"http://host{i}.example.test/"));
        }

        resilience.Authorities.Count.Should().BeInRange(1, 10);
    }

    /// <summary>5165, 6166: builders did not lead back to <see cref="IHttpClientBuilder"/>.</summary>
    [Fact]
    public void Each_word_leads_back_to_the_builder_of_the_client()
    {
        ServiceCollection services = new();
        IHttpClientBuilder builder = services.AddHttpClient("shop");
        builder.AddStandardResilience().Should().BeSameAs(builder);
        builder.RemoveResilience().Should().BeSameAs(builder);
        builder.AddResilience(p => p.AddRetry()).Should().BeSameAs(builder);
        builder.AddIdempotencyKey().Should().BeSameAs(builder);
        builder.RemoveIdempotencyKey().Should().BeSameAs(builder);
    }

    /// <summary>4759: the handler's type was hidden. 6164: there was no standard pipeline without a container.</summary>
    [Fact]
    public async Task The_standard_pipeline_is_an_ordinary_handler_that_needs_no_container()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n == 0 ? 503 : 200));
        using DelegatingHandler handler = new ResilienceHttpHandler(HttpResilience.Standard(), new SocketsHttpHandler());
        using HttpClient client = new(handler);
        (await client.GetAsync(server.Address)).StatusCode.Should().Be(HttpStatusCode.OK);
        server.Count.Should().Be(2);
    }

    /// <summary>4727: the options stood under an unexpected name, and settings seemed not to work.</summary>
    [Fact]
    public async Task Settings_stand_where_the_code_says_and_what_became_of_them_under_the_clients_own_name()
    {
        await using ServiceProvider services = Container(
            s => s.AddHttpClient("shop").AddStandardResilience("Http:shop"),
            Configuration(("Http:shop:AttemptTimeout", "00:00:02"), ("Http:shop:Retry:MaxRetries", "1")));
        PipelineDescription described = services.GetRequiredKeyedService<HttpResilience>("shop").Describe();
        described.Name.Should().Be("shop");
        described.Policies[^1].Timeout.Should().Be(TimeSpan.FromSeconds(2));
    }

    /// <summary>4770: the timeout of <see cref="HttpClient"/> beat the pipeline's, unsaid; with a pipeline of one's own its 100 s stayed.</summary>
    [Fact]
    public async Task A_client_timeout_that_cuts_the_pipeline_short_is_reported_and_the_default_gives_way_to_a_longer_pipeline()
    {
        await using ServiceProvider services = Container(s =>
        {
            s.AddHttpClient("cut").AddStandardResilience().ConfigureHttpClient(c => c.Timeout = TimeSpan.FromSeconds(7));
            s.AddHttpClient("own").AddResilience(p => p.AddTimeout(TimeSpan.FromMinutes(5)));
        });
        Create(services, "cut").Timeout.Should().Be(TimeSpan.FromSeconds(7), "what the user says is not thrown away");
        Create(services, "own").Timeout.Should().Be(Timeout.InfiniteTimeSpan);
        _log.GetSnapshot().Where(r => r.Category == "Resilience").Should().ContainSingle().Which.Message.Should().StartWith("cut:");
    }

    /// <summary>4893: a pipeline that was registered elsewhere could not be given to a client.</summary>
    [Fact]
    public async Task A_pipeline_of_the_container_can_stand_in_a_clients_pipeline()
    {
        await using WireServer server = await FailingAsync();
        await using ServiceProvider services = Container(s =>
        {
            s.AddResilience().AddPipeline("gate", p => p.AddConcurrencyLimit(10));
            s.AddHttpClient("shop").AddResilience((p, provider) => p
                .AddRetry(o => o.BaseDelay = o.MaxDelay = TimeSpan.Zero)
                .AddPipeline(provider.GetRequiredKeyedService<ResiliencePipeline>("gate")));
        });
        (await Create(services, "shop").GetAsync(server.Address)).StatusCode.Should().Be(HttpStatusCode.ServiceUnavailable);
        server.Count.Should().Be(4);
        services.GetRequiredKeyedService<HttpResilience>("shop").For(server.Address).ConcurrencyLimit
            .Should().BeSameAs(services.GetRequiredKeyedService<ResiliencePipeline>("gate").Find<ConcurrencyLimit>()).And.NotBeNull();
    }

    /// <summary>6163: neither limiter nor breaker could be switched off.</summary>
    [Fact]
    public async Task Each_policy_can_be_left_out_by_code_and_by_configuration()
    {
        await using ServiceProvider services = Container(
            s =>
            {
                s.AddHttpClient("code").AddStandardResilience(o => (o.CircuitBreaker, o.Retry, o.TotalTimeout) = (null, null, null));
                s.AddHttpClient("file").AddStandardResilience("Http");
            },
            Configuration(("Http:CircuitBreaker:Enabled", "false"), ("Http:Retry:Enabled", "false")));
        services.GetRequiredKeyedService<HttpResilience>("code").Describe().Policies.Select(p => p.Name).Should().Equal("attempt-timeout");
        services.GetRequiredKeyedService<HttpResilience>("file").Describe().Policies.Select(p => p.Name).Should().Equal("total-timeout", "attempt-timeout");
    }

    /// <summary>Section 1.7: nothing related attempts, waits and timeouts to the total; without a host nothing was checked at all.</summary>
    [Fact]
    public async Task Times_that_contradict_each_other_are_errors_at_start_and_without_a_host_when_the_client_is_made()
    {
        await using ServiceProvider services = Container(
            s => s.AddHttpClient("shop").AddStandardResilience("Http:shop"), Configuration(("Http:shop:AttemptTimeout", "00:00:40")));
        services.Invoking(Validate).Should().Throw<OptionsValidationException>().WithMessage("*Http:shop*RES007*");
        services.Invoking(s => Create(s, "shop")).Should().Throw<OptionsValidationException>().WithMessage("*Http:shop*RES007*");
    }

    /// <summary>Section 0.5 and 1.7: a reload closed an open circuit.</summary>
    [Fact]
    public async Task A_reload_in_the_middle_of_an_outage_leaves_the_circuit_open()
    {
        await using WireServer server = await FailingAsync();
        IConfigurationRoot configuration = Configuration(("Http:CircuitBreaker:ConsecutiveFailures", "2"), ("Http:Retry:Enabled", "false"));
        await using ServiceProvider services = Container(s => s.AddHttpClient("shop").AddStandardResilience("Http"), configuration);
        HttpClient client = Create(services, "shop");
        for (int i = 0; i < 2; i++) await client.GetAsync(server.Address);
        configuration["Http:CircuitBreaker:ConsecutiveFailures"] = "3";
        configuration["Http:AttemptTimeout"] = "00:00:03";
        configuration.Reload();
        services.GetRequiredKeyedService<HttpResilience>("shop").Describe().Policies[^1].Timeout.Should().Be(TimeSpan.FromSeconds(3));
        await client.Invoking(c => c.GetAsync(server.Address)).Should().ThrowAsync<HttpResilienceException>();
        server.Count.Should().Be(2);
    }

    /// <summary>Section 0.5 and 1.7: a bad reload was swallowed without a line in the log, or thrown at the code that reloaded.</summary>
    [Fact]
    public async Task A_bad_reload_is_logged_with_its_path_the_last_good_settings_stay_and_a_later_good_one_applies()
    {
        IConfigurationRoot configuration = Configuration(("Http:Retry:MaxRetries", "1"));
        await using WireServer server = await FailingAsync();
        await using ServiceProvider services = Container(s => s.AddHttpClient("shop").AddStandardResilience("Http", Fast), configuration);
        HttpClient client = Create(services, "shop");
        foreach ((string value, int requests) in new[] { ("1", 2), ("-5", 2), ("many", 2), ("2", 3) })
        {
            int before = server.Count;
            configuration["Http:Retry:MaxRetries"] = value;
            configuration.Invoking(c => c.Reload()).Should().NotThrow();
            await client.GetAsync(server.Address);
            (server.Count - before).Should().Be(requests, "MaxRetries is {0}", value);
        }

        _log.GetSnapshot().Where(r => r.Level >= LogLevel.Error).Select(r => r.Message).Should().SatisfyRespectively(
            m => m.Should().Contain("Http:Retry:MaxRetries is -5"), m => m.Should().Contain("Http:Retry:MaxRetries is 'many'"));
    }

    /// <summary>5244, Polly 1958 and 2162: each success logged a line, each retry two, and none said when the next attempt would be.</summary>
    [Fact]
    public async Task A_success_logs_nothing_and_a_retry_one_line_that_says_why_and_when()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n == 1 ? 503 : 200));
        await using ServiceProvider services = Container(s => s.AddHttpClient("shop").AddStandardResilience(Fast));
        HttpClient client = Create(services, "shop");
        await client.GetAsync(server.Address);
        Lines().Should().BeEmpty();
        await client.GetAsync(server.Address);
        Lines().Should().ContainSingle().Which.Message.Should().Contain("(503); next attempt in 0 ms");

        IEnumerable<FakeLogRecord> Lines() => _log.GetSnapshot().Where(r => r.Category == "Resilience" && r.Level >= LogLevel.Information);
    }

    /// <summary>Section 0.4 and 1.10: successes carried error.type, durations were milliseconds, and the meter belonged to no library.</summary>
    [Fact]
    public async Task A_call_that_was_saved_by_a_retry_is_measured_in_seconds_and_has_no_error_type()
    {
        await using WireServer server = await WireServer.StartAsync((n, c) => WireServer.Status(c, n == 0 ? 503 : 200));
        await using ServiceProvider services = Container(s => s.AddHttpClient("shop").AddStandardResilience(Fast));
        using MetricCollector<double> calls = new(services.GetRequiredService<IMeterFactory>(), "Resilience", "resilience.call.duration");
        await Create(services, "shop").GetAsync(server.Address);
        CollectedMeasurement<double> call = calls.GetMeasurementSnapshot().Should().ContainSingle().Subject;
        calls.Instrument!.Unit.Should().Be("s");
        call.Tags.Should().NotContainKey("error.type");
        call.Value.Should().Be(0, "the clock of the test stood still");
    }

    /// <summary>5421, 5222, 5856: in some orders of registration, handlers that others had added were lost.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Handlers_that_others_add_run_inside_or_outside_as_the_order_says(bool isBefore)
    {
        await using WireServer server = await FailingAsync();
        int seen = 0;
        await using ServiceProvider services = Container(s =>
        {
            IHttpClientBuilder b = s.AddHttpClient("shop");
            if (isBefore) b.AddHttpMessageHandler(() => new Hearing(() => seen++)).AddStandardResilience(Fast);
            else b.AddStandardResilience(Fast).AddHttpMessageHandler(() => new Hearing(() => seen++));
        });
        await Create(services, "shop").GetAsync(server.Address);
        server.Count.Should().Be(4);
        seen.Should().Be(isBefore ? 1 : 4);
    }

    private sealed class Hearing(Action hear) : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            hear();
            return base.SendAsync(request, cancellationToken);
        }
    }
}
