using Microsoft.Extensions.Logging;

namespace Resilience.Tests;

/// <summary>A log that keeps its lines as an operator reads them.</summary>
internal sealed class ReviewedLines : ILoggerFactory, ILogger
{
    private readonly List<(string? Event, string Text)> _all = [];

    internal string[] All
    {
        get
        {
            lock (_all) return [.. _all.Select(l => l.Text)];
        }
    }

    internal string[] Of(string name)
    {
        lock (_all) return [.. _all.Where(l => l.Event == name).Select(l => l.Text)];
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string line = $"{eventId.Id,2} {logLevel,-11} {eventId.Name}: {formatter(state, exception)}{(exception is null ? "" : $"  [{exception.GetType().Name}]")}";
        lock (_all) _all.Add((eventId.Name, line));
    }

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }
}
