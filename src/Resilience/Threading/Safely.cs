namespace Resilience;

/// <summary>Runs user code that must not break ours: what it throws is counted, never passed on.</summary>
internal static class Safely
{
    internal static void Dispose(IDisposable disposable)
    {
        try
        {
            disposable.Dispose();
        }
        catch (Exception error)
        {
            Report("dispose", error);
        }
    }

    internal static void Report(string callback, Exception error) => ResilienceTelemetry.CallbackFailed(callback, error);
}
