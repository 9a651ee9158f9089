using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>The gate's way to its store: one pipeline, and no operation waits without end. What the store throws, whatever it is, and what it
/// does not say in time is an <see cref="IdempotencyStoreException"/>.</summary>
/// <remarks>
/// <para>From the outside in: repeat, the guard of a <see cref="GuardedIdempotencyStore"/>, the bound in time, the store. The bound stands inside the
/// guard, so that a circuit breaker sees a store that hangs; a bound above it would be a cancellation, which says nothing about the store.</para>
/// <para>A store that answers at once (<see cref="IdempotencyStoreTraits.IsImmediate"/>) has no pipeline.</para>
/// </remarks>
internal sealed class StoreCalls : IDisposable
{
    private const int MaxInBackground = 1000;

    /// <summary>The deadline of a call lies this much after the bound of its last attempt, so that it is the attempt that times out: a failure
    /// of the store, which the deadline of a caller is not.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan MinLease = TimeSpan.FromMicroseconds(1);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50), MaxPause = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _disposed = new();
    private readonly IIdempotencyStore _store;
    private readonly InMemoryIdempotencyStore? _memory;
    private readonly IdempotencyOptions _options;
    private readonly PolicyEnvironment _environment;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline _claiming, _finishing, _once;
    private volatile IdempotencyStoreException? _lastFailure;
    private int _inBackground;
    private int _isDisposed;

    internal StoreCalls(IIdempotencyStore store, IdempotencyOptions options, PolicyEnvironment environment)
    {
        GuardedIdempotencyStore? guarded = store as GuardedIdempotencyStore;
        _store = guarded?.Inner ?? store;
        _options = options;
        _environment = environment;
        _time = environment.Clock.Time;
        Traits = store.Traits;
        _memory = _store as InMemoryIdempotencyStore;
        _once = Build(guarded?.Pipeline, null);
        _claiming = Build(guarded?.Pipeline, NewRetry());

        // What was done must be written down: that the circuit is open is no reason to give up before the time is over.
        RetryOptions stubborn = NewRetry();
        stubborn.WaitForRejections = true;
        stubborn.MaxRetryAfter = stubborn.MaxDelay;
        _finishing = Build(guarded?.Pipeline, stubborn);
    }

    internal IdempotencyStoreTraits Traits { get; }

    /// <summary>The store itself, if it is the one in memory and is not measured: it is asked without a detour.</summary>
    private InMemoryIdempotencyStore? Memory => _memory is not null && !IdempotencyTelemetry.MeasuresStores(_environment) ? _memory : null;

    /// <summary>Whether something is still to be told to the store.</summary>
    internal bool IsBusyInBackground => Volatile.Read(ref _inBackground) > 0;

    /// <summary>Two tries must fit between a renewal and the end of the lease.</summary>
    private TimeSpan RenewTimeout => _options.Lease / 4 < _options.FinishTimeout ? _options.Lease / 4 : _options.FinishTimeout;

    /// <summary>Claims; asks again, with the same nonce, while the store cannot be asked and there is time. A claim that may be granted after we
    /// gave up is given back in the background, because nothing will be executed under it.</summary>
    internal ValueTask<AcquireResult> AcquireAsync(in AcquireRequest request)
    {
        if (Memory is { } memory) return memory.TryAcquireAsync(request);
        return Traits.IsImmediate ? AskAsync("acquire", request, AskToAcquire, null, CancellationToken.None) : ClaimAsync(request);
    }

    internal ValueTask<bool> RenewAsync(IdempotencyClaim claim) => RunAsync(
        _once, RenewTimeout, "renew", (claim.Id, claim.Fence, _options.Lease), static (store, s, token) => store.RenewAsync(s.Id, s.Fence, s.Lease, token));

    /// <summary>Keeps an outcome. When the time is over it is tried on in the background: as long as no other caller took over, late is not too late.</summary>
    internal async ValueTask<bool> CompleteAsync(
        IdempotencyId id, long fence, IdempotencyCompletion completion, ReadOnlyMemory<byte> payload, TimeSpan retention)
    {
        try
        {
            return await CompleteAsync(_finishing, id, fence, completion, payload, retention).ConfigureAwait(false);
        }
        catch (IdempotencyStoreException failed) when (failed.IsTransient)
        {
            InBackground("complete", id, async () => await CompleteAsync(_once, id, fence, completion, payload, retention).ConfigureAwait(false));
            throw;
        }
    }

    /// <summary>Keeps an outcome in memory, without a buffer for its frame.</summary>
    /// <returns>Null when this is not how the store is asked.</returns>
    internal bool? CompleteInMemory(
        IdempotencyId id, long fence, IdempotencyCompletion completion, IdempotencyPayloadKind kind, ReadOnlySpan<byte> content, TimeSpan retention)
    {
        int length = IdempotencyPayload.Overhead + content.Length;
        if (InMemoryPayloads.IsLarge(length) || length > Traits.MaxPayloadBytes || Memory is not { } memory) return null;
        Span<byte> framed = stackalloc byte[InMemoryPayloads.MaxInCells];
        framed = framed[..length];
        IdempotencyPayload.Encode(kind, content, framed);
        return memory.Complete(id, fence, completion, framed, null, retention);
    }

    /// <summary>Gives a claim back under which nothing was done; tried on in the background as well.</summary>
    internal async ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, int attempt)
    {
        try
        {
            return await GiveBackAsync(_finishing, id, fence, attempt).ConfigureAwait(false);
        }
        catch (IdempotencyStoreException failed) when (failed.IsTransient)
        {
            InBackground("release", id, async () => await GiveBackAsync(_once, id, fence, attempt).ConfigureAwait(false));
            throw;
        }
    }

    /// <summary>Decides about a record; asked again with the same nonce while there is time.</summary>
    internal ValueTask<ResolveResult> ResolveAsync(in ResolveRequest request)
    {
        _ = GuardedIdempotencyStore.Resolvable(_store);
        return RunAsync(
            _finishing, _options.FinishTimeout, "resolve", request,
            static (store, s, token) => ((IResolvableIdempotencyStore)store).ResolveRecordAsync(s, token));
    }

    internal ValueTask<PeekResult> PeekAsync(IdempotencyId id) =>
        RunAsync(_once, _options.AcquireTimeout, "peek", id, static (store, asked, token) => store.PeekAsync(asked, token));

    internal ValueTask<int> PurgeAsync(int max) =>
        RunAsync(_once, _options.FinishTimeout, "purge", max, static (store, asked, token) => store.PurgeAsync(asked, token));

    /// <summary>What the store says about its setup; nothing when it cannot say anything.</summary>
    internal ValueTask<IReadOnlyList<string>> CheckAsync() => _store is not ICheckableIdempotencyStore
        ? new([])
        : RunAsync(
            _once, _options.FinishTimeout, "check", 0,
            static (store, _, token) => new ValueTask<IReadOnlyList<string>>(((ICheckableIdempotencyStore)store).CheckAsync(token)));

    /// <summary>No operation will run under this claim, which is granted or may be: it is given back, when the store can be asked again.</summary>
    /// <param name="request">The claim.</param>
    /// <param name="last">The last attempt to ask for it, which may still be under way.</param>
    internal void Withdraw(AcquireRequest request, Task<AcquireResult>? last)
    {
        AcquireResult? known = null;
        InBackground("withdraw", request.Id, async () =>
        {
            if (last is not null)
            {
                // As long as it is under way it may be granted after all that we could ask. A lease later there is nothing left to be granted.
                using CancellationTokenSource enough = new();
                await Task.WhenAny(last, ClockWait.ForAsync(_environment.Clock, request.Lease, enough.Token)).ConfigureAwait(false);
                await enough.CancelAsync().ConfigureAwait(false);
                if (last.IsCompletedSuccessfully) known = await last.ConfigureAwait(false);
                last = null;
            }

            // The same nonce receives the same claim. If none had been granted, one is now, for the moment until it is given back.
            known ??= await RunAsync(_once, _options.AcquireTimeout, "acquire", request, AskToAcquire).ConfigureAwait(false);
            if (known is { Status: AcquireStatus.Acquired } granted)
                await GiveBackAsync(_once, request.Id, granted.Fence, granted.Attempt).ConfigureAwait(false);
        });
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0) return;
        _disposed.Cancel();
        _disposed.Dispose();
    }

    private static ValueTask<AcquireResult> AskToAcquire(IIdempotencyStore store, AcquireRequest request, CancellationToken token) =>
        store.TryAcquireAsync(request, token);

    private static RetryOptions NewRetry() => new()
    {
        Name = "store-retry",
        MaxRetries = RetryOptions.Unlimited,
        BaseDelay = TimeSpan.FromMilliseconds(20),
        MaxDelay = TimeSpan.FromMilliseconds(500),
        Jitter = BackoffJitter.Equal,
        Budget = RetryBudget.Unlimited,
        ShouldRetry = static attempt => attempt.Context.RemainingTime > Slack
            && (attempt.Verdict == Verdict.Rejected || attempt.Exception is IdempotencyStoreException { IsTransient: true }),
    };

    private static TimeSpan? BoundOf(ResilienceContext context)
    {
        TimeSpan left = (context.TimeLeft ?? TimeSpan.Zero) - Slack;
        return left > TimeoutOptions.Shortest ? left : TimeoutOptions.Shortest;
    }

    private ResiliencePipeline Build(ResiliencePipeline? guard, RetryOptions? retry)
    {
        ResiliencePipelineBuilder builder = new()
        {
            Name = _environment.PolicyName,
            TimeProvider = _time,
            Randomness = _environment.Randomness,
            Classifier = guard?.Parts.Classifier ?? GuardedIdempotencyStore.Classifier,
        };
        if (retry is not null) builder.AddRetry(retry);
        if (guard is not null) builder.AddPipeline(guard);
        return builder.AddTimeout(new TimeoutOptions { Name = "store-timeout", TimeoutFor = BoundOf, AbandonAfter = TimeSpan.Zero }).Build();
    }

    private async ValueTask<AcquireResult> ClaimAsync(AcquireRequest request)
    {
        StoreNotes notes = new();
        try
        {
            return await RunSlowlyAsync(_claiming, _options.AcquireTimeout, "acquire", request, AskToAcquire, notes).ConfigureAwait(false);
        }
        catch (IdempotencyStoreException) when (notes.IsInDoubt && _options.WhenStoreFails == WhenStoreFails.Reject)
        {
            Withdraw(request, (Task<AcquireResult>?)notes.Last);
            throw;
        }
    }

    private ValueTask<bool> CompleteAsync(
        ResiliencePipeline pipeline, IdempotencyId id, long fence, IdempotencyCompletion completion, ReadOnlyMemory<byte> payload, TimeSpan retention) =>
        RunAsync(
            pipeline, _options.FinishTimeout, "complete", (id, fence, completion, payload, retention),
            static (store, s, token) => store.CompleteAsync(s.id, s.fence, s.completion, s.payload, s.retention, token));

    /// <summary>A claim that took over from a lapsed one is not released: what became of the earlier attempts stays unknown, and they stay
    /// counted. Its lease ends now instead, and the next takes over at once.</summary>
    private ValueTask<bool> GiveBackAsync(ResiliencePipeline pipeline, IdempotencyId id, long fence, int attempt) => attempt > 1
        ? RunAsync(
            pipeline, _options.FinishTimeout, "renew", (id, fence), static (store, s, token) => store.RenewAsync(s.id, s.fence, MinLease, token))
        : RunAsync(pipeline, _options.FinishTimeout, "release", (id, fence), static (store, s, token) => store.ReleaseAsync(s.id, s.fence, token));

    private ValueTask<TResult> RunAsync<TState, TResult>(
        ResiliencePipeline pipeline,
        TimeSpan bound,
        string operation,
        TState state,
        Func<IIdempotencyStore, TState, CancellationToken, ValueTask<TResult>> ask) =>
        Traits.IsImmediate
            ? AskAsync(operation, state, ask, null, CancellationToken.None)
            : RunSlowlyAsync(pipeline, bound, operation, state, ask, new());

    private async ValueTask<TResult> RunSlowlyAsync<TState, TResult>(
        ResiliencePipeline pipeline,
        TimeSpan bound,
        string operation,
        TState state,
        Func<IIdempotencyStore, TState, CancellationToken, ValueTask<TResult>> ask,
        StoreNotes notes)
    {
        Outcome<TResult> outcome = await pipeline.TryExecuteAsync(
            new CallOptions(operation) { Deadline = bound + Slack },
            static (context, s) => s.Calls.BeginAsync(s.operation, s.state, s.ask, s.notes, context.CancellationToken),
            (Calls: this, operation, state, ask, notes)).ConfigureAwait(false);
        return outcome.IsSuccess ? outcome.GetValueOrThrow() : throw ErrorOf(operation, bound, outcome.Exception, notes.Said);
    }

    private IdempotencyStoreException ErrorOf(string operation, TimeSpan bound, Exception? error, IdempotencyStoreException? said)
    {
        if (error is IdempotencyStoreException own) return own;
        bool isRejected = error is not TimeoutException;

        // A circuit that is open says since when, and not why the store failed: its last failure does.
        said ??= isRejected ? _lastFailure : null;
        string told = said is null ? "" : $" Before that it said: {Safely.MessageOf(said)}";
        string what = isRejected
            ? $"is not asked to {operation}: {(error is null ? "the answer was judged to be a failure" : Safely.MessageOf(error))}"
            : $"did not answer to {operation} within {TimeText.Of(bound)}.";
        IdempotencyStoreException made = new(IdempotencyStoreFault.Unavailable, $"The store '{Traits.Name}' {what}{told}", said ?? error);
        if (!isRejected) _lastFailure = made;
        return made;
    }

    /// <summary>One attempt. It is remembered, because it may outlive the call.</summary>
    private ValueTask<TResult> BeginAsync<TState, TResult>(
        string operation, TState state, Func<IIdempotencyStore, TState, CancellationToken, ValueTask<TResult>> ask, StoreNotes notes, CancellationToken overdue)
    {
        Task<TResult> asking = AskAsync(operation, state, ask, notes, overdue).AsTask();
        notes.Last = asking;
        return new(asking);
    }

    /// <summary>Asks, measures if there is a listener, and makes every failure one of the store's.</summary>
    private ValueTask<TResult> AskAsync<TState, TResult>(
        string operation, TState state, Func<IIdempotencyStore, TState, CancellationToken, ValueTask<TResult>> ask, StoreNotes? notes,
        CancellationToken overdue)
    {
        long start = IdempotencyTelemetry.MeasuresStores(_environment) ? _time.GetTimestamp() : 0;
        ValueTask<TResult> asking;
        try
        {
            asking = ask(_store, state, overdue);
        }
        catch (Exception thrown)
        {
            asking = ValueTask.FromException<TResult>(thrown);
        }

        return start == 0 && asking.IsCompletedSuccessfully ? asking : AwaitAsync(operation, asking, start, notes, overdue);
    }

    private async ValueTask<TResult> AwaitAsync<TResult>(
        string operation, ValueTask<TResult> asking, long start, StoreNotes? notes, CancellationToken overdue)
    {
        string? error = null;
        try
        {
            return await asking.ConfigureAwait(false);
        }
        catch (IdempotencyStoreException failed)
        {
            error = IdempotencyTelemetry.NameOf(failed.Fault);
            notes?.Failed(failed, isInDoubt: failed.IsTransient);
            _lastFailure = failed;
            throw;
        }
        catch (OperationCanceledException) when (overdue.IsCancellationRequested)
        {
            error = "timeout";
            notes?.Failed(null, isInDoubt: true);
            throw;
        }
        catch (Exception other)
        {
            // A store that throws something else has a defect, or its client has (one that times out by itself, say); to us it is a store
            // that cannot be asked.
            error = other.GetType().FullName;
            IdempotencyStoreException failed = new(
                IdempotencyStoreFault.Unavailable, $"The store '{Traits.Name}' failed to {operation}: {Safely.MessageOf(other)}", other);
            notes?.Failed(failed, isInDoubt: true);
            _lastFailure = failed;
            throw failed;
        }
        finally
        {
            if (start != 0) IdempotencyTelemetry.StoreAnswered(_environment, Traits.Name, operation, _time.GetElapsedTime(start), error);
        }
    }

    /// <summary>Repeats a step until the store has answered it, at most for as long as a call may run, and until the gate is disposed of.</summary>
    private void InBackground(string operation, IdempotencyId id, Func<Task> step)
    {
        if (Interlocked.Increment(ref _inBackground) <= MaxInBackground)
        {
            _ = RepeatAsync(operation, id, step);
            return;
        }

        Interlocked.Decrement(ref _inBackground);
        IdempotencyTelemetry.StoreFailed(
            _environment,
            operation,
            new InvalidOperationException("Too many operations wait for the store; this one is dropped, and the record ends when its lease expires."),
            id);
    }

    private async Task RepeatAsync(string operation, IdempotencyId id, Func<Task> step)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding); // the caller does not wait for a store's synchronous part
        long start = _time.GetTimestamp();
        try
        {
            for (TimeSpan ceiling = FirstPause; ; ceiling = ceiling < MaxPause / 2 ? 2 * ceiling : MaxPause)
            {
                try
                {
                    await step().ConfigureAwait(false);
                    return;
                }
                catch (IdempotencyStoreException failed) when (failed.IsTransient && _time.GetElapsedTime(start) < _options.MaxExecution)
                {
                    CancellationToken disposed = _disposed.Token;
                    TimeSpan pause = ceiling * (0.5 + (0.5 * SafeRandomness.Draw(_environment.Randomness, 1)));
                    await ClockWait.ForAsync(_environment.Clock, pause, disposed).ConfigureAwait(false);
                    disposed.ThrowIfCancellationRequested();
                }
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException)
        {
            // The gate is disposed of; what is open in the store lapses.
        }
        catch (Exception error)
        {
            IdempotencyTelemetry.StoreFailed(_environment, operation, error, id);
        }
        finally
        {
            Interlocked.Decrement(ref _inBackground);
        }
    }
}
