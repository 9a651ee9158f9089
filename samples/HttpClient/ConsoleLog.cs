using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Resilience.HttpClientSample;

/// <summary>Writes each line of the log at once, on the thread that logs it, so that it stands before what comes after it. The console logger of the framework
/// has a queue and a thread of its own: better for a service, but here its lines would come after the story that they belong to.</summary>
internal sealed class ConsoleLog : ILoggerProvider, ILogger
{
    private readonly ConcurrentDictionary<string, bool> _written = [];

    /// <summary>Whether there was a line of this event.</summary>
    public bool HasWritten(string eventName) => _written.ContainsKey(eventName);

    public ILogger CreateLogger(string categoryName) => this;

    public bool IsEnabled(LogLevel logLevel) => logLevel is not LogLevel.None;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        Console.WriteLine($"   [{logLevel}] {formatter(state, exception)}");
        _written[eventId.Name ?? ""] = true;
    }

    public void Dispose()
    {
    }
}
