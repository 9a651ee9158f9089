using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>The only way from here to code that is not ours and may throw in the middle of ours: listeners and sources of time. What they throw is
/// counted, and there is an answer all the same. (The core has homes of its own for this, which it keeps to itself.)</summary>
internal static class SafeCalls
{
    internal const string MeterListener = "meter listener";

    private const string ErrorsName = "resilience.callback.errors", ErrorsText = "Exceptions thrown by user callbacks and swallowed.";

    private static readonly Meter OfProcess = new(ResilienceTelemetry.MeterName, ResilienceTelemetry.Version);
    private static readonly Counter<long>? Errors = Make(() => OfProcess.CreateCounter<long>(ErrorsName, "{error}", ErrorsText));

    /// <summary>Counts an error of code that is not ours. Never throws, not even when who listens to the count does.</summary>
    internal static void Report(string callback, Exception error) => Report(Errors, callback, error);

    /// <summary>As above, on the meter of a pipeline.</summary>
    internal static void Report(Meter meter, string callback, Exception error) =>
        Report(Make(() => meter.CreateCounter<long>(ErrorsName, "{error}", ErrorsText)), callback, error);

    private static void Report(Counter<long>? errors, string callback, Exception error)
    {
        try
        {
            errors?.Add(1, new("resilience.callback", callback), new KeyValuePair<string, object?>("error.type", error.GetType().FullName));
        }
        catch (Exception)
        {
            // The listener of the errors is itself in error: it cannot be reported.
        }
    }

    /// <summary>The meter of a container, or one of the process.</summary>
    internal static Meter MeterOf(IMeterFactory? factory)
    {
        try
        {
            return factory?.Create(new MeterOptions(ResilienceTelemetry.MeterName) { Version = OfProcess.Version }) ?? OfProcess;
        }
        catch (Exception error)
        {
            Report("meter factory", error);
            return OfProcess;
        }
    }

    /// <summary>An instrument; null when a listener throws at hearing of it, and then nothing is measured with it.</summary>
    internal static TInstrument? Make<TInstrument>(Func<TInstrument> make)
        where TInstrument : Instrument
    {
        try
        {
            return make();
        }
        catch (Exception)
        {
            return null; // it may be the counter of errors that could not be made
        }
    }

    /// <summary>Does what runs listeners.</summary>
    internal static void Tell<TArgument>(Meter? meter, TArgument argument, Action<TArgument> tell)
    {
        try
        {
            tell(argument);
        }
        catch (Exception error)
        {
            if (meter is null) Report(MeterListener, error);
            else Report(meter, MeterListener, error);
        }
    }

    internal static void Tag(Activity span, string key, object? value)
    {
        try
        {
            span.SetTag(key, value);
        }
        catch (Exception error)
        {
            Report("activity listener", error);
        }
    }

    /// <summary>The message of an exception, whose class may be a user's, and which may hold more others than can be written down.</summary>
    internal static string MessageOf(Exception exception)
    {
        if (ExceptionWalk.IsTooLarge(exception)) return ExceptionWalk.SummaryOf(exception);
        try
        {
            return exception.Message;
        }
        catch (Exception error)
        {
            Report("exception message", error);
            return exception.GetType().Name;
        }
    }

    /// <summary>A user's time that cannot break a call.</summary>
    internal static TimeProvider Time(TimeProvider users) =>
        ReferenceEquals(users, TimeProvider.System) || users is GuardedTime ? users : new GuardedTime(users);
}
