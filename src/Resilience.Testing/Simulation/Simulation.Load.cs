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
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(call);
        if (!(perSecond > 0 && double.IsFinite(perSecond))) throw new ArgumentOutOfRangeException(nameof(perSecond), perSecond, "More than 0 calls a second.");
        ArgumentOutOfRangeException.ThrowIfLessThan(from, TimeSpan.Zero);
        Arrivals arrivals = new(this, name, perSecond, call, until ?? TimeSpan.MaxValue);
        return At(from, arrivals.Begin);
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
            At(from, () => _ = LiveAsync(client, think, call, until ?? TimeSpan.MaxValue));
        }

        return this;
    }

    internal double DrawLoad() => _loadRandomness.NextDouble();

    internal bool IsLoadOver => _isOver || Time.Elapsed >= _duration;

    private async Task LiveAsync(string client, TimeSpan think, Func<CancellationToken, ValueTask> call, TimeSpan until)
    {
        await PauseAsync(think).ConfigureAwait(false);
        while (!IsLoadOver && Time.Elapsed < until)
        {
            TimeSpan before = Time.Elapsed;
            await CallAsync(client, call).ConfigureAwait(false);

            // A client that gets its answers in no time and never thinks would stop the world's clock: it takes a millisecond at least.
            bool isInNoTime = think == TimeSpan.Zero && Time.Elapsed == before;
            await PauseAsync(isInNoTime ? TimeSpan.FromMilliseconds(1) : think).ConfigureAwait(false);
        }
    }

    private Task PauseAsync(TimeSpan mean)
    {
        if (mean == TimeSpan.Zero) return Task.CompletedTask;
        TaskCompletionSource over = new();
        Time.CreateWorldTimer(_ => over.TrySetResult(), mean * -Math.Log(1 - DrawLoad()));
        return over.Task;
    }

    internal async Task CallAsync(string name, Func<CancellationToken, ValueTask> call)
    {
        TimeSpan start = Time.Elapsed;
        Exception? error = null;
        Began(start);
        try
        {
            await call(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception thrown)
        {
            error = thrown;
        }

        Ended(name, start, error);
    }

    private void Began(TimeSpan now)
    {
        lock (_gate)
        {
            _started++;
            _underWay++;
            SimulationInterval interval = _timeline.At(now, Interval);
            interval.Started++;
            interval.MaxInFlight = Math.Max(interval.MaxInFlight, _underWay);
        }
    }

    private void Ended(string name, TimeSpan start, Exception? error)
    {
        TimeSpan now = Time.Elapsed;
        bool isRejection = error is ResilienceException;
        string outcome = error is null ? "success" : error.GetType().Name;
        lock (_gate)
        {
            _underWay--;
            SimulationInterval interval = _timeline.At(now, Interval);
            if (error is null)
            {
                _succeeded++;
                interval.Succeeded++;
                interval.Latencies.Add(now - start);
                _timeline.Latencies.Add(now - start);
            }
            else if (isRejection)
            {
                _rejected++;
                interval.Rejected++;
            }
            else
            {
                _failed++;
                interval.Failed++;
            }

            _timeline.Outcomes[outcome] = _timeline.Outcomes.GetValueOrDefault(outcome) + 1;
        }

        Note($"{name}: {outcome} after {(now - start).TotalMilliseconds:0.###} ms");
    }
}
