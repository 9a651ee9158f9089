namespace Resilience;

/// <summary>Asks a store, and never waits for it without end: what it throws, and what it does not say in time, is an
/// <see cref="IdempotencyStoreException"/>.</summary>
internal sealed class StoreCalls(IIdempotencyStore store, IdempotencyOptions options, PolicyEnvironment environment)
{
    private const int FirstPauseMs = 20, LongestPauseMs = 500;

    private readonly TimeProvider _time = environment.TimeProvider;

    internal IdempotencyStoreTraits Traits { get; } = store.Traits;

    /// <summary>Claims; asks again, with the same nonce, while the store cannot be asked and there is time.</summary>
    internal ValueTask<AcquireAnswer> AcquireAsync(AcquireRequest request) =>
        RepeatAsync("acquire", options.AcquireTimeout, (store, request), static (s, token) => s.store.TryAcquireAsync(s.request, token));

    internal ValueTask<bool> RenewAsync(IdempotencyClaim claim) => OnceAsync(
        "renew", RenewTimeout, (store, claim, options.Lease), static (s, token) => s.store.RenewAsync(s.claim.Id, s.claim.Fence, s.Lease, token));

    internal ValueTask<bool> CompleteAsync(IdempotencyClaim claim, IdempotencyEnding ending, ReadOnlyMemory<byte> payload) => RepeatAsync(
        "complete",
        options.FinishTimeout,
        (store, claim, ending, payload, options.Retention),
        static (s, token) => s.store.CompleteAsync(s.claim.Id, s.claim.Fence, s.ending, s.payload, s.Retention, token));

    internal ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence) =>
        RepeatAsync("release", options.FinishTimeout, (store, id, fence), static (s, token) => s.store.ReleaseAsync(s.id, s.fence, token));

    internal ValueTask<PeekAnswer> PeekAsync(IdempotencyId id) =>
        OnceAsync("peek", options.AcquireTimeout, (store, id), static (s, token) => s.store.PeekAsync(s.id, token));

    /// <summary>Two tries must fit between a renewal and the end of the lease.</summary>
    private TimeSpan RenewTimeout => options.Lease / 4 < options.FinishTimeout ? options.Lease / 4 : options.FinishTimeout;

    private ValueTask<TAnswer> RepeatAsync<TState, TAnswer>(
        string operation, TimeSpan timeout, TState state, Func<TState, CancellationToken, ValueTask<TAnswer>> ask) =>
        Traits.IsImmediate ? AskAsync(operation, state, ask, CancellationToken.None) : RepeatSlowlyAsync(operation, timeout, state, ask);

    private async ValueTask<TAnswer> RepeatSlowlyAsync<TState, TAnswer>(
        string operation, TimeSpan timeout, TState state, Func<TState, CancellationToken, ValueTask<TAnswer>> ask)
    {
        long start = _time.GetTimestamp();
        for (int pauseMs = FirstPauseMs; ; pauseMs = Math.Min(2 * pauseMs, LongestPauseMs))
        {
            TimeSpan left = timeout - _time.GetElapsedTime(start);
            TimeSpan pause = TimeSpan.FromMilliseconds(pauseMs * (0.5 + (0.5 * environment.Randomness.NextDouble())));
            try
            {
                return await OnceAsync(operation, left > TimeSpan.Zero ? left : TimeSpan.FromMilliseconds(1), state, ask).ConfigureAwait(false);
            }
            catch (IdempotencyStoreException failed) when (failed.IsTransient && timeout - _time.GetElapsedTime(start) > pause)
            {
                await Task.Delay(pause, _time).ConfigureAwait(false);
            }
        }
    }

    private ValueTask<TAnswer> OnceAsync<TState, TAnswer>(
        string operation, TimeSpan timeout, TState state, Func<TState, CancellationToken, ValueTask<TAnswer>> ask) =>
        Traits.IsImmediate ? AskAsync(operation, state, ask, CancellationToken.None) : OnceBoundedAsync(operation, timeout, state, ask);

    private async ValueTask<TAnswer> OnceBoundedAsync<TState, TAnswer>(
        string operation, TimeSpan timeout, TState state, Func<TState, CancellationToken, ValueTask<TAnswer>> ask)
    {
        using CancellationTokenSource overdue = new(timeout, _time);
        Task<TAnswer> asking = AskAsync(operation, state, ask, overdue.Token).AsTask();
        try
        {
            return await asking.WaitAsync(overdue.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException late) when (overdue.IsCancellationRequested)
        {
            // A store that does not heed its token is left behind.
            _ = asking.ContinueWith(
                static left => left.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            throw new IdempotencyStoreException(
                IdempotencyStoreFault.Unavailable, $"The store '{Traits.Name}' did not answer to {operation} within {timeout.TotalMilliseconds:0} ms.", late);
        }
    }

    /// <summary>Asks, measures if somebody wants to know, and makes every failure one of the store's.</summary>
    private ValueTask<TAnswer> AskAsync<TState, TAnswer>(
        string operation, TState state, Func<TState, CancellationToken, ValueTask<TAnswer>> ask, CancellationToken overdue)
    {
        long start = IdempotencyTelemetry.MeasuresStores(environment) ? _time.GetTimestamp() : 0;
        ValueTask<TAnswer> asking;
        try
        {
            asking = ask(state, overdue);
        }
        catch (Exception thrown)
        {
            asking = ValueTask.FromException<TAnswer>(thrown);
        }

        return start == 0 && asking.IsCompletedSuccessfully ? asking : AwaitAsync(operation, asking, start);
    }

    private async ValueTask<TAnswer> AwaitAsync<TAnswer>(string operation, ValueTask<TAnswer> asking, long start)
    {
        string? error = null;
        try
        {
            return await asking.ConfigureAwait(false);
        }
        catch (IdempotencyStoreException failed)
        {
            error = IdempotencyTelemetry.NameOf(failed.Fault);
            throw;
        }
        catch (OperationCanceledException)
        {
            error = "timeout";
            throw;
        }
        catch (Exception other)
        {
            // A store that throws something else has a defect, or its client has; to us it is a store that cannot be asked.
            error = other.GetType().FullName;
            throw new IdempotencyStoreException(IdempotencyStoreFault.Unavailable, $"The store '{Traits.Name}' failed to {operation}: {other.Message}", other);
        }
        finally
        {
            if (start != 0) IdempotencyTelemetry.StoreAnswered(environment, Traits.Name, operation, _time.GetElapsedTime(start), error);
        }
    }
}
