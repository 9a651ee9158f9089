using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Resilience;

/// <summary>The loggers of the application, which cannot break what is logged: what they throw is counted, and an exception that holds too many others to
/// be written down is not given to them.</summary>
internal sealed class SafeLogger : ILogger
{
    private const string Name = "logger";

    private readonly ILogger _users;

    private SafeLogger(ILogger users) => _users = users;

    /// <summary>The logger of a category; null where nothing is logged, or a provider throws when it is asked for one.</summary>
    internal static ILogger? Of(ILoggerFactory? logs, string category)
    {
        try
        {
            return logs is null ? null : Around(logs.CreateLogger(category));
        }
        catch (Exception error)
        {
            SafeCalls.Report(Name, error);
            return null;
        }
    }

    internal static ILogger Around(ILogger logger) => logger is SafeLogger or NullLogger ? logger : new SafeLogger(logger);

    public bool IsEnabled(LogLevel logLevel)
    {
        try
        {
            return _users.IsEnabled(logLevel);
        }
        catch (Exception error)
        {
            SafeCalls.Report(Name, error);
            return false;
        }
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull
    {
        try
        {
            return _users.BeginScope(state) is { } scope ? new Scope(scope) : null;
        }
        catch (Exception error)
        {
            SafeCalls.Report(Name, error);
            return null;
        }
    }

    [SuppressMessage("Performance", "CA1873", Justification = "The caller has asked whether the level is enabled.")]
    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        try
        {
            _users.Log(logLevel, eventId, state, ExceptionWalk.Loggable(exception), formatter);
        }
        catch (Exception error)
        {
            SafeCalls.Report(Name, error);
        }
    }

    private sealed class Scope(IDisposable users) : IDisposable
    {
        public void Dispose()
        {
            try
            {
                users.Dispose();
            }
            catch (Exception error)
            {
                SafeCalls.Report(Name, error);
            }
        }
    }
}
