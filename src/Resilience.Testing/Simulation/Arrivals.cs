namespace Resilience.Testing;

/// <summary>Calls that come in at random moments and do not wait for each other.</summary>
internal sealed class Arrivals(Simulation world, string name, double perSecond, Func<CancellationToken, ValueTask> call, TimeSpan until)
{
    private ITimer? _timer;

    internal void Begin()
    {
        _timer = world.Time.CreateWorldTimer(_ => Arrive(), Timeout.InfiniteTimeSpan);
        WaitForNext();
    }

    private void WaitForNext()
    {
        TimeSpan pause = TimeSpan.FromSeconds(-Math.Log(1 - world.DrawLoad()) / perSecond);
        _timer!.Change(pause, Timeout.InfiniteTimeSpan);
    }

    private void Arrive()
    {
        if (world.IsLoadOver || world.Time.Elapsed >= until)
        {
            _timer!.Dispose();
            return;
        }

        WaitForNext();
        _ = world.CallAsync(name, call);
    }
}
