using Grpc.Core;
using Resilience.Extensibility;
using Resilience.Transports;

namespace Resilience.Grpc;

/// <summary>What the statuses of gRPC mean: the table between the user's rules and the defaults. Its rows are <see cref="GrpcStatuses.All"/>.</summary>
/// <remarks>
/// <para>Beside the rows, trailers speak. <c>grpc-retry-pushback-ms</c> says of any status whether it is repeated, and when: a number is a wait, a negative one
/// or what is no number means never. <c>RESOURCE_EXHAUSTED</c> is repeated only where the server says when, by pushback or <c>google.rpc.RetryInfo</c>.
/// <c>INTERNAL</c> of a connection that broke is told by the exception inside.</para>
/// <para>That a status may be repeated does not say that repeating is safe: that is known of the method. In a pipeline of your own the delegate is
/// taken to be repeatable; the <see cref="ResilienceInterceptor"/> asks whether the method is idempotent.</para>
/// </remarks>
public static class GrpcClassifier
{
    private const string TableName = "gRPC";

    /// <summary>The table alone, with the names of the statuses.</summary>
    public static OutcomeClassifier Default { get; } = OutcomeClassifier.Default.Grpc();

    /// <summary>Adds the table to rules of your own, which are asked before it wherever they are written.</summary>
    /// <param name="rules">The rules.</param>
    /// <exception cref="ArgumentNullException"><paramref name="rules"/> is null.</exception>
    public static OutcomeClassifier Grpc(this OutcomeClassifier rules)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return rules.Table(TableName, static table => Named(table.On<RpcException>(static error => Judge(error, isTold: false))));
    }

    /// <summary>For attempts of the interceptor, which itself tells the call, and those around it, that a server does not want to be asked again: a hedge that
    /// is under way may still win.</summary>
    internal static OutcomeClassifier GrpcOfInterceptor(this OutcomeClassifier rules) =>
        rules.Table(TableName, static table => Named(table.On<RpcException>(static error => Judge(error, isTold: true))));

    /// <summary>The name of a status as the specification has it: <c>UNAVAILABLE</c>.</summary>
    internal static string NameOf(StatusCode code) => GrpcStatuses.Find((int)code)?.Name ?? "UNKNOWN";

    private static OutcomeClassifier Named(OutcomeClassifier table) => table.NameException<RpcException>(static error => NameOf(error.StatusCode));

    /// <param name="error">What a call ended with.</param>
    /// <param name="isTold">Whether the call has been told already that it must not be repeated.</param>
    internal static Classification? Judge(RpcException error, bool isTold)
    {
        if (error is ICarriesRejection && OutcomeClassifier.Default.Judge(error, false) is { Verdict: Verdict.Rejected } rejected) return rejected;
        Classification byCode = GrpcStatuses.Judge((int)error.StatusCode, OriginOf(error)) ?? Verdict.Failure;
        if (IsDropped(error)) return byCode with { MayRepeat = false };
        if (Pushback.Of(error.Trailers) is { } pushback) return Pushed(byCode, pushback, isTold);
        if (byCode.Verdict != Verdict.Failure || RetryInfo.Of(error.Trailers) is not { } wait) return byCode;
        return byCode with { RetryAfter = wait, MayRepeat = byCode.MayRepeat || error.StatusCode == StatusCode.ResourceExhausted };
    }

    /// <summary>A load balancer says that this call goes nowhere: no repeat finds another way.</summary>
    internal static bool IsDropped(RpcException error) =>
        error.Trailers.Get("grpc-internal-drop-request") is { IsBinary: false } entry && bool.TryParse(entry.Value, out bool isDropped) && isDropped;

    private static Classification Pushed(Classification byCode, Pushback pushback, bool isTold)
    {
        if (pushback.Wait is not { } wait) return isTold ? byCode : byCode with { MayRepeat = false };
        return byCode.Verdict == Verdict.Failure
            ? byCode with { MayRepeat = true, RetryAfter = wait }
            : new Classification(Verdict.Failure) { Counts = false, RetryAfter = wait };
    }

    private static GrpcOrigin OriginOf(RpcException error)
    {
        Exception? inner = error.Status.DebugException;
        for (int depth = 0; inner is not null && depth < 16; depth++, inner = inner.InnerException)
        {
            if (inner is IOException or HttpRequestException) return GrpcOrigin.Transport;
        }

        return GrpcOrigin.Server;
    }
}
