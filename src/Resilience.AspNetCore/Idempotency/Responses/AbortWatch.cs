using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Resilience.Idempotency;

/// <summary>Notes that the endpoint breaks its own response off, by whichever of the three ways: what its client has seen then is no success. (A
/// client that leaves is another matter: its token does not come from here.)</summary>
internal sealed class AbortWatch : IHttpRequestLifetimeFeature, IHttpResetFeature, IConnectionLifetimeFeature, IDisposable
{
    private readonly IFeatureCollection _features;
    private readonly IHttpRequestLifetimeFeature? _request;
    private readonly IHttpResetFeature? _reset;
    private readonly IConnectionLifetimeFeature? _connection;

    internal AbortWatch(IFeatureCollection features)
    {
        _features = features;
        _request = features.Get<IHttpRequestLifetimeFeature>();
        _reset = features.Get<IHttpResetFeature>();
        _connection = features.Get<IConnectionLifetimeFeature>();
        if (_request is not null) features.Set<IHttpRequestLifetimeFeature>(this);
        if (_reset is not null) features.Set<IHttpResetFeature>(this);
        if (_connection is not null) features.Set<IConnectionLifetimeFeature>(this);
    }

    /// <summary>True when the endpoint has broken it off.</summary>
    internal bool HasAborted { get; private set; }

    /// <inheritdoc/>
    public CancellationToken RequestAborted
    {
        get => _request!.RequestAborted;
        set => _request!.RequestAborted = value;
    }

    /// <inheritdoc/>
    public CancellationToken ConnectionClosed
    {
        get => _connection!.ConnectionClosed;
        set => _connection!.ConnectionClosed = value;
    }

    /// <inheritdoc/>
    public void Reset(int errorCode)
    {
        HasAborted = true;
        _reset!.Reset(errorCode);
    }

    void IHttpRequestLifetimeFeature.Abort()
    {
        HasAborted = true;
        _request!.Abort();
    }

    void IConnectionLifetimeFeature.Abort()
    {
        HasAborted = true;
        _connection!.Abort();
    }

    /// <summary>Puts the server's own back.</summary>
    public void Dispose()
    {
        if (_request is not null) _features.Set(_request);
        if (_reset is not null) _features.Set(_reset);
        if (_connection is not null) _features.Set(_connection);
    }
}
