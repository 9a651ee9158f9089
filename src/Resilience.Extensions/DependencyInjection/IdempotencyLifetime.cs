using Microsoft.Extensions.Hosting;
using Resilience.Idempotency;

namespace Resilience;

/// <summary>What the gates of a container do when its host starts and stops.</summary>
internal sealed class IdempotencyLifetime(IdempotencyStoreChecks checks, IdempotencyGates gates) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => checks.RunAsync(cancellationToken);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Servers still take requests: from now on their gates begin nothing new.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        gates.BeginStopping();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Servers have stopped, or their time is up.</summary>
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.WhenAll(gates.Made.Select(gate => gate.StopAsync(cancellationToken)));
}
