using Grpc.Core;
using Grpc.Core.Interceptors;
using Resilience.Overload;
using GrpcCallOptions = Grpc.Core.CallOptions;

namespace Resilience.Grpc;

/// <summary>A call on its way through the pipeline, of whatever kind: what its attempts are given, and what is said of their failures.</summary>
internal readonly struct CallFrame<TRequest, TResponse>
    where TRequest : class
    where TResponse : class
{
    private readonly ClientInterceptorContext<TRequest, TResponse> _given;
    private readonly MethodFacts _facts;
    private readonly bool _isSafe; // to repeat

    internal CallFrame(GrpcResilience resilience, in ClientInterceptorContext<TRequest, TResponse> given)
    {
        _facts = resilience.FactsOf(given.Method);
        _given = _facts.TakesKey ? CallKey.Given(resilience.Options, given) : given;
        _isSafe = _facts.IsIdempotent || HasKey(_given.Options.Headers, resilience.Options.IdempotencyHeader);
    }

    internal GrpcResilience Resilience => _facts.Resilience;

    internal GrpcTarget Target => Resilience.TargetOf(_facts, _given.Host);

    internal string Operation => _facts.Operation;

    internal IMethod Method => _given.Method;

    internal CancellationToken CallersToken => _given.Options.CancellationToken;

    internal GrpcCallOptions Options => _given.Options;

    /// <summary>What the pipeline is told of the call.</summary>
    internal CallOptions Described =>
        new(Operation) { Deadline = CallDeadline.LeftUntil(_given.Options.Deadline), DeadlineCounts = true, ReleasesContext = true };

    /// <summary>Said before: an attempt that runs beside another, or is abandoned, may never come to say it after.</summary>
    internal void BeginAttempt(ResilienceContext context)
    {
        if (!_isSafe) context.ForbidRetry(_facts.Objection, unlessNotApplied: true);
    }

    /// <summary>What an attempt is given in place of what the caller gave: the token and the time that are left for it, and which attempt it is.</summary>
    internal ClientInterceptorContext<TRequest, TResponse> Of(ResilienceContext context)
    {
        GrpcCallOptions options = _given.Options.WithCancellationToken(context.CancellationToken);
        if (context.RemainingTime is { } left) options = options.WithDeadline(CallDeadline.In(left));
        return new(_given.Method, _given.Host, Told(options, context));
    }

    /// <summary>As above for a stream, whose time is the caller's, or that of the request: what limits its beginning does not limit what comes after.</summary>
    internal ClientInterceptorContext<TRequest, TResponse> Of(ResilienceContext context, CancellationToken cancellationToken)
    {
        GrpcCallOptions options = _given.Options.WithCancellationToken(cancellationToken);
        if (RequestContext.Current?.RemainingTime is { } left && !(CallDeadline.LeftUntil(options.Deadline) <= left))
            options = options.WithDeadline(CallDeadline.In(left));
        return new(_given.Method, _given.Host, Told(options, context));
    }

    private GrpcCallOptions Told(in GrpcCallOptions options, ResilienceContext context) =>
        CallMetadata.For(options.Headers, context, Resilience.Options, string.IsNullOrEmpty(_given.Host) ? Resilience.Own.Name : _given.Host) is { } headers
            ? options.WithHeaders(headers)
            : options;

    private static bool HasKey(Metadata? headers, string name) =>
        headers is { Count: > 0 } && headers.Get(name) is { IsBinary: false } key && !string.IsNullOrWhiteSpace(key.Value);
}
