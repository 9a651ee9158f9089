using System.Globalization;
using Resilience.Overload;

namespace Resilience.Testing;

/// <content>Load: who calls, when, and what became of it.</content>
public sealed partial class Simulation
{
    /// <summary>Load that does not wait for answers: calls come in at random moments, so many a second on the average (a Poisson process), as from
    /// a large crowd.</summary>
    /// <param name="name">As in the trace.</param>
    /// <param name="perSecond">Calls a second: more than 0.</param>
    /// <param name="call">One call: through your pipeline, to a <see cref="SimulatedDependency"/>.</param>
    /// <param name="from">When it begins. Default: at once.</param>
    /// <param name="until">When it ends. Default: with the run.</param>
    public Simulation AddArrivals(
        string name, double perSecond, Func<CancellationToken, ValueTask> call, TimeSpan from = default, TimeSpan? until = null)
    {
        ArgumentNullException.ThrowIfNull(call);
        if (!(perSecond > 0 && double.IsFinite(perSecond))) throw new ArgumentOutOfRangeException(nameof(perSecond), perSecond, "More than 0 calls a second.");
        return AddArrivals(name, new CallLoad { PerSecond = perSecond, From = from, Until = until }, (_, token) => call(token));
    }

    /// <summary>Load that does not wait for answers, of several classes of criticality or evenly spaced.</summary>
    /// <param name="name">As in the trace.</param>
    /// <param name="load">How many calls, when, and of which classes.</param>
    /// <param name="call">One call, which is told its class; its outcome is counted under it.</param>
    /// <exception cref="ArgumentOutOfRangeException">The load is out of range.</exception>
    public Simulation AddArrivals(string name, CallLoad load, Func<CallInfo, CancellationToken, ValueTask> call)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(load);
        ArgumentNullException.ThrowIfNull(call);
        load.ThrowIfInvalid();
        Arrivals arrivals = new(this, name, load, call);
        return At(load.From, arrivals.Begin);
    }

    /// <summary>Load that waits for answers: a number of clients, each of which calls, waits for the answer, thinks, and calls again.</summary>
    /// <param name="name">As in the trace.</param>
    /// <param name="clients">How many: 1 or more.</param>
    /// <param name="think">The mean pause between an answer and the next call, exponentially spread; 0 for none. They do not begin in step.</param>
    /// <param name="call">One call: through your pipeline, to a <see cref="SimulatedDependency"/>.</param>
    /// <param name="from">When they begin. Default: at once.</param>
    /// <param name="until">When they stop calling. Default: with the run.</param>
    public Simulation AddClients(
        string name, int clients, TimeSpan think, Func<CancellationToken, ValueTask> call, TimeSpan from = default, TimeSpan? until = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(call);
        ArgumentOutOfRangeException.ThrowIfLessThan(clients, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(think, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThan(from, TimeSpan.Zero);
        for (int i = 0; i < clients; i++)
        {
            string client = $"{name} {i + 1}";
            Client living = new(this, client, think, call, until ?? TimeSpan.MaxValue);
            At(from, () => _ = living.LiveAsync());
        }

        return this;
    }

    internal double DrawLoad() => _loadRandomness.NextDouble();

    internal bool IsLoadOver => _isOver || Time.Elapsed >= _duration;

    internal async Task CallAsync(string name, CallInfo info, Func<CallInfo, CancellationToken, ValueTask> call)
    {
        TimeSpan start = Time.Elapsed;
        Exception? error = null;
        Began(start, info.Criticality);
        try
        {
            await call(info, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception thrown)
        {
            error = thrown;
        }

        Ended(name, start, info.Criticality, error);
    }

    private void Began(TimeSpan now, Criticality criticality)
    {
        lock (_gate)
        {
            _underWay++;
            _timeline.Total.Begin(criticality);
            SimulationInterval interval = _timeline.At(now, Interval);
            interval.Calls.Begin(criticality);
            interval.MaxInFlight = Math.Max(interval.MaxInFlight, _underWay);
        }
    }

    private void Ended(string name, TimeSpan start, Criticality criticality, Exception? error)
    {
        TimeSpan now = Time.Elapsed;
        string outcome = error is null ? "success" : error.GetType().Name;
        lock (_gate)
        {
            _underWay--;
            SimulationInterval interval = _timeline.At(now, Interval);
            interval.Calls.End(criticality, now - start, error);
            _timeline.Total.End(criticality, now - start, error);
            _timeline.Outcomes[outcome] = _timeline.Outcomes.GetValueOrDefault(outcome) + 1;
        }

        // Calls are many and their notes mostly make the fingerprint alone, so no string is made for them.
        Span<char> note = stackalloc char[256];
        double milliseconds = (now - start).TotalMilliseconds;
        if (note.TryWrite(CultureInfo.InvariantCulture, $"{name}: {outcome} after {milliseconds:0.###} ms", out int length)) _notes.Add(note[..length], now);
        else Note(string.Create(CultureInfo.InvariantCulture, $"{name}: {outcome} after {milliseconds:0.###} ms"));
    }
}
