using Grpc.Core;
using Resilience.Extensibility;

namespace Resilience.Grpc;

/// <summary>The waits of a retry between attempts of gRPC: what the server pushes back with is kept exactly, and after it the backoff begins anew.</summary>
/// <remarks>gRFC A6: a pushback of n ms takes the place of the wait, and the next one is computed as if no attempt had been made before.</remarks>
internal sealed class PushbackWaits
{
    private static readonly ResilienceProperty<int> LastAt = new("grpc pushback");

    private readonly Func<AttemptResult, TimeSpan?>? _users;
    private readonly Backoff _backoff;
    private readonly Randomness _randomness;

    private PushbackWaits(RetryOptions options, Randomness randomness)
    {
        _users = options.RetryAfter;
        _randomness = randomness;
        _backoff = options.BackoffKind switch
        {
            BackoffKind.Constant => Backoff.Constant(options.BaseDelay, options.Jitter),
            BackoffKind.Linear => Backoff.Linear(options.BaseDelay, options.MaxDelay, options.Jitter),
            BackoffKind.Decorrelated => Backoff.Decorrelated(options.BaseDelay, options.MaxDelay),
            _ => Backoff.Exponential(options.BaseDelay, options.MaxDelay, options.Factor, options.Jitter),
        };
    }

    /// <summary>A copy of the options that waits so.</summary>
    internal static RetryOptions Within(RetryOptions options, Randomness randomness)
    {
        RetryOptions copy = options.Copy();
        copy.ThrowIfInvalid(); // a backoff of numbers that are out of range could not be made
        copy.RetryAfter = new PushbackWaits(copy, randomness).After;
        return copy;
    }

    private TimeSpan? After(AttemptResult attempt)
    {
        if (attempt.Exception is RpcException error && Pushback.Of(error.Trailers) is { Wait: { } wait })
        {
            attempt.Context.Set(LastAt, attempt.Number);
            return wait;
        }

        if (_users?.Invoke(attempt) is { } asked) return asked;
        if (attempt.RetryAfter is { Ticks: > 0 } || !attempt.Context.TryGet(LastAt, out int at)) return null;
        return _backoff.Delay(attempt.Number - at - 1, _randomness);
    }
}
