using Microsoft.Extensions.Diagnostics.HealthChecks;
using Resilience.Extensibility;
using Resilience.Http;

namespace Resilience;

/// <summary>Looks at the policies that exist and can trip (circuits, and what else says so of itself); builds none.</summary>
internal sealed class ResilienceHealthCheck(
    ResiliencePipelineProvider pipelines, HttpResilienceProvider? clients, ResilienceHealthOptions options) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        List<string> open = [];
        int watched = 0;
        Dictionary<string, object> data = new(StringComparer.Ordinal);
        foreach ((string name, PolicyStatus now) in Watched())
        {
            if (options.Ignores(name)) continue;
            watched++;
            if (now.Condition == PolicyCondition.Ok) continue;
            if (now.Condition == PolicyCondition.Tripped) open.Add(name);
            data[name] = now.Text; // plain text: it survives whatever writes the report
        }

        data["circuits"] = watched;
        string described = open.Count == 0 ? "No circuit is open." : $"Open: {string.Join(", ", open.Order(StringComparer.Ordinal))}.";
        return Task.FromResult(new HealthCheckResult(open.Count == 0 ? HealthStatus.Healthy : context.Registration.FailureStatus, described, null, data));
    }

    private IEnumerable<(string Name, PolicyStatus Now)> Watched()
    {
        IEnumerable<PipelineState> states = pipelines.States;
        if (clients is not null)
        {
            states = states.Concat(clients.Made.SelectMany(c => c.Authorities.Append(c.Overflow).SelectMany(
                a => a.Pipeline.States.Select(s => new PipelineState($"{c.Name}/{a.Name}", s)))));
        }

        foreach (PipelineState state in states)
        {
            if (state.Policy.ReadStatus() is not { CanTrip: true } now) continue;
            string name = $"{state.PipelineName}/{state.PolicyName}";
            if (now.Parts.Count == 0) yield return (name, now);
            foreach ((string key, PolicyStatus part) in now.Parts) yield return ($"{name}/{key}", part);
        }
    }
}
