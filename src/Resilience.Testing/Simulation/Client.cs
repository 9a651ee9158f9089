namespace Resilience.Testing;

/// <summary>A client that calls, waits for the answer, thinks, and calls again.</summary>
internal sealed class Client(Simulation world, string name, TimeSpan think, Func<CancellationToken, ValueTask> call, TimeSpan until)
{
    internal async Task LiveAsync()
    {
        await PauseAsync(think).ConfigureAwait(false);
        while (!world.IsLoadOver && world.Time.Elapsed < until)
        {
            TimeSpan before = world.Time.Elapsed;
            await world.CallAsync(name, CallInfo.Default, (_, token) => call(token)).ConfigureAwait(false);

            // A client that gets its answers in no time and never thinks would stop the world's clock: it takes a millisecond at least.
            bool isInNoTime = think == TimeSpan.Zero && world.Time.Elapsed == before;
            await PauseAsync(isInNoTime ? TimeSpan.FromMilliseconds(1) : think).ConfigureAwait(false);
        }
    }

    private Task PauseAsync(TimeSpan mean)
    {
        if (mean == TimeSpan.Zero) return Task.CompletedTask;
        TaskCompletionSource over = new();
        world.Time.CreateWorldTimer(_ => over.TrySetResult(), mean * -Math.Log(1 - world.DrawLoad()));
        return over.Task;
    }
}
