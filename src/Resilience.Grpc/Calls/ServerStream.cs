using System.Diagnostics.CodeAnalysis;
using Grpc.Core;
using Grpc.Core.Interceptors;
using Resilience.Http;

namespace Resilience.Grpc;

/// <summary>A server stream: repeated until its first message, or until the caller has been given its headers; what breaks later reaches the reader, and is
/// told to the circuit as one more failed call.</summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A source without a timer holds nothing.")]
internal sealed class ServerStream<TRequest, TResponse> : IAsyncStreamReader<TResponse>
    where TRequest : class
    where TResponse : class
{
    /// <summary>Failures that come with headers, as those of ASP.NET Core do, come right after them: headers are handed out when none has come.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(50);

    private readonly CallFrame<TRequest, TResponse> _frame;
    private readonly TRequest _request;
    private readonly Interceptor.AsyncServerStreamingCallContinuation<TRequest, TResponse> _continuation;
    private readonly CancellationTokenSource _whole = new(); // of the call as long as it lasts, not of the pipeline, which has ended with the first message
    private readonly CancellationTokenRegistration _callers; // what cancels it from outside; taken back at the end, because that token may live on
    private readonly TaskCompletionSource<Metadata> _headers = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task<bool> _first;
    private AsyncServerStreamingCall<TResponse>? _last;
    private volatile bool _wantsHeaders, _hasGivenHeaders, _isDisposed;
    private bool _hasBegun; // to read
    private int _hasReported;
    private int _hasRefreshed; // 1: new credentials were asked for

    internal ServerStream(
        GrpcResilience resilience,
        TRequest request,
        in ClientInterceptorContext<TRequest, TResponse> context,
        Interceptor.AsyncServerStreamingCallContinuation<TRequest, TResponse> continuation)
    {
        _frame = new(resilience, context);
        _request = request;
        _continuation = continuation;
        _callers = _frame.CallersToken.UnsafeRegister(static s => ((CancellationTokenSource)s!).Cancel(), _whole);
        _first = RunAsync();
        _ = _first.ContinueWith(static failed => failed.Exception, TaskContinuationOptions.OnlyOnFaulted); // who disposes of it does not look at it
        _ = _headers.Task.ContinueWith(static failed => failed.Exception, TaskContinuationOptions.OnlyOnFaulted);
    }

    internal AsyncServerStreamingCall<TResponse> Call => new(
        this,
        static call => ((ServerStream<TRequest, TResponse>)call).HeadersAsync(),
        static call => AttemptFailure.Known(((ServerStream<TRequest, TResponse>)call)._last, static last => last.GetStatus()),
        static call => AttemptFailure.Known(((ServerStream<TRequest, TResponse>)call)._last, static last => last.GetTrailers()),
        static call => ((ServerStream<TRequest, TResponse>)call).Dispose(),
        this);

    public TResponse Current => _last!.ResponseStream.Current;

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(static s => ((CancellationTokenSource)s!).Cancel(), _whole);
        if (_hasBegun) return await NextAsync().ConfigureAwait(false);
        bool hasOne = await _first.ConfigureAwait(false);
        _hasBegun = true;
        return hasOne;
    }

    private async Task<bool> RunAsync()
    {
        Outcome<bool> outcome = await _frame.Target.Beginning.TryExecuteAsync(
            _frame.Described, static (context, call) => call.BeginAsync(context), this, _whole.Token).ConfigureAwait(false);
        if (outcome.TryGetValue(out bool hasOne))
        {
            _ = GiveHeadersAsync(_last!, Task.CompletedTask);
            if (!hasOne) _callers.Unregister();
            return hasOne;
        }

        _callers.Unregister();
        Exception error = AttemptFailure.Outside(outcome.Exception!, _frame.Operation, _frame.Resilience.ThrowsCancellation);
        _headers.TrySetException(error);
        return Outcome.Failure<bool>(error).GetValueOrThrow();
    }

    private ValueTask<bool> BeginAsync(ResilienceContext context) =>
        _frame.Resilience.Credentials is { } credentials ? AttemptWithAsync(credentials, context) : AttemptAsync(context);

    /// <summary>The attempt, and within it the same once more where new credentials may help, and nothing of it has been given to the caller.</summary>
    private async ValueTask<bool> AttemptWithAsync(CredentialRefresh<IMethod> credentials, ResilienceContext context)
    {
        int generation = credentials.Generation;
        try
        {
            return await AttemptAsync(context).ConfigureAwait(false);
        }
        catch (RpcException rejected) when (!_hasGivenHeaders && CallCredentialRefresh.MayHelp(rejected))
        {
            bool isDue = CallCredentialRefresh.IsDue(ref _hasRefreshed, _frame.Resilience);
            if (!isDue || !await CallCredentialRefresh.AskAsync(credentials, _frame.Method, generation, context).ConfigureAwait(false)) throw;
        }

        return await AttemptAsync(context).ConfigureAwait(false);
    }

    private async ValueTask<bool> AttemptAsync(ResilienceContext context)
    {
        _frame.BeginAttempt(context);
        CancellationTokenSource own = CancellationTokenSource.CreateLinkedTokenSource(_whole.Token);

        // The limit of the first message cancels the attempt until there is one, and not the stream after it.
        using CancellationTokenRegistration registration = context.CancellationToken.UnsafeRegister(static s => ((CancellationTokenSource)s!).Cancel(), own);
        AsyncServerStreamingCall<TResponse> call = _continuation(_request, _frame.Of(context, own.Token));
        Volatile.Write(ref _last, call); // release: who disposes of the call finds this attempt, or this attempt finds that just below
        if (_isDisposed) call.Dispose();
        Task<bool> first = call.ResponseStream.MoveNext(CancellationToken.None);
        if (_wantsHeaders) _ = GiveHeadersAsync(call, first);
        try
        {
            return await first.ConfigureAwait(false);
        }
        catch (Exception error)
        {
            if (_hasGivenHeaders) context.ForbidRetry("the caller has been given the headers of this attempt");
            if (error is RpcException failure && !_hasGivenHeaders) AttemptFailure.Tell(context, failure, _frame.Resilience.Options);
            throw;
        }
    }

    private Task<Metadata> HeadersAsync()
    {
        _wantsHeaders = true;
        if (!_headers.Task.IsCompleted && Volatile.Read(ref _last) is { } call) _ = GiveHeadersAsync(call, _first); // acquire: the attempt is whole
        return _headers.Task;
    }

    /// <param name="call">An attempt.</param>
    /// <param name="first">Its first message, or its end.</param>
    private async Task GiveHeadersAsync(AsyncServerStreamingCall<TResponse> call, Task first)
    {
        try
        {
            Metadata headers = await call.ResponseHeadersAsync.ConfigureAwait(false);
            if (!first.IsCompleted) await Task.WhenAny(first, Task.Delay(Grace, TimeProvider.System)).ConfigureAwait(false);
            if (first.IsFaulted || first.IsCanceled || Volatile.Read(ref _last) != call) return; // another attempt may follow, or the end has none
            _hasGivenHeaders = true;
            _headers.TrySetResult(headers);
        }
        catch (Exception)
        {
            // The attempt has none. What the call ends with is told where it ends.
        }
    }

    private async Task<bool> NextAsync()
    {
        AsyncServerStreamingCall<TResponse> call = _last!;
        try
        {
            bool hasOne = await WithinIdleAsync(call.ResponseStream.MoveNext(CancellationToken.None)).ConfigureAwait(false);
            if (!hasOne) _callers.Unregister();
            return hasOne;
        }
        catch (Exception error)
        {
            _callers.Unregister();
            if (error is RpcException and not GrpcResilienceException && !_whole.IsCancellationRequested) Report(error);
            throw;
        }
    }

    private async Task<bool> WithinIdleAsync(Task<bool> next)
    {
        if (_frame.Resilience.Options.StreamIdleTimeout is not { } idle) return await next.ConfigureAwait(false);
        try
        {
            return await next.WaitAsync(idle, _frame.Target.TimeProvider).ConfigureAwait(false);
        }
        catch (TimeoutException) when (!next.IsCompleted)
        {
            _ = next.ContinueWith(static failed => failed.Exception, TaskContinuationOptions.OnlyOnFaulted);
            await _whole.CancelAsync().ConfigureAwait(false);
            TimedOutException silent = new("stream-idle-timeout", idle);
            Report(silent);
            throw AttemptFailure.Outside(silent, _frame.Operation, _frame.Resilience.ThrowsCancellation);
        }
    }

    /// <summary>The stream has broken after its first message, which was a success: one more failed call, once.</summary>
    private void Report(Exception error)
    {
        if (Interlocked.Exchange(ref _hasReported, 1) != 0) return; // full fence: of several who read one reports
        Classification judged = _frame.Target.Classifier.Judge(error, callCancelled: false);
        if (judged.Verdict != Verdict.Failure || !judged.Counts || _frame.Target.CircuitBreaker is not { } breaker) return;
        if (breaker.TryEnter(out Extensibility.CircuitPermit permit) <= Extensibility.CircuitAdmission.AdmittedInDryRun) breaker.Exit(permit, Verdict.Failure);
    }

    private void Dispose()
    {
        _isDisposed = true;
        _callers.Unregister();
        _whole.Cancel();
        Interlocked.MemoryBarrier(); // full fence: an attempt that begins now sees it, or is seen here
        Volatile.Read(ref _last)?.Dispose();
    }
}
