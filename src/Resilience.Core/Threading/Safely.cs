using Resilience.Extensibility;

namespace Resilience;

/// <summary>Runs code that is not ours and must not break ours: what it throws is counted, never passed on, and there is an answer all the same.</summary>
/// <remarks>
/// Links are written without <c>finally</c> because a link never throws. This class, <see cref="SafeCounter{T}"/> and its like, <see cref="Span"/>
/// and <see cref="SafeTime"/> keep that promise at its sources: whatever is a user's or a listener's is called through them.
/// </remarks>
internal static class Safely
{
    /// <summary>Counts an error of code that is not ours. Never throws, not even when who listens to the count does.</summary>
    internal static void Report(string callback, Exception error)
    {
        try
        {
            ResilienceTelemetry.CallbackFailed(callback, error);
        }
        catch (Exception)
        {
            // The listener of the errors is itself in error: it cannot be reported.
        }
    }

    /// <summary>Asks a user's function; what it throws is counted, and the answer is the default.</summary>
    internal static TResult Ask<TArgument, TResult>(string callback, Func<TArgument, TResult> ask, TArgument argument, TResult byDefault)
    {
        try
        {
            return ask(argument);
        }
        catch (Exception error)
        {
            Report(callback, error);
            return byDefault;
        }
    }

    /// <summary>The next number, from 0 to 1 and less than 1. The generator may be the user's: if it throws or leaves that range, the answer is
    /// the default.</summary>
    internal static double Draw(Randomness randomness, double byDefault)
    {
        try
        {
            double drawn = randomness.NextDouble();
            return drawn is >= 0 and < 1 ? drawn : byDefault;
        }
        catch (Exception error)
        {
            Report("randomness", error);
            return byDefault;
        }
    }

    /// <summary>A share from nothing to the whole (1). A generator that leaves that range is held inside; the whole when it throws.</summary>
    internal static double Share(Randomness randomness)
    {
        double drawn = Ask("randomness", static r => r.NextDouble(), randomness, 1);
        return drawn >= 0 ? Math.Min(drawn, 1) : 0;
    }

    /// <summary>The rejection that a user's exception carries; null when it carries none, or cannot say.</summary>
    internal static Rejection? RejectionOf(ICarriesRejection exception) => Ask("rejection", static e => e.Rejection, exception, null);

    /// <summary>When it may be worth trying again; null when it is unknown, or the span is negative.</summary>
    internal static TimeSpan? RetryAfterOf(object? error)
    {
        TimeSpan? asked = error switch
        {
            Rejection rejection => Ask("rejection", static r => r.RetryAfter, rejection, null),
            ICarriesRejection exception => Ask("rejection", static e => e.RetryAfter, exception, null),
            _ => null,
        };
        return asked < TimeSpan.Zero ? null : asked;
    }

    /// <summary>The sentence of a rejection, which may be a user's.</summary>
    internal static string ReasonOf(Rejection rejection) =>
        Ask("rejection", static r => r.Reason, rejection, null) ?? $"{rejection.PolicyName} rejected the call.";

    /// <summary>The exception of a rejection, which may be a user's.</summary>
    internal static ResilienceException ToException(Rejection rejection) =>
        Ask("rejection", static r => r.ToException(), rejection, null) ?? new ResilienceException($"{rejection.PolicyName} rejected the call.");

    /// <summary>The message of an exception, whose class may be a user's, and which may hold more others than can be written down.</summary>
    internal static string MessageOf(Exception exception) => ExceptionWalk.IsTooLarge(exception)
        ? ExceptionWalk.SummaryOf(exception)
        : Ask("exception message", static e => e.Message, exception, null) ?? exception.GetType().Name;

    /// <summary>Type and message of an exception, for texts in which it is one thing among others.</summary>
    internal static string TextOf(Exception? exception) => exception is null ? "" : $"{exception.GetType().Name}: {MessageOf(exception)}";

    /// <summary>Where an exception, whose class may be a user's, says that it comes from; empty when it does not say.</summary>
    internal static string SourceOf(Exception exception) => Ask("exception source", static e => e.Source, exception, null) ?? "";

    /// <summary>Disposes of a result that the caller will not see. What is only <see cref="IAsyncDisposable"/> is disposed of beside the call, which does
    /// not wait for it.</summary>
    internal static void Dispose(object? result)
    {
        try
        {
            switch (result)
            {
                case IDisposable disposable:
                    disposable.Dispose();
                    break;
                case IAsyncDisposable disposable:
                    ValueTask disposing = disposable.DisposeAsync();
                    if (disposing.IsCompletedSuccessfully) disposing.GetAwaiter().GetResult();
                    else _ = AwaitAsync(disposing);
                    break;
            }
        }
        catch (Exception error)
        {
            Report("dispose", error);
        }
    }

    private static async Task AwaitAsync(ValueTask disposing)
    {
        try
        {
            await disposing.ConfigureAwait(false);
        }
        catch (Exception error)
        {
            Report("dispose", error);
        }
    }
}
