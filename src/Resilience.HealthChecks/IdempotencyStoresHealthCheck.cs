using Microsoft.Extensions.Diagnostics.HealthChecks;
using Resilience.Idempotency;

namespace Resilience;

/// <summary>Looks into the store of each idempotency gate: an outage has the status of the registration, a mistake is unhealthy.</summary>
internal sealed class IdempotencyStoresHealthCheck(IdempotencyGates? gates) : IHealthCheck
{
    /// <summary>A record that does not exist: to look for it changes nothing.</summary>
    private static readonly IdempotencyId Probe = IdempotencyKey.Shared("health check").ToId();

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        IReadOnlyList<string> names = gates?.Names ?? [];
        IdempotencyStoreException?[] failures = await Task.WhenAll(names.Select(n => LookAsync(n, cancellationToken))).ConfigureAwait(false);
        Dictionary<string, object> data = new(StringComparer.Ordinal) { ["stores"] = names.Count };
        HealthStatus status = HealthStatus.Healthy;
        List<string> ill = [];
        foreach ((string name, IdempotencyStoreException? failure) in names.Zip(failures))
        {
            if (failure is null) continue;
            string title = name.Length == 0 ? "idempotency" : name;
            bool passes = failure.IsTransient || failure.Fault == IdempotencyStoreFault.Full;
            HealthStatus one = passes ? context.Registration.FailureStatus : HealthStatus.Unhealthy;
            if (one < status) status = one;
            ill.Add($"{title} ({NameOf(failure.Fault)})");
            data[title] = $"{NameOf(failure.Fault)}: {SafeCalls.MessageOf(failure)}";
        }

        string described = ill.Count == 0
            ? "Every store of idempotency records answers."
            : $"Stores of idempotency records that cannot be used: {string.Join(", ", ill)}.";
        return new(status, described, failures.FirstOrDefault(f => f is not null), data);
    }

    private static string NameOf(IdempotencyStoreFault fault) => fault switch
    {
        IdempotencyStoreFault.Full => "full",
        IdempotencyStoreFault.Corrupt => "damaged",
        IdempotencyStoreFault.Misconfigured => "not set up as it must be",
        _ => "not available",
    };

    private async Task<IdempotencyStoreException?> LookAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            await gates!.Get(name).PeekAsync(Probe).AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (IdempotencyStoreException failed)
        {
            return failed;
        }
        catch (Exception wrong) when (wrong is ResilienceOptionsException or InvalidOperationException)
        {
            return new(IdempotencyStoreFault.Misconfigured, SafeCalls.MessageOf(wrong), wrong); // the store could not even be made
        }
    }
}
