using System.Net;
using Microsoft.AspNetCore.Http;

namespace Resilience;

/// <summary>Under which names of hosts an open page answers. A website can let its own name point to a developer's machine, and a browser then takes the
/// page for a part of that website; it cannot do so with <c>localhost</c> or with an address.</summary>
internal static class DashboardHosts
{
    internal static bool IsAllowed(string host, ISet<string> named) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
        || IPAddress.TryParse(host, out _) // in brackets for version 6, as hosts have it
        || named.Contains(host)
        || named.Contains("*");

    internal static Task RejectAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
        context.Response.Headers.CacheControl = "no-store";
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(
            "In Development the live page is open, and answers only to localhost and to addresses. "
            + "Add this host to DevelopmentHosts, or require authorization.",
            context.RequestAborted);
    }
}
