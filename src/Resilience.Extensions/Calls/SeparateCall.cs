using System.Runtime.ExceptionServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>One call that goes through a pipeline which judges by itself: the attempts that it makes, and which of them it answers with.</summary>
internal sealed class SeparateCall<T>(PolicyLink<T> next, ResilienceContext context)
{
    private readonly List<(ResilienceContext Fork, Outcome<T> Outcome)> _attempts = []; // the lock of what several attempts do at a time
    private bool _hasBegun;

    /// <summary>An attempt. It may run beside others, so each has a context of its own.</summary>
    internal async ValueTask<T> RunAsync(ResilienceContext inner)
    {
        ResilienceContext fork;
        lock (_attempts)
        {
            fork = context.Fork(isNewAttempt: _hasBegun);
            _hasBegun = true;
        }

        fork.CancellationToken = inner.CancellationToken;
        Outcome<T> outcome = await next.ExecuteAsync(fork).ConfigureAwait(false);
        lock (_attempts) _attempts.Add((fork, outcome));
        if (outcome.HasResult) return outcome.Value;
        ExceptionDispatchInfo.Throw(outcome.Exception!);
        return default!; // not reached
    }

    /// <summary>The links of a synchronous call have ended when they return.</summary>
    internal T Run(ResilienceContext inner)
    {
        ValueTask<T> running = RunAsync(inner);
        return running.IsCompleted ? running.GetAwaiter().GetResult() : running.AsTask().GetAwaiter().GetResult();
    }

    /// <summary>What came through unchanged keeps the verdict that it has here; what the pipeline made itself has that of the pipeline.</summary>
    internal Outcome<T> End(in Outcome<T> answer)
    {
        lock (_attempts)
        {
            for (int i = _attempts.Count - 1; i >= 0; i--)
            {
                (ResilienceContext fork, Outcome<T> mine) = _attempts[i];
                if (!IsSame(mine, answer)) continue;
                context.Join(fork);
                return mine;
            }
        }

        return answer.HasResult ? Outcome.Success(answer.Value) : Outcome.Failure<T>(answer.Exception!, answer.Verdict);
    }

    internal async ValueTask<Outcome<T>> EndAsync(ValueTask<Outcome<T>> running) => End(await running.ConfigureAwait(false));

    private static bool IsSame(in Outcome<T> mine, in Outcome<T> answer) => mine.HasResult
        ? answer.HasResult && EqualityComparer<T>.Default.Equals(mine.Value, answer.Value)
        : ReferenceEquals(mine.Exception, answer.Exception);
}
