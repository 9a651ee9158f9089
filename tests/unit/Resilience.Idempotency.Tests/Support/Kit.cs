using Microsoft.Extensions.Time.Testing;

namespace Resilience.Idempotency.Tests;

/// <summary>A gate over a store on one clock that is moved by hand.</summary>
internal sealed class Kit : IDisposable
{
    internal static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    internal Kit(Action<IdempotencyOptions>? configure = null, Func<IIdempotencyStore, IIdempotencyStore>? wrap = null)
    {
        Memory = new(timeProvider: Time);
        Store = wrap?.Invoke(Memory) ?? Memory;
        Gate = NewGate(configure);
    }

    internal FakeTimeProvider Time { get; } = new();

    internal InMemoryIdempotencyStore Memory { get; }

    internal IIdempotencyStore Store { get; }

    internal IdempotencyGate Gate { get; }

    internal List<ResilienceEvent> Events { get; } = [];

    internal static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    /// <summary>Another process: a gate of its own before the same records.</summary>
    internal IdempotencyGate NewGate(Action<IdempotencyOptions>? configure = null, IIdempotencyStore? store = null)
    {
        IdempotencyOptions options = new() { WhenInFlight = WhenInFlight.Reject };
        configure?.Invoke(options);
        return new(store ?? Store, options, Time, Randomness.Seeded(1), e =>
        {
            lock (Events) Events.Add(e);
        });
    }

    /// <summary>Time passes in small steps, and whatever it wakes runs before the next.</summary>
    internal async Task PassAsync(TimeSpan span, int steps = 20)
    {
        for (int i = 0; i < steps; i++)
        {
            Time.Advance(span / steps);
            for (int hop = 0; hop < 5; hop++) await Task.Yield();
        }
    }

    /// <summary>Moves the clock until the task has ended: for tasks whose time to wait does not matter.</summary>
    internal async Task<T> PassUntilAsync<T>(Task<T> task, TimeSpan step)
    {
        using CancellationTokenSource limit = new(Patience);
        while (!task.IsCompleted)
        {
            limit.Token.ThrowIfCancellationRequested();
            Time.Advance(step);
            await Task.WhenAny(task, Task.Delay(1, CancellationToken.None));
        }

        return await task;
    }

    internal static async Task UntilAsync(Func<bool> holds)
    {
        using CancellationTokenSource limit = new(Patience);
        while (!holds())
        {
            limit.Token.ThrowIfCancellationRequested();
            await Task.Delay(1, limit.Token);
        }
    }

    public void Dispose() => Gate.Dispose();
}
