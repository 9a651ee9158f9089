using Polly;

namespace Resilience;

internal sealed class OldPollyRunner(IAsyncPolicy policy) : IPollyRunner
{
    public async ValueTask<Polly.Outcome<T>> RunAsync<T>(CallToPolly<T> call, string? operation, CancellationToken cancellationToken)
    {
        try
        {
            return Polly.Outcome.FromResult(await policy.ExecuteAsync(async (_, token) =>
            {
                Polly.Outcome<T> outcome = await call.TryAsync(token).ConfigureAwait(false);
                outcome.ThrowIfException();
                return outcome.Result!;
            }, operation is null ? [] : new Context(operation), cancellationToken).ConfigureAwait(false));
        }
        catch (Exception error)
        {
            return Polly.Outcome.FromException<T>(error);
        }
    }
}
