using Resilience.Extensibility;

namespace Resilience.EntityFrameworkCore;

/// <summary>A pipeline and what the strategy has to know of it.</summary>
internal sealed class DatabasePipeline
{
    internal DatabasePipeline(ResiliencePipeline pipeline)
    {
        Pipeline = pipeline;
        IReadOnlyList<PolicyDescription> policies = pipeline.Describe().Policies;
        if (Any(policies, p => p is { Role: PolicyRole.Hedging, MaxAttempts: not 1 })) throw Unfit("hedges");
        if (Any(policies, p => p.Role == PolicyRole.Timeout && p.Options.Any(o => o.Key == "abandon after"))) throw Unfit("abandons attempts");
        Repeats = Any(policies, p => p is { Role: PolicyRole.Retry, MaxAttempts: not 1 });
    }

    internal ResiliencePipeline Pipeline { get; }

    internal bool Repeats { get; }

    private InvalidOperationException Unfit(string does) => new(
        $"The pipeline '{Pipeline.Name}' {does}: two attempts would use one DbContext at the same time, which EF Core does not allow.");

    private static bool Any(IReadOnlyList<PolicyDescription> policies, Func<PolicyDescription, bool> holds) =>
        policies.Any(p => holds(p) || Any(p.Inner, holds));
}
