using System.Diagnostics;

namespace Resilience;

/// <summary>A span of ours, or none. Listeners are told of its start and its end on the caller's thread; what they throw is counted and
/// swallowed, and the span around it is current again afterwards.</summary>
internal readonly struct Span : IDisposable
{
    /// <summary>How the errors of those who listen to spans are counted.</summary>
    internal const string Listener = "activity listener";

    private static readonly object[] SmallNumbers = [.. Enumerable.Range(0, 16).Select(static n => (object)n)];

    private readonly Activity? _own;
    private readonly Activity? _around;

    private Span(Activity? own, Activity? around)
    {
        _own = own;
        _around = around;
    }

    /// <summary>True when there is a listener.</summary>
    internal bool Exists => _own is not null;

    /// <summary>True when a listener asked for its data.</summary>
    internal bool IsRecorded => _own is { IsAllDataRequested: true };

    internal static Span Start(string name)
    {
        Activity? around = Activity.Current;
        try
        {
            return new(ResilienceTelemetry.Source.StartActivity(name), around);
        }
        catch (Exception error)
        {
            Safely.Report(Listener, error);

            // It was made current before the listeners were told: it has begun, and goes on.
            if (Activity.Current is { } begun && begun != around && begun.Source == ResilienceTelemetry.Source) return new(begun, around);
            MakeCurrent(around);
            return default;
        }
    }

    internal void Tag(string key, object? value)
    {
        try
        {
            _own?.SetTag(key, value);
        }
        catch (Exception error)
        {
            Safely.Report(Listener, error);
        }
    }

    /// <summary>The same for a small number, without a new object for each.</summary>
    internal void Tag(string key, int value) => Tag(key, value >= 0 && value < SmallNumbers.Length ? SmallNumbers[value] : value);

    internal void Fail()
    {
        try
        {
            _own?.SetStatus(ActivityStatusCode.Error);
        }
        catch (Exception error)
        {
            Safely.Report(Listener, error);
        }
    }

    /// <summary>Ends it.</summary>
    public void Dispose()
    {
        if (_own is null) return;
        try
        {
            _own.Stop();
        }
        catch (Exception error)
        {
            MakeCurrent(_around);
            Safely.Report(Listener, error);
        }
    }

    /// <summary>Makes a span current, for code that speaks in the name of another flow of control. Who watches the current span may throw.</summary>
    internal static void MakeCurrent(Activity? span)
    {
        try
        {
            Activity.Current = span;
        }
        catch (Exception error)
        {
            Safely.Report(Listener, error);
        }
    }

    /// <summary>The source of our spans. A listener that throws when it is told of it cannot keep it from being made.</summary>
    internal static ActivitySource MakeSource(string name, string? version)
    {
        try
        {
            return new(name, version);
        }
        catch (Exception)
        {
            // It is known to the runtime, and lost to us: we find it again as a listener of our own. (The error cannot be counted: this
            // runs before there is a counter.)
            ActivitySource? found = null;
            using ActivityListener finder = new()
            {
                ShouldListenTo = source =>
                {
                    if (source.Name == name) found = source;
                    return false;
                },
            };
            ActivitySource.AddActivityListener(finder);
            return found ?? new("");
        }
    }
}
