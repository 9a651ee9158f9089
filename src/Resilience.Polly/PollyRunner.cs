using Polly;

namespace Resilience;

internal sealed class PollyRunner(Polly.ResiliencePipeline pipeline) : IPollyRunner
{
    public async ValueTask<Polly.Outcome<T>> RunAsync<T>(CallToPolly<T> call, string? operation, CancellationToken cancellationToken)
    {
        Polly.ResilienceContext context = ResilienceContextPool.Shared.Get(operation, cancellationToken);
        try
        {
            return await pipeline.ExecuteOutcomeAsync(static (theirs, c) => c.TryAsync(theirs.CancellationToken), context, call).ConfigureAwait(false);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }
}
