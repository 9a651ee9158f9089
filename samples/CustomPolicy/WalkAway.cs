using Resilience.Extensibility;

namespace Resilience.CustomPolicy;

/// <summary>Walks away from a call that takes too long, whether or not its delegate listens to its token.</summary>
public sealed class WalkAway(TimeSpan patience) : SimplePolicy
{
    protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
    {
        using CancellationTokenSource own = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        ResilienceContext fork = context.Fork();
        fork.CancellationToken = own.Token;
        Task<Outcome<T>> running = next.ExecuteAsync(fork).AsTask();
        if (await Task.WhenAny(running, Task.Delay(patience, context.TimeProvider, own.Token)).ConfigureAwait(false) != running)
        {
            await own.CancelAsync().ConfigureAwait(false); // tell what is left behind
            return Outcome.Failure<T>(new TimeoutException($"Nothing came within {patience}."));
        }

        await own.CancelAsync().ConfigureAwait(false); // the delay
        context.Join(fork); // the call goes on with the attempts, properties and objections of the fork
        return await running.ConfigureAwait(false);
    }
}
