using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Primitives;

namespace Resilience.Idempotency;

/// <summary>What a request is addressed to: scheme, authority, path and query.</summary>
internal static class IdempotencyTarget
{
    /// <summary>The authority as it tells tenants apart: in lower case, without a default port, without a final dot. Null for an address
    /// (<c>10.0.0.7:8080</c>) and for <c>localhost</c>: they name a machine, not a service, and behind a proxy that replaces the <c>Host</c> header
    /// they differ from node to node, so that a repetition would not be recognized.</summary>
    internal static string? AuthorityOf(HttpRequest request)
    {
        string host = request.Host.Host.TrimEnd('.').ToLowerInvariant();
        if (host.Length == 0 || host == "localhost" || IPAddress.TryParse(host, out _)) return null;
        return request.Host.Port is not { } port || port == (request.IsHttps ? 443 : 80) ? host : host + ":" + port.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Adds the target. What routing takes for the same is the same: the case of fixed segments and a final slash do not matter, that of
    /// route values does. The order of different query parameters does not matter, that of equal ones does.</summary>
    internal static void AddTo(FingerprintBuilder builder, HttpRequest request, string? authority)
    {
        builder.Add(request.Scheme.ToLowerInvariant()).Add(authority);
        string path = request.PathBase.Value + request.Path.Value;
        if (request.HttpContext.GetEndpoint() is RouteEndpoint { RoutePattern: { } pattern } && !IsFallback(pattern, request))
        {
            builder.Add(path.TrimEnd('/').ToLowerInvariant());
            foreach (RoutePatternParameterPart part in pattern.Parameters)
                builder.Add(WithOneSlash(request, Convert.ToString(request.RouteValues.GetValueOrDefault(part.Name), CultureInfo.InvariantCulture)));
        }
        else
        {
            builder.Add(WithOneSlash(request, path));
        }

        builder.Add((string?)null);
        foreach ((string name, StringValues values) in request.Query.OrderBy(q => q.Key, StringComparer.OrdinalIgnoreCase))
            Add(builder, name.ToLowerInvariant(), values);
        builder.Add((string?)null);
    }

    /// <summary>Safe methods do nothing that could be done twice; CONNECT asks for a tunnel, which has no response to keep.</summary>
    internal static bool IsSafe(string method) =>
        HttpMethods.IsGet(method) || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method)
        || HttpMethods.IsConnect(method);

    /// <summary>The server leaves one escape as it came, that of a slash, and its digit means the same in either case. Not where a percent sign itself was
    /// escaped: there <c>%2f</c> may be part of a name.</summary>
    private static string? WithOneSlash(HttpRequest request, string? text) =>
        text is null || request.HttpContext.Features.Get<IHttpRequestFeature>() is not { RawTarget: { } raw } || raw.Contains("%25", StringComparison.Ordinal)
            ? text
            : text.Replace("%2f", "%2F", StringComparison.Ordinal);

    internal static void Add(FingerprintBuilder builder, string name, StringValues values)
    {
        builder.Add(name).Add(values.Count.ToString(CultureInfo.InvariantCulture));
        foreach (string? value in values) builder.Add(value);
    }

    /// <summary>An endpoint that was set by hand has no route values: then only the path as it came says what is meant.</summary>
    private static bool IsFallback(RoutePattern pattern, HttpRequest request) =>
        pattern.Parameters.Any(p => !p.IsOptional && !pattern.Defaults.ContainsKey(p.Name) && !request.RouteValues.ContainsKey(p.Name));
}
