using System.Runtime.CompilerServices;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Resilience.Http;

namespace Resilience.Grpc;

/// <summary>A unary call, and the task that its caller awaits: one object for all attempts.</summary>
internal sealed class UnaryCall<TRequest, TResponse>(
    GrpcResilience resilience,
    TRequest request,
    in ClientInterceptorContext<TRequest, TResponse> context,
    Interceptor.AsyncUnaryCallContinuation<TRequest, TResponse> continuation) : TaskCompletionSource<TResponse>
    where TRequest : class
    where TResponse : class
{
    private readonly CallFrame<TRequest, TResponse> _frame = new(resilience, context);
    private AsyncUnaryCall<TResponse>? _last; // of the attempts the one that was begun last, or the one that was answered
    private Task<Metadata>? _headers;
    private ConfiguredValueTaskAwaitable<Outcome<TResponse>>.ConfiguredValueTaskAwaiter _running;
    private volatile bool _isDisposed;
    private volatile bool _hasWon;
    private int _hasRefreshed; // 1: new credentials were asked for

    internal AsyncUnaryCall<TResponse> Start()
    {
        _running = _frame.Target.Pipeline.TryExecuteAsync(
            _frame.Described, static (context, call) => call.BeginAsync(context), this, _frame.CallersToken).ConfigureAwait(false).GetAwaiter();
        if (_running.IsCompleted) End();
        else _running.UnsafeOnCompleted(End);
        return new(
            Task,
            static call => ((UnaryCall<TRequest, TResponse>)call).HeadersAsync(),
            static call => ((UnaryCall<TRequest, TResponse>)call).GetStatus(),
            static call => ((UnaryCall<TRequest, TResponse>)call).GetTrailers(),
            static call => ((UnaryCall<TRequest, TResponse>)call).Dispose(),
            this);
    }

    private ValueTask<TResponse> BeginAsync(ResilienceContext context) =>
        _frame.Resilience.Credentials is { } credentials ? AttemptWithAsync(credentials, context) : AttemptAsync(context);

    /// <summary>The attempt, and within it the same once more where new credentials may help.</summary>
    private async ValueTask<TResponse> AttemptWithAsync(CredentialRefresh<IMethod> credentials, ResilienceContext context)
    {
        int generation = credentials.Generation;
        try
        {
            return await AttemptAsync(context).ConfigureAwait(false);
        }
        catch (RpcException rejected) when (CallCredentialRefresh.MayHelp(rejected))
        {
            bool isDue = CallCredentialRefresh.IsDue(ref _hasRefreshed, _frame.Resilience);
            if (!isDue || !await CallCredentialRefresh.AskAsync(credentials, _frame.Method, generation, context).ConfigureAwait(false)) throw;
        }

        return await AttemptAsync(context).ConfigureAwait(false);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<TResponse> AttemptAsync(ResilienceContext context)
    {
        if (_isDisposed) throw Leave(context);
        _frame.BeginAttempt(context);
        AsyncUnaryCall<TResponse> call = continuation(request, _frame.Of(context));
        Volatile.Write(ref _last, call); // release: who disposes of the call finds this attempt, or this attempt finds that just below
        if (_isDisposed) call.Dispose();
        try
        {
            TResponse response = await call.ResponseAsync.ConfigureAwait(false);
            if (!_hasWon) Volatile.Write(ref _last, call); // release: as above; another may have begun beside it
            _hasWon = true;
            return response;
        }
        catch (Exception error)
        {
            if (_isDisposed) throw Leave(context);
            if (AttemptFailure.Of(error, call) is not { } failure) throw;
            await AttemptFailure.WaitForLimit(context, failure.StatusCode, _frame.CallersToken).ConfigureAwait(false);
            AttemptFailure.Tell(context, failure, _frame.Resilience.Options);
            if (failure == error || context.CancellationToken.IsCancellationRequested) throw;
            throw failure;
        }
    }

    /// <summary>The caller has disposed of the call: for the pipeline it is as if the token was cancelled.</summary>
    private static OperationCanceledException Leave(ResilienceContext context)
    {
        context.CancellationToken = new(canceled: true);
        return new("The call was disposed of.", context.CancellationToken);
    }

    private void End()
    {
        Outcome<TResponse> outcome;
        try
        {
            outcome = _running.GetResult();
        }
        catch (Exception error)
        {
            outcome = Outcome.Failure<TResponse>(error);
        }

        if (outcome.TryGetValue(out TResponse? response)) TrySetResult(response);
        else Fail(AttemptFailure.Outside(outcome.Exception!, _frame.Operation, _frame.Resilience.ThrowsCancellation));
    }

    private void Fail(Exception error)
    {
        if (error is not OperationCanceledException cancelled) TrySetException(error);
        else TrySetCanceled(cancelled.CancellationToken.IsCancellationRequested ? cancelled.CancellationToken : new(true));
    }

    private Task<Metadata> HeadersAsync()
    {
        if (Volatile.Read(ref _headers) is { } known) return known; // acquire: pairs with the exchange

        // Full fence: of several who ask the first one's task is that of all.
        Task<Metadata> asked = ReadHeadersAsync();
        Task<Metadata> headers = Interlocked.CompareExchange(ref _headers, asked, null) ?? asked;
        _ = asked.ContinueWith(
            static failed => failed.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default); // who asks for headers may look at the response alone
        return headers;
    }

    /// <summary>Those of the attempt that wins, or that failed last; where there was none, or it had none, what the call ended with.</summary>
    private async Task<Metadata> ReadHeadersAsync()
    {
        Task response = Task;
        await response.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Volatile.Read(ref _last) is not { } last || _isDisposed)
        {
            await response.ConfigureAwait(false);
            return [];
        }

        try
        {
            return await last.ResponseHeadersAsync.ConfigureAwait(false);
        }
        catch (Exception) when (!response.IsCompletedSuccessfully)
        {
            await response.ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>That of the last attempt; of a call that a policy ended, what it ended with.</summary>
    private Status GetStatus()
    {
        if (!Task.IsCompleted) throw new InvalidOperationException("Unable to get the status because the call is not complete.");
        if (Task.IsCanceled) return Status.DefaultCancelled;
        RpcException? error = Task.Exception?.InnerException as RpcException;
        if (error is GrpcResilienceException) return error.Status;
        return AttemptFailure.StatusOf(Volatile.Read(ref _last)) ?? error?.Status ?? Status.DefaultCancelled;
    }

    private Metadata GetTrailers()
    {
        if (!Task.IsCompleted) throw new InvalidOperationException("Can't get the call trailers because the call has not completed successfully.");
        return AttemptFailure.TrailersOf(Volatile.Read(ref _last)) ?? [];
    }

    private void Dispose()
    {
        if (Task.IsCompleted) return;
        _isDisposed = true;
        Interlocked.MemoryBarrier(); // full fence: an attempt that begins now sees it, or is seen here
        Volatile.Read(ref _last)?.Dispose();
        Fail(AttemptFailure.Outside(new OperationCanceledException("The call was disposed of."), _frame.Operation, _frame.Resilience.ThrowsCancellation));
        _ = Task.Exception; // no caller may be there to look at it
    }
}
