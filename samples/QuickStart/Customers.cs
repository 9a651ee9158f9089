using System.Collections.Concurrent;
using System.Diagnostics;

namespace Resilience.QuickStart;

/// <summary>How a customer's question ended.</summary>
internal enum Answer
{
    Fresh,
    Stale,
    Error,
}

/// <summary>One answered question: when it was asked, on the show's clock, and how long the customer waited.</summary>
internal sealed record Sample(double AskedAt, double WaitedMs, Answer Answer, string? Error);

/// <summary>A steady stream of customers that ask for the price, each without waiting for the others.</summary>
internal sealed class Customers(string name, Func<CancellationToken, Task<(string Price, bool IsStale)>> ask, Stopwatch clock)
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(40);

    public string Name => name;

    public ConcurrentQueue<Sample> Samples { get; } = [];

    public async Task RunAsync(TimeSpan howLong)
    {
        List<Task> asking = [];
        using PeriodicTimer arrivals = new(Every);
        TimeSpan end = clock.Elapsed + howLong;
        while (clock.Elapsed < end && await arrivals.WaitForNextTickAsync()) asking.Add(AskOnceAsync());
        await Task.WhenAll(asking);
    }

    private async Task AskOnceAsync()
    {
        double askedAt = clock.Elapsed.TotalSeconds;
        long start = Stopwatch.GetTimestamp();
        Answer answer;
        string? error = null;
        try
        {
            // A page that has shown nothing for three seconds has lost its reader.
            using CancellationTokenSource patience = new(TimeSpan.FromSeconds(3));
            answer = (await ask(patience.Token)).IsStale ? Answer.Stale : Answer.Fresh;
        }
        catch (Exception e)
        {
            answer = Answer.Error;
            error = e.GetType().Name;
        }

        Samples.Enqueue(new(askedAt, Stopwatch.GetElapsedTime(start).TotalMilliseconds, answer, error));
    }
}
