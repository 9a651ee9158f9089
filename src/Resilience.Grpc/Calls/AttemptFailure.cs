using Grpc.Core;

namespace Resilience.Grpc;

/// <summary>An attempt has failed: what trailers and transport say of it is told to the call before it is judged.</summary>
internal static class AttemptFailure
{
    /// <summary>How far two timers that were set to the same moment may be apart.</summary>
    private static readonly TimeSpan Apart = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan MaxWait = TimeSpan.FromSeconds(1);

    /// <summary>Tells the call what is known of the failure.</summary>
    /// <param name="context">The call.</param>
    /// <param name="error">How the attempt ended.</param>
    /// <param name="options">Of the client.</param>
    internal static void Tell(ResilienceContext context, RpcException error, GrpcClientOptions options)
    {
        if (context.CancellationToken.IsCancellationRequested) return; // who cancelled decides what it means
        if (GrpcClassifier.IsDropped(error))
        {
            context.ForbidRetry("the load balancer dropped the call");
            return;
        }

        if (Pushback.Of(error.Trailers) is { } pushback)
        {
            if (pushback.Wait is null) context.ForbidAllRetries("the server does not want to be asked again");
            else context.AllowRetry();
            return;
        }

        if (error.StatusCode != StatusCode.Unavailable) return;
        if (GrpcTransportWitness.SawNothingSent(error.Status.DebugException)) context.ReportNotApplied();
        if (options.RepeatUnavailable) context.AllowRetry();
    }

    /// <summary>The deadline that the attempt was given is that of a limit of ours, which has a timer too. Which of the two comes first is chance: ours is
    /// waited for, because it knows whose time is up and whether the attempt had enough of it.</summary>
    internal static Task WaitForLimit(ResilienceContext context, StatusCode code, CancellationToken callers)
    {
        CancellationToken token = context.CancellationToken;
        bool isDue = code == StatusCode.DeadlineExceeded && token != callers && context.RemainingTime is { } left && left <= Apart;
        return !isDue || token.IsCancellationRequested ? Task.CompletedTask : EndOfAsync(token);
    }

    private static async Task EndOfAsync(CancellationToken token) =>
        await Task.Delay(MaxWait, TimeProvider.System, token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>What an attempt ended with, as the table knows it; null: nothing of gRPC. Channels that throw a cancellation for a status that the server said
    /// leave the status in the call.</summary>
    internal static RpcException? Of<TResponse>(Exception error, AsyncUnaryCall<TResponse> call) => error switch
    {
        RpcException rpc => rpc,
        OperationCanceledException cancelled when StatusOf(call) is { StatusCode: not StatusCode.OK } status =>
            new RpcException(new Status(status.StatusCode, status.Detail, cancelled), TrailersOf(call) ?? []),
        _ => null,
    };

    /// <summary>Null: it has not ended.</summary>
    internal static Status? StatusOf<TResponse>(AsyncUnaryCall<TResponse>? call) => Read(call, static c => (Status?)c.GetStatus());

    /// <summary>Null: it has not ended, or not with an answer.</summary>
    internal static Metadata? TrailersOf<TResponse>(AsyncUnaryCall<TResponse>? call) => Read(call, static c => c.GetTrailers());

    /// <summary>What a call tells of its end; default while it has not ended, or there is none.</summary>
    internal static T? Read<TCall, T>(TCall? call, Func<TCall, T> read)
        where TCall : class
    {
        try
        {
            return call is null ? default : read(call);
        }
        catch (InvalidOperationException)
        {
            return default;
        }
    }

    /// <summary>As above; where there is no call yet, it says as the library does that it has not ended.</summary>
    internal static T Known<TCall, T>(TCall? call, Func<TCall, T> read)
        where TCall : class =>
        call is null ? throw new InvalidOperationException("The call is not complete.") : read(call);

    /// <summary>What the caller gets of what the pipeline ended with.</summary>
    internal static Exception Outside(Exception error, string operation, bool throwsCancellation)
    {
        switch (error)
        {
            case TimedOutException timedOut:
                string late = $"{operation}: {SafeCalls.MessageOf(timedOut)}";
                return throwsCancellation
                    ? new OperationCanceledException(late, timedOut)
                    : new GrpcResilienceException(StatusCode.DeadlineExceeded, late, timedOut, null, null);
            case ResilienceException rejected:
                return new GrpcResilienceException(
                    CodeOf(rejected), $"{operation}: {SafeCalls.MessageOf(rejected)}", rejected, rejected.Rejection, rejected.RetryAfter);
            case OperationCanceledException cancelled when !throwsCancellation:
                return new RpcException(new Status(StatusCode.Cancelled, "Call canceled by the client.", cancelled));
            case RpcException { Status.DebugException: OperationCanceledException hidden } rpc
                when throwsCancellation && rpc.StatusCode is StatusCode.Cancelled or StatusCode.DeadlineExceeded:
                return hidden;
            default:
                return error;
        }
    }

    private static StatusCode CodeOf(ResilienceException rejected) =>
        rejected.Rejection is LimitRejection or RateLimitRejection ? StatusCode.ResourceExhausted : StatusCode.Unavailable;
}
