using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Resilience.Grpc;

/// <summary>What a method under a key sees of its call: everything as it is, but that its client does not cancel it, and that its status and trailers come to
/// us first.</summary>
internal sealed class KeyedCallContext : ServerCallContext
{
    /// <summary>Where <c>GetHttpContext()</c> looks in a context that is not the server's own; the library has published it for that.</summary>
    private const string HttpContextKey = "__HttpContext";

    private readonly ServerCallContext _given;
    private readonly CancellationToken _stop;

    internal KeyedCallContext(ServerCallContext given, HttpContext http, CancellationToken stop)
    {
        (_given, _stop) = (given, stop);
        given.UserState[HttpContextKey] = http;
    }

    /// <summary>Hands on to the caller what the method has said.</summary>
    internal void Deliver()
    {
        foreach (Metadata.Entry entry in ResponseTrailersCore) _given.ResponseTrailers.Add(entry);
        if (StatusCore.StatusCode != StatusCode.OK || !string.IsNullOrEmpty(StatusCore.Detail)) _given.Status = StatusCore;
    }

    protected override Metadata ResponseTrailersCore { get; } = [];

    protected override Status StatusCore { get; set; }

    protected override CancellationToken CancellationTokenCore => _stop;

    protected override string MethodCore => _given.Method;

    protected override string HostCore => _given.Host;

    protected override string PeerCore => _given.Peer;

    protected override DateTime DeadlineCore => _given.Deadline;

    protected override Metadata RequestHeadersCore => _given.RequestHeaders;

    protected override WriteOptions? WriteOptionsCore
    {
        get => _given.WriteOptions;
        set => _given.WriteOptions = value;
    }

    protected override AuthContext AuthContextCore => _given.AuthContext;

    protected override IDictionary<object, object> UserStateCore => _given.UserState;

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => _given.CreatePropagationToken(options);

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => _given.WriteResponseHeadersAsync(responseHeaders);
}
