namespace Resilience.Http;

/// <summary>Runs the requests of an <see cref="HttpClient"/> through the pipeline of their authority. Holds no state of its own, so it may
/// be thrown away and made anew with the same <see cref="HttpResilience"/>.</summary>
/// <remarks>
/// <para>Each attempt sends a fresh copy of the request; the caller's message and content are neither changed nor disposed of. What is
/// not safe to repeat is not repeated: unsafe methods without an idempotency key, contents that can be read only once, unless it was seen
/// that nothing was sent.</para>
/// <para>Requests of gRPC go through as they are, uncounted: their status is in the trailers. They have an interceptor, in the package Resilience.Grpc.</para>
/// <para>The synchronous <see cref="HttpClient.Send(HttpRequestMessage)"/> works; all of it happens on the caller's thread, which is blocked while it waits
/// between attempts and needs no other to go on.</para>
/// </remarks>
/// <example><code>
/// HttpResilience resilience = HttpResilience.Standard(name: "payments");
/// HttpClient client = new(new ResilienceHttpHandler(resilience, new SocketsHttpHandler()));
/// </code></example>
public sealed class ResilienceHttpHandler : DelegatingHandler
{
    private TransportWitness? _witness;
    private bool _hasOthers; // between us and the transport
    private bool _knowsTransport; // it is the framework's
    private volatile bool _hasLooked;

    /// <summary>A handler whose inner handler is set later, as <c>IHttpClientFactory</c> does.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="resilience"/> is null.</exception>
    public ResilienceHttpHandler(HttpResilience resilience)
    {
        ArgumentNullException.ThrowIfNull(resilience);
        Resilience = resilience;
    }

    /// <summary>A handler around another.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public ResilienceHttpHandler(HttpResilience resilience, HttpMessageHandler inner)
        : base(inner)
    {
        ArgumentNullException.ThrowIfNull(resilience);
        Resilience = resilience;
    }

    /// <summary>The state that all handlers of the client share.</summary>
    public HttpResilience Resilience { get; }

    /// <inheritdoc/>
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        HttpRequestOverrides? overrides = OverridesOf(request);
        return overrides is { DisableResilience: true } || IsOfGrpc(request)
            ? base.SendAsync(request, cancellationToken)
            : new HttpCall(this, request, overrides, isSynchronous: false).RunAsync(cancellationToken);
    }

    /// <inheritdoc/>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        HttpRequestOverrides? overrides = OverridesOf(request);
        return overrides is { DisableResilience: true } || IsOfGrpc(request)
            ? base.Send(request, cancellationToken)
            : new HttpCall(this, request, overrides, isSynchronous: true).Run(cancellationToken);
    }

    /// <summary>It goes through, uncounted.</summary>
    private bool IsOfGrpc(HttpRequestMessage request)
    {
        if (!GrpcRequests.IsOne(request)) return false;
        Resilience.TellOfGrpc();
        return true;
    }

    /// <summary>What is believed of attempts and contents.</summary>
    internal SendRules Rules { get; init; } = SendRules.Default;

    /// <summary>For tests, whose transport wraps one of the framework's.</summary>
    internal bool TakesTransportForKnown { get; init; }

    /// <summary>Sees what passes to the transport; null in a chain that was built by hand. A chain that has begun to send does not change.</summary>
    internal TransportWitness? Witness
    {
        get
        {
            if (!_hasLooked)
            {
                HttpMessageHandler? inner = InnerHandler;
                while (inner is DelegatingHandler and not TransportWitness)
                {
                    _hasOthers |= inner.GetType().Assembly != typeof(ResilienceHttpHandler).Assembly;
                    inner = ((DelegatingHandler)inner).InnerHandler;
                }

                _witness = inner as TransportWitness;
                HttpMessageHandler? transport = _witness is null ? inner : _witness.InnerHandler;

                // What derives from a handler of the framework may do anything.
                _knowsTransport = TakesTransportForKnown || transport is SocketsHttpHandler || transport?.GetType() == typeof(HttpClientHandler);
                _hasLooked = true; // volatile: after the witness
            }

            return _witness;
        }
    }

    /// <inheritdoc cref="SendRules.ProveUnsent"/>
    internal bool ProvesUnsent(AttemptMessage message, WatchedContent? content, Uri? asked, int strangers, Exception error) =>
        Rules.ProveUnsent(message, content, asked, Witness, strangers, _hasOthers, error, _knowsTransport);

    internal Task<HttpResponseMessage> SendAttemptAsync(HttpRequestMessage attempt, CancellationToken cancellationToken) =>
        base.SendAsync(attempt, cancellationToken);

    internal HttpResponseMessage SendAttempt(HttpRequestMessage attempt, CancellationToken cancellationToken) => base.Send(attempt, cancellationToken);

    private static HttpRequestOverrides? OverridesOf(HttpRequestMessage request) =>
        MessageParts.OptionsOf(request) is { } options && options.TryGetValue(HttpRequestOverrides.Key, out HttpRequestOverrides? overrides) ? overrides : null;
}
