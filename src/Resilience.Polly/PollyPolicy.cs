using Polly;
using Polly.Timeout;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>A pipeline or policy of Polly as one policy of ours.</summary>
internal sealed class PollyPolicy(IPollyRunner runner) : ResiliencePolicy
{
    public override PolicyDescription Describe() => new("polly", PolicyRole.Other);

    protected override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(runner, next);

    private sealed class Link<T>(IPollyRunner runner, PolicyLink<T> next) : PolicyLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) =>
            context.WaitIfSynchronous(new CallToPolly<T>(next, context).RunAsync(runner));
    }
}

/// <summary>Runs attempts through something of Polly.</summary>
internal interface IPollyRunner
{
    ValueTask<Polly.Outcome<T>> RunAsync<T>(CallToPolly<T> call, string? operation, CancellationToken cancellationToken);
}

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
