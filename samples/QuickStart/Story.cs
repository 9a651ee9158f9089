using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Resilience.Events;

namespace Resilience.QuickStart;

/// <summary>Tells what happens, for a person: a line for each change, a line of counts twice a second, a picture and a summary at the end.</summary>
internal sealed class Story(Stopwatch clock)
{
    private readonly Lock _gate = new();
    private readonly bool _isTerminal = !Console.IsOutputRedirected;
    private readonly ConcurrentQueue<(double At, CircuitState State)> _circuit = [];
    private readonly ConcurrentDictionary<string, byte> _stale = [];
    private int _attempts, _timeouts, _retries, _stopped, _rejected, _fallbacks;
    private TimeSpan _longestDelay;

    public void Attempted() => Interlocked.Increment(ref _attempts);

    public void Say(string text)
    {
        lock (_gate) Console.WriteLine(text);
    }

    public void ServerChanged(string what) => Say(Paint($"{Now}  {what.ToUpperInvariant()}", "1"));

    public void CircuitChanged(CircuitChanged change)
    {
        _circuit.Enqueue((clock.Elapsed.TotalSeconds, change.To));
        string text = (change.From, change.To) switch
        {
            (_, CircuitState.Open) => $"circuit OPENS for {change.BreakDuration?.TotalMilliseconds:0} ms, because {change.Cause}",
            (CircuitState.HalfOpen, CircuitState.HalfOpen) => "circuit: the probes were lost, new ones go out",
            (_, CircuitState.HalfOpen) => "circuit HALF OPEN: a probe goes out",
            (_, CircuitState.Closed) => "circuit CLOSES: the probes came back well",
            _ => $"circuit {change.To}",
        };
        Say(Paint($"{Now}    {text}", change.To == CircuitState.Closed ? "32" : change.To == CircuitState.Open ? "31" : "33"));
    }

    public void Heard(ResilienceEvent happened)
    {
        switch (happened)
        {
            case RetryScheduled retry:
                Interlocked.Increment(ref _retries);
                lock (_gate) _longestDelay = retry.Delay > _longestDelay ? retry.Delay : _longestDelay;
                break;
            case RetryStopped:
                Interlocked.Increment(ref _stopped);
                break;
            case CircuitRejected:
                Interlocked.Increment(ref _rejected);
                break;
            case CallTimedOut:
                Interlocked.Increment(ref _timeouts);
                break;
            case FallbackUsed:
                Interlocked.Increment(ref _fallbacks);
                break;
        }
    }

    /// <summary>A price that has been shown before came from memory: the server counts up.</summary>
    public bool WasStale(string price) => !_stale.TryAdd(price, 0);

    public void Report(CircuitState state)
    {
        int attempts = Interlocked.Exchange(ref _attempts, 0), timeouts = Interlocked.Exchange(ref _timeouts, 0);
        int retries = Interlocked.Exchange(ref _retries, 0), stopped = Interlocked.Exchange(ref _stopped, 0);
        int rejected = Interlocked.Exchange(ref _rejected, 0), fallbacks = Interlocked.Exchange(ref _fallbacks, 0);
        TimeSpan delay;
        lock (_gate) (delay, _longestDelay) = (_longestDelay, TimeSpan.Zero);
        string text = $"{Now}      {state,-8} {attempts,3} attempts";
        if (timeouts > 0) text += $", {timeouts} timed out";
        if (retries > 0) text += $", {retries} retries waited up to {delay.TotalMilliseconds:0} ms";
        if (stopped > 0) text += $", {stopped} retries stopped";
        if (rejected > 0) text += $", {rejected} rejected at once";
        if (fallbacks > 0) text += $", {fallbacks} answered from memory";
        Say(Paint(text, "2"));
    }

    /// <summary>A character for each half second: how the server felt, what the circuit did, what each group of customers saw.</summary>
    public void Draw((double At, Mood Mood, string What)[] script, TimeSpan length, Customers[] groups)
    {
        const double Step = 0.25;
        int columns = (int)(length.TotalSeconds / Step);
        Say("");
        Say($"{"",18}0 s{new string(' ', columns - 6)}{length.TotalSeconds:0} s");
        Row("server", t => script.Last(s => s.At <= t).Mood switch { Mood.Healthy => '─', Mood.Rejecting => '5', Mood.Hanging => '~', _ => '?' });
        Row("circuit", t => MarkOf(_circuit.LastOrDefault(c => c.At <= t + Step, (0, CircuitState.Closed)).State));
        foreach (Customers group in groups)
        {
            Sample[] samples = [.. group.Samples];
            Row(group.Name, t => Worst([.. samples.Where(s => s.AskedAt >= t && s.AskedAt < t + Step)]));
        }

        Say(_isTerminal
            ? "  customers: · all fresh   s some answered from memory   x some got an error;  circuit: ─ closed █ open ▒ half open"
            : "  customers: . fresh, s from memory, x error; circuit: - closed, # open, % half open; server: - healthy, 5 rejecting, ~ hanging, ? losing replies");

        static char MarkOf(CircuitState state) => state switch { CircuitState.Closed => '─', CircuitState.Open => '█', _ => '▒' };

        void Row(string name, Func<double, char> at)
        {
            string row = string.Concat(Enumerable.Range(0, columns).Select(i => at(i * Step)));
            if (!_isTerminal) row = row.Replace('─', '-').Replace('█', '#').Replace('▒', '%').Replace('·', '.');
            Say($"  {name,-16}{(_isTerminal ? Colour(row) : row)}");
        }
    }

    private static char Worst(Sample[] samples) =>
        samples.Any(s => s.Answer == Answer.Error) ? 'x' : samples.Any(s => s.Answer == Answer.Stale) ? 's' : samples.Length > 0 ? '·' : ' ';

    private static string Colour(string row) => string.Concat(row.Select(c => c switch
    {
        'x' or '█' or '5' or '~' or '?' => $"\e[31m{c}\e[0m",
        's' or '▒' => $"\e[33m{c}\e[0m",
        _ => $"\e[32m{c}\e[0m",
    }));

    public void Summarise(Customers[] groups, FaultyServer server)
    {
        Say("");
        Say("What the customers saw:");
        foreach (Customers group in groups)
        {
            Sample[] samples = [.. group.Samples.OrderBy(s => s.WaitedMs)];
            int errors = samples.Count(s => s.Answer == Answer.Error);
            Say(string.Create(CultureInfo.InvariantCulture, $"  {group.Name,-16} {samples.Length,4} questions: {samples.Count(s => s.Answer == Answer.Fresh),4} fresh answers, {samples.Count(s => s.Answer == Answer.Stale),3} from memory, {errors,3} errors ({100.0 * errors / samples.Length:0.0} %); waited {At(samples, 0.5):0.0} ms at the median, {At(samples, 0.99):0.0} ms at the 99th percentile"));
            foreach (IGrouping<string?, Sample> kind in samples.Where(s => s.Error is not null).GroupBy(s => s.Error))
                Say($"  {"",-16} {kind.Count(),4} × {kind.Key}");
        }

        Say($"The server received {server.Requests} requests and did the work for {server.Worked} of them.");

        static double At(Sample[] sorted, double share) => sorted[Math.Min(sorted.Length - 1, (int)(sorted.Length * share))].WaitedMs;
    }

    private string Now => string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalSeconds,5:0.0} s");

    private string Paint(string text, string code) => _isTerminal ? $"\e[{code}m{text}\e[0m" : text;
}
