using Grpc.Core;
using Grpc.Core.Interceptors;
using Resilience.Http;

namespace Resilience.Grpc;

/// <summary>A unary call whose caller's thread waits: all of it happens there.</summary>
internal sealed class BlockingCall<TRequest, TResponse>(
    GrpcResilience resilience,
    TRequest request,
    in ClientInterceptorContext<TRequest, TResponse> context,
    Interceptor.BlockingUnaryCallContinuation<TRequest, TResponse> continuation)
    where TRequest : class
    where TResponse : class
{
    private readonly CallFrame<TRequest, TResponse> _frame = new(resilience, context);
    private int _hasRefreshed; // 1: new credentials were asked for

    internal TResponse Run()
    {
        Outcome<TResponse> outcome = _frame.Target.Pipeline.TryExecute(
            _frame.Described, static (context, call) => call.Begin(context), this, _frame.CallersToken);
        if (outcome.TryGetValue(out TResponse? response)) return response;
        Exception error = AttemptFailure.Outside(outcome.Exception!, _frame.Operation, _frame.Resilience.ThrowsCancellation);
        return Outcome.Failure<TResponse>(error).GetValueOrThrow();
    }

    private TResponse Begin(ResilienceContext context) =>
        _frame.Resilience.Credentials is { } credentials ? AttemptWith(credentials, context) : Attempt(context);

    /// <summary>The attempt, and within it the same once more where new credentials may help.</summary>
    private TResponse AttemptWith(CredentialRefresh<IMethod> credentials, ResilienceContext context)
    {
        int generation = credentials.Generation;
        try
        {
            return Attempt(context);
        }
        catch (RpcException rejected) when (CallCredentialRefresh.MayHelp(rejected))
        {
            bool isDue = CallCredentialRefresh.IsDue(ref _hasRefreshed, _frame.Resilience);
            if (!isDue || !CallCredentialRefresh.AskAsync(credentials, _frame.Method, generation, context).GetAwaiter().GetResult()) throw;
        }

        return Attempt(context);
    }

    private TResponse Attempt(ResilienceContext context)
    {
        _frame.BeginAttempt(context);
        try
        {
            return continuation(request, _frame.Of(context));
        }
        catch (RpcException error)
        {
            Task limit = AttemptFailure.WaitForLimit(context, error.StatusCode, _frame.CallersToken);
            context.WaitIfSynchronous(limit).GetAwaiter().GetResult();
            AttemptFailure.Tell(context, error, _frame.Resilience.Options);
            throw;
        }
    }
}
