using System.Net;

namespace Resilience.Migration.Tests;

/// <summary>What the programs call: it answers as its script says, and writes down every attempt and whatever it is told.</summary>
public sealed class Dependency(string script) : HttpMessageHandler
{
    private readonly string[] _script = script.Split(' ', StringSplitOptions.RemoveEmptyEntries);
    private readonly List<string> _trace = [];
    private readonly object _gate = new();
    private int _attempts;

    public IReadOnlyList<string> Trace
    {
        get
        {
            lock (_gate) return [.. _trace];
        }
    }

    public void Tell(string what)
    {
        lock (_gate) _trace.Add(what);
    }

    public string Call() => Answer(out _);

    public async Task<string> CallAsync(CancellationToken token = default)
    {
        string answer = Answer(out bool hangs);
        if (hangs) await Task.Delay(Timeout.Infinite, token);
        await Task.Yield();
        return answer;
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        string answer = await CallAsync(cancellationToken);
        return new(int.TryParse(answer, out int status) ? (HttpStatusCode)status : HttpStatusCode.OK) { RequestMessage = request };
    }

    /// <summary>Runs one call and writes down how it ended, by the names that both libraries share.</summary>
    public async Task EndAsync(Func<ValueTask<string>> call)
    {
        try
        {
            Tell("ended with " + await call());
        }
        catch (Exception error)
        {
            Tell("failed with " + NameOf(error));
        }
    }

    public static string NameOf(Exception? error) => error?.GetType().Name switch
    {
        null => "nothing",
        "BrokenCircuitException" or "CircuitOpenException" or "IsolatedCircuitException" => "an open circuit",
        "TimeoutRejectedException" or "TimedOutException" => "a timeout",
        "RateLimiterRejectedException" or "BulkheadRejectedException" or "LimitReachedException" => "a limit",
        var name => name,
    };

    private string Answer(out bool hangs)
    {
        int attempt = Interlocked.Increment(ref _attempts);
        string next = attempt <= _script.Length ? _script[attempt - 1] : "ok";
        Tell($"attempt {attempt}: {next}");
        hangs = next == "hang";
        return next switch
        {
            "http" => throw new HttpRequestException("no"),
            "io" => throw new IOException("no"),
            "bug" => throw new ArgumentException("no"),
            "cancel" => throw new OperationCanceledException(),
            "inner" => throw new InvalidOperationException("no", new IOException("no")),
            _ => next,
        };
    }
}
