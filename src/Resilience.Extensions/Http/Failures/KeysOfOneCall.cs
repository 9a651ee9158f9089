using System.Diagnostics;

namespace Resilience.Http;

/// <summary>Finds that keys are given below another library's retry: a request of the same span, method and address follows one that has failed, and
/// both were given keys of their own. Tells it once. Remembers a few failures, the latest; thread-safe.</summary>
/// <remarks>A span may send two like requests on purpose; so it is a hint in the log and nothing is decided by it.</remarks>
internal sealed class KeysOfOneCall(Action tell)
{
    private readonly RecentFailures<Failure> _failures = new();
    private int _hasTold;

    /// <summary>What a request is compared by; null outside of any span.</summary>
    internal static string? CallOf(HttpRequestMessage request) =>
        Activity.Current?.Id is { } span ? $"{span}\n{request.Method}\n{request.RequestUri}" : null;

    /// <summary>A request of this call is sent under this key.</summary>
    internal void Sends(string call, string key)
    {
        if (Volatile.Read(ref _hasTold) != 0 || !_failures.Any(static (f, now) => f.Call == now.call && f.Key != now.key, (call, key))) return;
        if (Interlocked.Exchange(ref _hasTold, 1) == 0) tell();
    }

    /// <summary>It has failed so that it may be repeated.</summary>
    internal void Failed(string call, string key) => _failures.Add(new(call, key));

    private sealed record Failure(string Call, string Key);
}
