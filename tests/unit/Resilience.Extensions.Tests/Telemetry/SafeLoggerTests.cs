using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Resilience.Tests.Http;

namespace Resilience.Tests.Telemetry;

/// <summary>Loggers of the application that throw at any of their members, where ours log.</summary>
public sealed class SafeLoggerTests
{
    private sealed class Throwing(string member) : ILoggerProvider, ILogger, IDisposable
    {
        public int Thrown { get; private set; }

        private T Pass<T>(string here, T answer)
        {
            if (here != member) return answer;
            Thrown++;
            throw new NotFiniteNumberException(here);
        }

        public ILogger CreateLogger(string categoryName) => categoryName.StartsWith("Resilience", StringComparison.Ordinal) ? Pass("CreateLogger", this) : this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => Pass("BeginScope", this);

        public bool IsEnabled(LogLevel logLevel) => Pass("IsEnabled", true);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Pass("Log", formatter(state, exception));

        void IDisposable.Dispose() => Pass("Dispose", 0);
    }

    [Theory]
    [InlineData("CreateLogger")]
    [InlineData("BeginScope")]
    [InlineData("IsEnabled")]
    [InlineData("Log")]
    [InlineData("Dispose")]
    public async Task A_logger_that_throws_breaks_no_client_and_no_start(string member)
    {
        Throwing logs = new(member);
        ServiceCollection services = new();
        services.AddSingleton<ILoggerFactory>(new Factory(logs));
        services.AddResilience().AddPipeline("p", b => b.AddRetry().AddIdempotency(new IdempotencyGate())); // worth a warning: the order
        services.AddHttpClient("shop", c => c.Timeout = TimeSpan.FromSeconds(1)).AddStandardResilience(o => o.Retry!.BaseDelay = TimeSpan.FromTicks(1))
            .ConfigurePrimaryHttpMessageHandler(() => new ScriptedHandler(HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK)).RemoveAllLoggers();
        ServiceProvider container = services.BuildServiceProvider();
        container.GetRequiredKeyedService<ResiliencePipeline>("p").Should().NotBeNull();
        using HttpResponseMessage response = await container.GetRequiredService<IHttpClientFactory>().CreateClient("shop").GetAsync(HttpKit.Address);
        response.StatusCode.Should().Be(HttpStatusCode.OK);
        logs.Thrown.Should().BePositive("it was asked");
    }

    private sealed class Factory(Throwing logs) : ILoggerFactory
    {
        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => logs.CreateLogger(categoryName);

        public void Dispose()
        {
        }
    }
}
