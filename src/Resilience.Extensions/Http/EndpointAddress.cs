using Resilience.Overload;

namespace Resilience.Http;

/// <summary>Where a request goes that an endpoint was chosen for.</summary>
internal static class EndpointAddress
{
    /// <summary>The address of the request at the endpoint; null where none was chosen.</summary>
    internal static Uri? Of(Uri? requested, ResilienceContext context) =>
        requested is { IsAbsoluteUri: true } && context.TryGet(EndpointSet.Chosen, out TargetEndpoint? endpoint) ? At(endpoint.Address, requested) : null;

    /// <summary>Scheme, host and port are the endpoint's; its path stands before that of the request.</summary>
    internal static Uri At(Uri endpoint, Uri requested)
    {
        string prefix = endpoint.AbsolutePath.TrimEnd('/');
        return new($"{endpoint.GetLeftPart(UriPartial.Authority)}{prefix}{requested.PathAndQuery}{requested.Fragment}", UriKind.Absolute);
    }
}
