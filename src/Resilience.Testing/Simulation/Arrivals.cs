namespace Resilience.Testing;

/// <summary>Calls that come in and do not wait for each other.</summary>
internal sealed class Arrivals(Simulation world, string name, CallLoad load, Func<CallInfo, CancellationToken, ValueTask> call)
{
    private readonly TimeSpan _until = load.Until ?? TimeSpan.MaxValue;
    private ITimer? _timer;
    private TimeSpan _begun;
    private long _number;

    internal void Begin()
    {
        _begun = world.Time.Elapsed;
        _timer = world.Time.CreateWorldTimer(_ => Arrive(), Timeout.InfiniteTimeSpan);
        WaitForNext();
    }

    private void WaitForNext()
    {
        // Even calls are counted from the beginning, so that rounding does not add up.
        TimeSpan pause = load.Spacing == ArrivalSpacing.Even
            ? _begun + TimeSpan.FromSeconds(++_number / load.PerSecond) - world.Time.Elapsed
            : TimeSpan.FromSeconds(-Math.Log(1 - world.DrawLoad()) / load.PerSecond);
        _timer!.Change(pause, Timeout.InfiniteTimeSpan);
    }

    private void Arrive()
    {
        if (world.IsLoadOver || world.Time.Elapsed >= _until)
        {
            _timer!.Dispose();
            return;
        }

        WaitForNext();
        CallInfo info = load.Classes is null ? CallInfo.Default : new() { Criticality = load.ClassOf(world.DrawLoad()) };
        _ = world.CallAsync(name, info, call);
    }
}
