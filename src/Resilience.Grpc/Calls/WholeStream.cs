using System.Diagnostics.CodeAnalysis;
using Grpc.Core;

namespace Resilience.Grpc;

/// <summary>A call whose requests are a stream: sent once, and as a whole one call to the circuit breaker and the limit.</summary>
/// <remarks>It is begun inside the pipeline. Where a policy makes it wait, or rejects it, what is written and read waits for that, or gets it.</remarks>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable", Justification = "A source without a timer holds nothing.")]
internal abstract class WholeStream<TRequest, TResponse, TCall> : IClientStreamWriter<TRequest>
    where TRequest : class
    where TResponse : class
    where TCall : class
{
    private readonly CallFrame<TRequest, TResponse> _frame;
    private readonly TaskCompletionSource<TCall> _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<bool> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _whole = new();
    private WriteOptions? _writeOptions;
    private RpcException? _failure;

    private protected WholeStream(in CallFrame<TRequest, TResponse> frame)
    {
        _frame = frame;
        _ = _begun.Task.ContinueWith(static failed => failed.Exception, TaskContinuationOptions.OnlyOnFaulted); // the caller may not look
    }

    /// <summary>The call, when it has begun; what kept it from that.</summary>
    private protected Task<TCall> Begun => _begun.Task;

    private protected ref readonly CallFrame<TRequest, TResponse> Frame => ref _frame;

    private protected abstract TCall Begin(ResilienceContext context, CancellationToken cancellationToken);

    /// <summary>How the call has ended; null while it has not.</summary>
    private protected abstract Status? StatusOf(TCall call);

    private protected abstract IClientStreamWriter<TRequest> WriterOf(TCall call);

    private protected abstract void Dispose(TCall call);

    /// <summary>Runs the call through the pipeline.</summary>
    private protected async Task RunAsync()
    {
        // Taken back when the call has ended, because the caller's token may live on.
        using CancellationTokenRegistration callers = _frame.CallersToken.UnsafeRegister(static s => ((CancellationTokenSource)s!).Cancel(), _whole);
        Outcome<bool> outcome = await _frame.Target.Whole.TryExecuteAsync(
            _frame.Described, static (context, call) => call.PassAsync(context), this, _whole.Token).ConfigureAwait(false);
        if (!outcome.IsSuccess && !_begun.Task.IsCompleted)
            _begun.TrySetException(AttemptFailure.Outside(outcome.Exception!, _frame.Operation, _frame.Resilience.ThrowsCancellation));
    }

    private async ValueTask<bool> PassAsync(ResilienceContext context)
    {
        TCall call = Begin(context, _whole.Token);
        _begun.TrySetResult(call);
        using CancellationTokenRegistration registration = _whole.Token.UnsafeRegister(static s => ((WholeStream<TRequest, TResponse, TCall>)s!).Left(), this);
        if (!await _ended.Task.ConfigureAwait(false)) throw new OperationCanceledException(_whole.Token);
        if (_failure is not null) throw _failure;
        return StatusOf(call) is { StatusCode: not StatusCode.OK } status ? throw new RpcException(status) : true;
    }

    /// <summary>The call has ended: with this, if it failed.</summary>
    private protected void End(RpcException? failure = null)
    {
        _failure ??= failure;
        _ended.TrySetResult(true);
    }

    /// <summary>The caller has left before the end, which is not told any more.</summary>
    private void Left() => _ended.TrySetResult(false);

    private protected void Leave()
    {
        if (!_ended.Task.IsCompleted) _whole.Cancel(); // also what waits for its turn; first of all it is noted that the caller has left
        if (_begun.Task.IsCompletedSuccessfully) Dispose(_begun.Task.Result);
    }

    private protected Metadata TrailersOr(Func<TCall, Metadata> read) => _begun.Task.IsCompletedSuccessfully ? read(_begun.Task.Result)
        : throw new InvalidOperationException("Can't get the call trailers because the call has not completed successfully.");

    private protected Status StatusOr(Func<TCall, Status> read) => _begun.Task switch
    {
        { IsCompletedSuccessfully: true } begun => read(begun.Result),
        { IsFaulted: true, Exception.InnerException: RpcException rejected } => rejected.Status,
        _ => throw new InvalidOperationException("Unable to get the status because the call is not complete."),
    };

    // ---- what the caller writes

    public WriteOptions? WriteOptions
    {
        get => _begun.Task.IsCompletedSuccessfully ? WriterOf(_begun.Task.Result).WriteOptions : _writeOptions;
        set
        {
            _writeOptions = value;
            if (_begun.Task.IsCompletedSuccessfully) WriterOf(_begun.Task.Result).WriteOptions = value;
        }
    }

    public Task WriteAsync(TRequest message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(TRequest message, CancellationToken cancellationToken)
    {
        IClientStreamWriter<TRequest> writer = WriterOf(await _begun.Task.WaitAsync(cancellationToken).ConfigureAwait(false));
        if (_writeOptions is { } options && writer.WriteOptions != options) writer.WriteOptions = options;
        try
        {
            await writer.WriteAsync(message, cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException error)
        {
            End(error);
            throw;
        }
    }

    public async Task CompleteAsync() => await WriterOf(await _begun.Task.ConfigureAwait(false)).CompleteAsync().ConfigureAwait(false);
}
