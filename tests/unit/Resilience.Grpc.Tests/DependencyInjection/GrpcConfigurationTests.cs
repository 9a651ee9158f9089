using Grpc.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Options;
using Resilience.Tests.Configuration;

namespace Resilience.Tests.DependencyInjection;

/// <summary>The standard pipeline of a gRPC client with numbers from a section of the configuration, over a real server.</summary>
public sealed class GrpcConfigurationTests
{
    private const string Section = "Resilience:GrpcClients:orders";

    private static readonly (string, string)[] Fast = [("Retry:BaseDelay", "00:00:00"), ("Retry:MaxDelay", "00:00:00")];

    [Fact]
    public void The_schema_of_the_package_is_what_the_options_declare() => SchemaFile.Check(
        "Resilience.Grpc",
        ("GrpcClients", "The pipelines of gRPC clients by name.",
            "The pipeline of a gRPC client: total timeout > retry > hedging > circuit breaker > concurrency limit > attempt timeout. "
            + "What is absent has its default.",
            PolicySettings.Of(new GrpcResilienceOptions())));

    private static IConfigurationRoot Settings(params (string Key, string Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(v => KeyValuePair.Create($"{Section}:{v.Key}", (string?)v.Value))).Build();

    private static ServiceProvider Client(Uri address, IConfigurationRoot configuration, FakeLogCollector? logs = null, bool byPath = true,
        Action<IHttpClientBuilder>? more = null)
    {
        ServiceCollection services = new();
        services.AddSingleton<IConfiguration>(configuration);
        services.AddLogging(l =>
        {
            if (logs is not null) l.AddProvider(new FakeLoggerProvider(logs));
        });
        IHttpClientBuilder builder = services.AddGrpcClient<Orders.OrdersClient>(o => o.Address = address);
        if (byPath) builder.AddGrpcResilience(Section, o => o.Idempotent(Orders.Descriptor));
        else builder.AddGrpcResilience(configuration.GetSection(Section), o => o.Idempotent(Orders.Descriptor));
        more?.Invoke(builder);
        return services.BuildServiceProvider();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_section_overrides_what_the_code_says_and_a_change_is_followed_with_the_circuit_as_it_is(bool byPath)
    {
        await using OrdersServer server = await OrdersServer.StartAsync();
        IConfigurationRoot configuration = Settings([("Retry:MaxRetries", "1"), .. Fast]);
        await using ServiceProvider services = Client(server.Address, configuration, byPath: byPath);
        Orders.OrdersClient client = services.GetRequiredService<Orders.OrdersClient>();
        (await AttemptsAsync()).Should().Be(2);
        GrpcTarget target = services.GetRequiredService<GrpcResilienceProvider>().GetResilience("OrdersClient").Own;
        CircuitBreaker breaker = target.CircuitBreaker!;
        configuration[$"{Section}:Retry:MaxRetries"] = "2";
        configuration.Reload();
        (await AttemptsAsync()).Should().Be(3);
        target.CircuitBreaker.Should().BeSameAs(breaker);
        breaker.TakeSnapshot().Calls.Should().Be(5, "the attempts before the change are still counted");

        async Task<int> AttemptsAsync()
        {
            OrderPlan plan = server.PlanFailure(StatusCode.Unavailable);
            await Assert.ThrowsAsync<RpcException>(() => client.GetAsync(plan.Order).ResponseAsync);
            return plan.Requests;
        }
    }

    [Fact]
    public async Task Every_part_can_stand_in_the_section()
    {
        await using ServiceProvider services = Client(new("http://localhost"), Settings(
            ("TotalTimeout", "00:00:09"), ("AttemptTimeout", "00:00:02"), ("Hedging:MaxAttempts", "2"), ("CircuitBreaker:Enabled", "false"), (
                "ConcurrencyLimit:MaxConcurrent", "3"),
            ("FirstMessageTimeout", "00:00:04"), ("StreamIdleTimeout", "00:00:05"), ("RepeatUnavailable", "true"), ("MaxTargets", "7"), (
                "AcceptedWarnings:0", "RES008")));
        GrpcResilience made = services.GetRequiredService<GrpcResilienceProvider>().GetResilience("OrdersClient");
        made.Own.Pipeline.Describe().Policies.Select(p => p.Name).Should().Equal("total-timeout", "retry", "hedging", "concurrency-limit", "attempt-timeout");
        made.Own.Pipeline.Describe().Policies.Select(p => p.Timeout).OfType<TimeSpan>().Select(t => t.TotalSeconds).Should().Equal(9, 2);
        made.Own.Beginning.Describe().Policies[^1].Timeout.Should().Be(TimeSpan.FromSeconds(4));
        GrpcClientOptions options = made.Options;
        (options.StreamIdleTimeout, options.RepeatUnavailable, options.MaxTargets, options.AcceptedWarnings.Single()).Should().Be(
            (TimeSpan.FromSeconds(5), true, 7, "RES008"));
        options.IsIdempotent(new Method<string, string>(MethodType.Unary, "shop.Orders", "Get", Marshallers.StringMarshaller, Marshallers.StringMarshaller))
            .Should().BeTrue("the code said so");
    }

    [Theory]
    [InlineData("Retry:MaxRetrys", "3", "*orders:Retry:MaxRetrys is not a known setting; did you mean MaxRetries?*")]
    [InlineData("MaxTargets", "0", "*orders:MaxTargets is 0, but must be from 1 to *")]
    [InlineData("AttemptTimeout", "7", "*orders:AttemptTimeout is '7', but must be a span of time*")]
    [InlineData("AttemptTimeout", "01:00:00", "*orders: RES007*")]
    [InlineData("Retry:Budget:Ratio", "2000", "*orders:Retry:Budget:Ratio is 2000, but must be*")]
    public async Task What_is_wrong_in_the_section_is_said_at_start_by_its_path(string key, string value, string message)
    {
        await using ServiceProvider services = Client(new("http://localhost"), Settings((key, value)));
        services.Invoking(s => s.GetRequiredService<IStartupValidator>().Validate()).Should().Throw<OptionsValidationException>().WithMessage(message);
        services.Invoking(s => s.GetRequiredService<Orders.OrdersClient>()).Should().Throw<OptionsValidationException>().WithMessage(message);
    }

    [Fact]
    public async Task A_section_that_is_missing_is_an_error_at_start()
    {
        await using ServiceProvider services = Client(new("http://localhost"), Settings());
        services.Invoking(s => s.GetRequiredService<IStartupValidator>().Validate()).Should().Throw<OptionsValidationException>().WithMessage(
            $"*{Section} has no settings*");
    }

    [Fact]
    public async Task A_change_that_is_wrong_is_logged_and_changes_nothing_until_the_next_one_that_is_right()
    {
        FakeLogCollector logs = new();
        IConfigurationRoot configuration = Settings(("Retry:MaxRetries", "1"));
        await using ServiceProvider services = Client(new("http://localhost"), configuration, logs);
        GrpcResilience made = services.GetRequiredService<GrpcResilienceProvider>().GetResilience("OrdersClient");
        configuration[$"{Section}:Retry:MaxRetries"] = "-7";
        configuration.Reload();
        made.MaxAttempts.Should().Be(2);
        logs.GetSnapshot().Should().Contain(l => l.Id.Name == "ReloadRejected" && l.Message.Contains($"{Section}:Retry:MaxRetries", StringComparison.Ordinal));
        configuration[$"{Section}:Retry:MaxRetries"] = "4";
        configuration.Reload();
        made.MaxAttempts.Should().Be(5);
        await services.DisposeAsync();
        configuration[$"{Section}:Retry:MaxRetries"] = "6";
        configuration.Reload();
        made.MaxAttempts.Should().Be(5, "with the container it stops to listen");
    }

    /// <summary>That the channel repeats below us is looked at with the numbers of the section.</summary>
    [Theory]
    [InlineData("3", true)]
    [InlineData("0", false)]
    public async Task A_service_config_that_repeats_is_found_by_the_numbers_of_the_section(string retries, bool isError)
    {
        await using ServiceProvider services = Client(new("http://localhost"), Settings(("Retry:MaxRetries", retries)), more: b => b.ConfigureChannel(
            o => o.ServiceConfig = Configs.Repeating()));
        Action start = () => services.GetRequiredService<IStartupValidator>().Validate();
        if (isError) start.Should().Throw<OptionsValidationException>().WithMessage("*RES020*up to 3 × 4 attempts*");
        else start.Should().NotThrow();
    }
}
