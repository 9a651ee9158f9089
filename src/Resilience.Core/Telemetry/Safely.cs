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
