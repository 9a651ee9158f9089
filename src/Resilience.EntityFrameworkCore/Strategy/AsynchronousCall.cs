using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.EntityFrameworkCore;

/// <summary>An asynchronous operation.</summary>
internal sealed class AsynchronousCall<TState, TResult>(
    ResilienceExecutionStrategy strategy,
    TState state,
    Func<DbContext, TState, CancellationToken, Task<TResult>> operation,
    Func<DbContext, TState, CancellationToken, Task<ExecutionResult<TResult>>>? verifySucceeded) : DatabaseCall(strategy, state, verifySucceeded is not null)
{
    internal async Task<TResult> ExecuteAsync(ResiliencePipeline pipeline, CancellationToken cancellationToken)
    {
        Outcome<TResult> outcome = await pipeline.TryExecuteAsync(
            new CallOptions(Strategy.Operation), static (context, call) => call.AttemptAsync(context), this, cancellationToken).ConfigureAwait(false);
        if (outcome.TryGetValue(out TResult? result)) return result;
        return Throw<TResult>(outcome.Exception!);
    }

    private async ValueTask<TResult> AttemptAsync(ResilienceContext call)
    {
        CancellationToken token = call.CancellationToken;
        if (MustVerify && await VerifyAsync(token).ConfigureAwait(false) is { IsSuccessful: true } verified) return verified.Result;
        OperationNotes notes = Begin();
        try
        {
            return await Strategy.RunAsync(notes, () => operation(Strategy.Context, state, token)).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            if (Fail(notes, error, call, out AttemptEnd end) && await TryVerifyAsync(token).ConfigureAwait(false) is { IsSuccessful: true } found)
                return found.Result;
            Conclude(notes, end, call);
            throw;
        }
    }

    private async Task<ExecutionResult<TResult>> VerifyAsync(CancellationToken token)
    {
        ExecutionResult<TResult> answer = await Strategy.RunAsync(new(), () => verifySucceeded!(Strategy.Context, state, token)).ConfigureAwait(false);
        NotVerified(wasAsked: true);
        return answer;
    }

    private async Task<ExecutionResult<TResult>?> TryVerifyAsync(CancellationToken token)
    {
        try
        {
            return await VerifyAsync(token).ConfigureAwait(false);
        }
        catch (Exception)
        {
            NotVerified(wasAsked: false); // the error of the attempt is the one to tell
            return null;
        }
    }
}
