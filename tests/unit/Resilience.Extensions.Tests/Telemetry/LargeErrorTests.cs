using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Resilience.Tests.Http;

namespace Resilience.Tests.Telemetry;

/// <summary>Errors that hold more others than can be walked, at the places of the extensions that judge them or write them down.</summary>
public sealed class LargeErrorTests
{
    private static readonly HttpResilience Client = HttpKit.Standard(new FakeTimeProvider());

    private static readonly (string Name, Action<Exception> Do)[] Places =
    [
        ("the table of HTTP", static error => HttpClassifier.Default.Judge(error, callCancelled: false)),
        ("a get", static error => Send(HttpMethod.Get, error)),
        ("a post", static error => Send(HttpMethod.Post, error)),
        ("a get whose transport wraps it", static error => Send(HttpMethod.Get, new HttpRequestException(HttpRequestError.ConnectionError, "x", error))),
        ("a cancellation around it", static error => Send(HttpMethod.Get, new TaskCanceledException("x", error))),
        ("a reload", Reload),
        ("the start of the host", Start),
    ];

    /// <summary>As the console writes.</summary>
    internal sealed class Writer : ILogger, ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _ = $"{formatter(state, exception)} {exception}";

        public void Dispose()
        {
        }
    }

    private static void Send(HttpMethod method, Exception error)
    {
        using HttpClient client = HttpKit.Client(Client, new ScriptedHandler((_, _, _) => throw error));
        using HttpRequestMessage request = HttpKit.Request(method, method == HttpMethod.Post ? new StringContent("x") : null);
        try
        {
            client.SendAsync(request).GetAwaiter().GetResult();
        }
        catch (Exception)
        {
            // It is the caller's; how it is written down is for the caller.
        }
    }

    private static ServiceCollection Services()
    {
        ServiceCollection services = new();
        services.AddLogging(static logs => logs.AddProvider(new Writer()).SetMinimumLevel(LogLevel.Trace));
        return services;
    }

    private static void Start(Exception error)
    {
        ServiceCollection services = Services();
        services.AddResilience().AddPipeline("p", _ => throw error);
        using ServiceProvider container = services.BuildServiceProvider();
        container.Invoking(c => c.GetRequiredService<IStartupValidator>().Validate()).Should().Throw<OptionsValidationException>();
    }

    private static void Reload(Exception error)
    {
        IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection([new("P:AttemptTimeout", "00:00:01")]).Build();
        ServiceCollection services = Services();
        services.AddSingleton<IConfiguration>(configuration);
        bool fails = false;
        services.AddResilience().AddPipeline("p", "P", (pipeline, settings, _) =>
        {
            if (fails) throw error;
            pipeline.AddPolicies(settings);
        });
        using ServiceProvider container = services.BuildServiceProvider();
        ResiliencePipeline built = container.GetRequiredKeyedService<ResiliencePipeline>("p");
        fails = true;
        configuration["P:AttemptTimeout"] = "00:00:02";
        configuration.Reload();
        built.Describe().Policies.Single().Timeout.Should().Be(TimeSpan.FromSeconds(1), "the last good settings stay");
    }

    [Fact]
    public void No_place_of_the_extensions_follows_all_that_an_error_holds()
    {
        foreach (string shape in LargeExceptions.All)
        {
            foreach ((string name, Action<Exception> place) in Places) LargeExceptions.Wrong(shape, place).Should().BeNull(name);
        }
    }
}
