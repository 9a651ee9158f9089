using Polly;

namespace Resilience;

internal sealed class TypedPollyRunner<TResult>(Polly.ResiliencePipeline<TResult> pipeline) : IPollyRunner
{
    public async ValueTask<Polly.Outcome<T>> RunAsync<T>(CallToPolly<T> call, string? operation, CancellationToken cancellationToken)
    {
        if (call is not CallToPolly<TResult> mine)
        {
            return Polly.Outcome.FromException<T>(
                new InvalidOperationException($"The pipeline of Polly is for results of type {typeof(TResult)}, and cannot be used for {typeof(T)}."));
        }

        Polly.ResilienceContext context = ResilienceContextPool.Shared.Get(operation, cancellationToken);
        try
        {
            return (Polly.Outcome<T>)(object)await pipeline.ExecuteOutcomeAsync(
                static (theirs, c) => c.TryAsync(theirs.CancellationToken), context, mine).ConfigureAwait(false);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }
}
