namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>Pipelines for tests: no waits, no budget, and what they do is recorded.</summary>
internal static class Pipelines
{
    internal static DatabaseResilience Retrying(int maxRetries = 3, bool repeatUnknownCommits = false, Action<ResilienceEvent>? listener = null) => new(
        "test",
        builder =>
        {
            if (listener is not null) builder.OnEvent(listener);
            builder.AddTimeout(TimeSpan.FromMinutes(2)).AddRetry(retry =>
            {
                retry.MaxRetries = maxRetries;
                retry.BaseDelay = TimeSpan.Zero;
                retry.MaxDelay = TimeSpan.Zero;
                retry.Budget = RetryBudget.Unlimited;
            });
        },
        new() { RepeatUnknownCommits = repeatUnknownCommits });
}
