using System.Globalization;

namespace Resilience.Starved;

/// <summary>What came first in one round.</summary>
internal sealed class Order
{
    internal const int MarginMs = 50;

    private readonly TaskCompletionSource _runtime = new(), _ours = new(); // they go on where they end
    private readonly long _start = TimeProvider.System.GetTimestamp();
    private Timer? _timer;
    private TimeSpan _runtimeAt, _oursAt;
    private int _expected = 1;

    internal bool IsOursFirst => _oursAt != default && _oursAt < _runtimeAt;

    internal bool IsFarBehind => _oursAt > _runtimeAt + TimeSpan.FromSeconds(2);

    /// <summary>A timer of the runtime becomes due <see cref="MarginMs"/> after ours should be.</summary>
    internal void Expect(int ms, int times = 1)
    {
        _expected = times;
        _timer = new(
            _ =>
            {
                _runtimeAt = TimeProvider.System.GetElapsedTime(_start);
                _runtime.TrySetResult();
            },
            null, ms + MarginMs, Timeout.Infinite);
    }

    /// <summary>Ours has happened; the last of those that were expected counts.</summary>
    internal void Ours()
    {
        if (Interlocked.Decrement(ref _expected) != 0) return;
        _oursAt = TimeProvider.System.GetElapsedTime(_start);
        _ours.TrySetResult();
    }

    internal async Task BothAsync()
    {
        await _ours.Task.WaitAsync(TimeSpan.FromMinutes(1)).ConfigureAwait(false);
        await _runtime.Task.WaitAsync(TimeSpan.FromMinutes(1)).ConfigureAwait(false);
        await _timer!.DisposeAsync().ConfigureAwait(false);
    }

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"ours after {_oursAt.TotalMilliseconds:0} ms, the runtime's timer after {_runtimeAt.TotalMilliseconds:0} ms");
}
