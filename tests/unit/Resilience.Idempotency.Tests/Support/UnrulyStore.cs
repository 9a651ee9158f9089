namespace Resilience.Idempotency.Tests;

/// <summary>A store that does as it is told: fails before or after the operation, hangs, or lets the answer be lost.</summary>
internal sealed class UnrulyStore(IIdempotencyStore inner) : IResolvableIdempotencyStore
{
    internal Func<string, Task>? Before { get; set; }

    internal Func<string, Task>? After { get; set; }

    internal Func<int>? Swept { get; set; }

    internal readonly List<string> Asked = [];

    public IdempotencyStoreTraits Traits { get; } = inner.Traits with { IsImmediate = false, Name = "unruly" };

    private async ValueTask<T> RunAsync<T>(string operation, Func<ValueTask<T>> run)
    {
        lock (Asked) Asked.Add(operation);
        if (Before is { } before) await before(operation);
        T answer = await run();
        if (After is { } after) await after(operation);
        return answer;
    }

    public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default) =>
        RunAsync("acquire", () => inner.TryAcquireAsync(request, CancellationToken.None));

    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default) =>
        RunAsync("renew", () => inner.RenewAsync(id, fence, lease, CancellationToken.None));

    public ValueTask<bool> CompleteAsync(
        IdempotencyId id, long fence, IdempotencyCompletion completion, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken = default) =>
        RunAsync("complete", () => inner.CompleteAsync(id, fence, completion, payload, retention, CancellationToken.None));

    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) =>
        RunAsync("release", () => inner.ReleaseAsync(id, fence, CancellationToken.None));

    public ValueTask<ResolveResult> ResolveRecordAsync(ResolveRequest request, CancellationToken cancellationToken = default) =>
        RunAsync("resolve", () => ((IResolvableIdempotencyStore)inner).ResolveRecordAsync(request, CancellationToken.None));

    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) =>
        RunAsync("peek", () => inner.PeekAsync(id, CancellationToken.None));

    public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default) =>
        RunAsync("purge", () => Swept is { } swept ? new(swept()) : inner.PurgeAsync(max, CancellationToken.None));

    internal static Task Broken => Task.FromException(new IdempotencyStoreException(IdempotencyStoreFault.Unavailable, "down"));
}
