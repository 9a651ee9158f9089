namespace Resilience.Http;

/// <summary>Gets new credentials for the calls of a client: one at a time, for all that wait. Thread-safe.</summary>
/// <typeparam name="TRejected">What the user's code is told of the call that was rejected.</typeparam>
/// <param name="name">What reports call the user's code.</param>
/// <param name="refresh">The user's code.</param>
internal sealed class CredentialRefresh<TRejected>(string name, Func<TRejected, CancellationToken, ValueTask<bool>> refresh)
{
    private readonly Lock _gate = new();
    private Flight? _flight;
    private int _generation;

    /// <summary>How often there were new credentials. Read before a request is sent: what it was sent with is no newer.</summary>
    internal int Generation => Volatile.Read(ref _generation);

    /// <summary>Whether there are newer credentials than those of this generation.</summary>
    internal async Task<bool> RunAsync(TRejected rejected, int generation, CancellationToken cancellationToken)
    {
        Flight flight;
        lock (_gate)
        {
            if (_generation != generation) return true;
            flight = _flight ??= Start(rejected);
            flight.Waiting++;
        }

        try
        {
            return await flight.Answer.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Leave(flight);
        }
    }

    /// <summary>On a thread that no call needs, without the flow of the call that happens to be first.</summary>
    private Flight Start(TRejected rejected)
    {
        Flight flight = new();
        ThreadPool.UnsafeQueueUserWorkItem(_ => _ = AskAsync(flight, rejected), null);
        return flight;
    }

    private async Task AskAsync(Flight flight, TRejected rejected)
    {
        bool isNew = false;
        try
        {
            isNew = await refresh(rejected, flight.Stop.Token).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            if (!flight.Stop.IsCancellationRequested) SafeCalls.Report(name, error);
        }

        lock (_gate)
        {
            if (isNew) _generation++;
            if (_flight == flight) _flight = null;
            flight.Completion.SetResult(isNew); // what goes on with it does so on another stack
            flight.Dispose();
        }
    }

    private void Leave(Flight flight)
    {
        lock (_gate)
        {
            if (--flight.Waiting > 0 || flight.Answer.IsCompleted) return;
            if (_flight == flight) _flight = null; // who comes now begins anew
            _ = flight.Stop.CancelAsync(); // what hears of it does so on another stack
        }
    }

    private sealed class Flight : IDisposable
    {
        internal readonly CancellationTokenSource Stop = new();
        internal readonly TaskCompletionSource<bool> Completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        internal int Waiting;

        internal Task<bool> Answer => Completion.Task;

        public void Dispose() => Stop.Dispose();
    }
}
