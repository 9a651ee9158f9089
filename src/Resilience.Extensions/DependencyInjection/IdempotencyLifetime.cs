using Microsoft.Extensions.Hosting;

namespace Resilience;

/// <summary>What the gates of a container do when its host starts and stops.</summary>
internal sealed class IdempotencyLifetime(IdempotencyStoreChecks checks) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => checks.RunAsync(cancellationToken);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
