namespace Resilience.Http;

/// <summary>Stands directly above the primary handler and sees what passes to the transport, and what comes back.</summary>
/// <remarks>Installed by <c>IHttpClientFactory</c>. Chains that are built by hand have none; there the content of an attempt, which sees
/// whether its sending has begun, must do.</remarks>
internal sealed class TransportWitness : DelegatingHandler
{
    private int _strangers;

    /// <summary>How many requests passed that are no messages of attempts: copies that an inner handler made, or requests of its own.</summary>
    internal int Strangers => Volatile.Read(ref _strangers);

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request is not AttemptMessage message) return PassStranger(request, cancellationToken);
        message.BeginPass();
        try
        {
            Task<HttpResponseMessage> pass = base.SendAsync(request, cancellationToken);
            message.EndPass(pass);
            return pass;
        }
        catch (Exception error)
        {
            message.EndPass(error);
            throw;
        }
    }

    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request is not AttemptMessage message)
        {
            Interlocked.Increment(ref _strangers);
            return base.Send(request, cancellationToken);
        }

        message.BeginPass();
        try
        {
            HttpResponseMessage response = base.Send(request, cancellationToken);
            message.EndPass(error: null);
            return response;
        }
        catch (Exception error)
        {
            message.EndPass(error);
            throw;
        }
    }

    private Task<HttpResponseMessage> PassStranger(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _strangers);
        return base.SendAsync(request, cancellationToken);
    }
}
