namespace Resilience;

/// <summary>Runs attempts through something of Polly.</summary>
internal interface IPollyRunner
{
    ValueTask<Polly.Outcome<T>> RunAsync<T>(CallToPolly<T> call, string? operation, CancellationToken cancellationToken);
}
