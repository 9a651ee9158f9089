using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Resilience.Extensibility;
using Resilience.Http;

namespace Resilience;

/// <summary>Looks at the circuits that exist; builds none.</summary>
internal sealed class ResilienceHealthCheck(
    ResiliencePipelineProvider pipelines, HttpResilienceProvider? clients, ResilienceHealthOptions options) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        List<string> open = [];
        int watched = 0;
        Dictionary<string, object> data = new(StringComparer.Ordinal);
        foreach ((string name, CircuitBreaker circuit) in Circuits())
        {
            if (options.Ignores(name)) continue;
            watched++;
            CircuitSnapshot now = circuit.TakeSnapshot();
            if (now.State == CircuitState.Closed) continue;
            if (now.State is CircuitState.Open or CircuitState.Isolated) open.Add(name);
            data[name] = Describe(now);
        }

        data["circuits"] = watched;
        string described = open.Count == 0 ? "No circuit is open." : $"Open: {string.Join(", ", open.Order(StringComparer.Ordinal))}.";
        return Task.FromResult(new HealthCheckResult(open.Count == 0 ? HealthStatus.Healthy : context.Registration.FailureStatus, described, null, data));
    }

    private IEnumerable<(string Name, CircuitBreaker Circuit)> Circuits()
    {
        IEnumerable<PipelineState> states = pipelines.States;
        if (clients is not null)
        {
            states = states.Concat(clients.Made.SelectMany(c => c.Authorities.Append(c.Overflow).SelectMany(
                a => a.Pipeline.States.Select(s => new PipelineState($"{c.Name}/{a.Name}", s.PolicyName, s.State)))));
        }

        foreach (PipelineState state in states)
        {
            string name = $"{state.PipelineName}/{state.PolicyName}";
            if (state.State is CircuitBreaker circuit) yield return (name, circuit);
            if (state.State is not CircuitBreakerPartitions partitions) continue;
            foreach ((string key, CircuitBreaker one) in partitions.All().Append(new("*", partitions.Overflow))) yield return ($"{name}/{key}", one);
        }
    }

    /// <summary>Plain text: it survives whatever writes the report.</summary>
    private static string Describe(CircuitSnapshot now)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"{now.State} for {now.InState.TotalSeconds:0.###} s");
        if (now.Rejection is { } rejection) text += $"; {rejection.Reason}";
        return now.RetryAfter is { } wait ? string.Create(CultureInfo.InvariantCulture, $"{text} Next probe in {wait.TotalSeconds:0.###} s.") : text;
    }
}
