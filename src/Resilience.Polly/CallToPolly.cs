using Polly;
using Polly.Timeout;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>One call that goes through Polly: the attempts that it makes, and which of them it answers with.</summary>
internal sealed class CallToPolly<T>(PolicyLink<T> next, ResilienceContext context)
{
    private readonly List<(ResilienceContext Fork, Outcome<T> Outcome)> _attempts = [];
    private bool _hasBegun;

    internal async ValueTask<Outcome<T>> RunAsync(IPollyRunner runner)
    {
        CancellationToken token = context.CancellationToken;
        Polly.Outcome<T> outcome = await runner.RunAsync(this, context.Operation, token).ConfigureAwait(false);
        lock (_attempts)
        {
            for (int i = _attempts.Count - 1; i >= 0; i--)
            {
                (ResilienceContext fork, Outcome<T> mine) = _attempts[i];
                if (!IsSame(mine, outcome)) continue;
                context.Join(fork);
                return mine;
            }
        }

        return outcome.Exception is { } error ? Outcome.Failure<T>(error, VerdictOf(error, token)) : Outcome.Success(outcome.Result!);
    }

    /// <summary>An attempt. It may run beside others, so each has a context of its own.</summary>
    internal async ValueTask<Polly.Outcome<T>> TryAsync(CancellationToken token)
    {
        ResilienceContext fork;
        lock (_attempts)
        {
            fork = context.Fork(isNewAttempt: _hasBegun);
            _hasBegun = true;
        }

        fork.CancellationToken = token;
        Outcome<T> outcome = await next.ExecuteAsync(fork).ConfigureAwait(false);
        lock (_attempts) _attempts.Add((fork, outcome));
        return outcome.HasResult ? Polly.Outcome.FromResult(outcome.Value) : Polly.Outcome.FromException<T>(outcome.Exception!);
    }

    private static bool IsSame(in Outcome<T> mine, in Polly.Outcome<T> theirs) => mine.HasResult
        ? theirs.Exception is null && EqualityComparer<T>.Default.Equals(mine.Value, theirs.Result)
        : ReferenceEquals(mine.Exception, theirs.Exception);

    private static Verdict VerdictOf(Exception error, CancellationToken token) => error switch
    {
        OperationCanceledException when token.IsCancellationRequested => Verdict.Ignored,
        TimeoutRejectedException => Verdict.Failure,
        ExecutionRejectedException => Verdict.Rejected,
        _ => Verdict.Failure,
    };
}
