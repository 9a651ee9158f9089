namespace Resilience.Soak;

/// <summary>The traffic of the soak: pipelines with everything in them, on real threads and real time, whose calls succeed, fail, time out, are cancelled,
/// rejected and replayed.</summary>
internal sealed class Load : IDisposable
{
    private const int Callers = 8;

    private readonly ResiliencePipeline _whole = new ResiliencePipelineBuilder { Name = "whole" }
        .AddFallback<int>(new FallbackOptions<int> { Value = -1, ShouldHandle = a => a.Outcome.Exception is CircuitOpenException })
        .AddTimeout(TimeSpan.FromSeconds(5))
        .AddRetry(o => { o.BaseDelay = TimeSpan.FromMilliseconds(1); o.MaxDelay = TimeSpan.FromMilliseconds(2); })
        .AddConcurrencyLimit(maxConcurrent: 6, maxQueued: 4)
        .AddCircuitBreaker(o => { o.FailureRatio = 0.9; o.BreakDuration = TimeSpan.FromMilliseconds(20); o.MaxBreakDuration = TimeSpan.FromMilliseconds(100); o.SlowCallThreshold = TimeSpan.FromSeconds(2); })
        .AddTimeout(TimeSpan.FromMilliseconds(20))
        .Build();

    private readonly ResiliencePipeline _quick = new ResiliencePipelineBuilder { Name = "quick" }
        .AddTimeout(TimeSpan.FromSeconds(30)).AddRetry(o => o.BaseDelay = o.MaxDelay = TimeSpan.Zero).AddCircuitBreaker(o => o.FailureRatio = 1).Build();

    private readonly CircuitBreakerPartitions _byKey = new(new CircuitBreakerOptions(), capacity: 100);
    private readonly IdempotencyGate _gate = new(new InMemoryIdempotencyStore());
    private readonly CancellationTokenSource _application = new();

    /// <summary>One round: every caller makes so many calls, each its own way.</summary>
    internal Task RoundAsync(int calls, int round) => Task.WhenAll([.. Enumerable.Range(0, Callers).Select(c => Task.Run(() => CallAsync(calls / Callers, (round * Callers) + c)))]);

    private async Task CallAsync(int calls, int seed)
    {
        Random random = new(seed);
        for (int i = 0; i < calls; i++)
        {
            try
            {
                await OneAsync(random).ConfigureAwait(false);
            }
            catch (Exception error) when (error is ResilienceException or HttpRequestException or OperationCanceledException or TimeoutException)
            {
                // The ways in which calls may end; anything else ends the soak.
            }
        }
    }

    private async ValueTask OneAsync(Random random)
    {
        int kind = random.Next(100);
        switch (kind)
        {
            case < 60:
                await _quick.ExecuteAsync(_ => kind < 3 ? ValueTask.FromException<int>(new HttpRequestException("no")) : new ValueTask<int>(kind)).ConfigureAwait(false);
                break;
            case < 75:
                await _whole.ExecuteAsync(async token => await WorkAsync(kind, token).ConfigureAwait(false), _application.Token).ConfigureAwait(false);
                break;
            case < 80:
                using (CancellationTokenSource caller = new())
                {
                    ValueTask<int> call = _whole.ExecuteAsync(async token => await WorkAsync(76, token).ConfigureAwait(false), caller.Token);
                    await caller.CancelAsync().ConfigureAwait(false);
                    await call.ConfigureAwait(false);
                }

                break;
            case < 90:
                CircuitBreaker breaker = _byKey.Get($"host {random.Next(200)}");
                if (breaker.TryEnter(out CircuitPermit permit) < CircuitAdmission.RejectedOpen) breaker.Exit(permit, kind < 82 ? Verdict.Failure : Verdict.Success);
                break;
            default:
                await _gate.GetOrAddAsync(IdempotencyKey.Shared($"order {random.Next(2000)}"), (_, _) => new ValueTask<int>(kind)).ConfigureAwait(false);
                break;
        }
    }

    private static async ValueTask<int> WorkAsync(int kind, CancellationToken token)
    {
        await Task.Yield();
        if (kind == 60) await Task.Delay(Timeout.Infinite, token).ConfigureAwait(false); // ends by the timeout of the attempt
        if (kind < 66) throw new HttpRequestException("no");
        token.ThrowIfCancellationRequested();
        return kind;
    }

    public void Dispose()
    {
        _gate.Dispose();
        _application.Dispose();
    }
}
