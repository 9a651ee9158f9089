using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.EntityFrameworkCore;

/// <summary>A synchronous operation.</summary>
internal sealed class SynchronousCall<TState, TResult>(
    ResilienceExecutionStrategy strategy,
    TState state,
    Func<DbContext, TState, TResult> operation,
    Func<DbContext, TState, ExecutionResult<TResult>>? verifySucceeded) : DatabaseCall(strategy, state, verifySucceeded is not null)
{
    internal TResult Execute(ResiliencePipeline pipeline)
    {
        Outcome<TResult> outcome = pipeline.TryExecute(new CallOptions(Strategy.Operation), static (context, call) => call.Attempt(context), this);
        if (outcome.TryGetValue(out TResult? result)) return result;
        return Throw<TResult>(outcome.Exception!);
    }

    private TResult Attempt(ResilienceContext call)
    {
        if (MustVerify && Verify() is { IsSuccessful: true } verified) return verified.Result;
        OperationNotes notes = Begin();
        try
        {
            return Strategy.Run(notes, static c => c.Operation(c.Strategy.Context, c.State), this);
        }
        catch (Exception error)
        {
            if (Fail(notes, error, call, out AttemptEnd end) && TryVerify() is { IsSuccessful: true } found) return found.Result;
            Conclude(notes, end, call);
            throw;
        }
    }

    private Func<DbContext, TState, TResult> Operation => operation;

    private TState State => state;

    private ExecutionResult<TResult> Verify()
    {
        ExecutionResult<TResult> answer = Strategy.Run(new(), static c => c.VerifySucceeded!(c.Strategy.Context, c.State), this);
        NotVerified(wasAsked: true);
        return answer;
    }

    private Func<DbContext, TState, ExecutionResult<TResult>>? VerifySucceeded => verifySucceeded;

    private ExecutionResult<TResult>? TryVerify()
    {
        try
        {
            return Verify();
        }
        catch (Exception)
        {
            NotVerified(wasAsked: false); // the error of the attempt is the one to tell
            return null;
        }
    }
}
