using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Resilience;
using Resilience.Extensibility;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The live page.</summary>
public static class ResilienceDashboardEndpointRouteBuilderExtensions
{
    /// <summary>Maps a page that shows the pipelines of this container live: policies, circuits, budgets, limits, what happened last.</summary>
    /// <param name="endpoints">The application.</param>
    /// <param name="pattern">Where. Below it stand the stream, a single reading as JSON (<c>snapshot</c>) and the actions.</param>
    /// <param name="configure">Changes the options. Runs at once.</param>
    /// <returns>The endpoints, for <c>RequireAuthorization("operators")</c>, <c>RequireHost("*:9090")</c> and the like.</returns>
    /// <remarks>
    /// Locked by default: outside of Development the endpoints answer 404 unless they require authorization or
    /// <see cref="ResilienceDashboardOptions.AllowAnonymousOutsideDevelopment"/> is set. Without a viewer, nothing is read; calls are measured
    /// from the start, so that the first viewer sees the last five minutes (<see cref="ResilienceDashboardOptions.KeepHistory"/>).
    /// </remarks>
    /// <exception cref="ArgumentNullException"><paramref name="endpoints"/> or <paramref name="pattern"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    /// <exception cref="InvalidOperationException">No pipelines are registered; or actions are enabled outside of Development without a
    /// policy of authorization.</exception>
    public static IEndpointConventionBuilder MapResilienceDashboard(
        this IEndpointRouteBuilder endpoints,
        [StringSyntax("Route")] string pattern = "/resilience",
        Action<ResilienceDashboardOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(pattern);
        ResilienceDashboardOptions options = new();
        configure?.Invoke(options);
        options = options.Copy();
        options.ThrowIfInvalid();
        bool isDevelopment = endpoints.ServiceProvider.GetService<IHostEnvironment>()?.IsDevelopment() ?? false;
        if (options is { EnableActions: true, ActionsPolicy: null } && !isDevelopment)
        {
            throw new InvalidOperationException(
                "Outside of Development, actions on the live page need a policy of authorization: set ActionsPolicy, or leave EnableActions off.");
        }

        DashboardEndpoints page = new(endpoints.ServiceProvider, options);
        RouteGroupBuilder group = endpoints.MapGroup(pattern);
        group.MapMethods("", [HttpMethods.Get], page.PageAsync);
        group.MapMethods("events", [HttpMethods.Get], page.EventsAsync);
        group.MapMethods("snapshot", [HttpMethods.Get], page.SnapshotAsync);
        IEndpointConventionBuilder actions = group.MapMethods("actions", [HttpMethods.Post], page.ActAsync);
        if (options.ActionsPolicy is { } policy) actions.RequireAuthorization(policy);
        IEndpointConventionBuilder all = group;
        all.Add(static endpoint => endpoint.Metadata.Add(new ExcludeFromDescriptionAttribute()));
        if (isDevelopment) all.Finally(endpoint => CheckHostUnlessAuthorized(endpoint, options));
        else if (!options.AllowAnonymousOutsideDevelopment) all.Finally(endpoint => LockUnlessAuthorized(endpoint, page, pattern));
        return all;
    }

    private static bool IsGuarded(EndpointBuilder endpoint) =>
        endpoint.Metadata.Any(m => m is IAuthorizeData or AuthorizationPolicy or IAuthorizationRequirementData)
        && !endpoint.Metadata.Any(m => m is IAllowAnonymous);

    /// <summary>An open page answers only under names that a foreign website cannot point to this machine.</summary>
    private static void CheckHostUnlessAuthorized(EndpointBuilder endpoint, ResilienceDashboardOptions options)
    {
        if (IsGuarded(endpoint) || endpoint.RequestDelegate is not { } inner) return;
        endpoint.RequestDelegate = context => DashboardHosts.IsAllowed(context.Request.Host.Host, options.DevelopmentHosts)
            ? inner(context)
            : DashboardHosts.RejectAsync(context);
    }

    /// <summary>Asked when the endpoint is completely configured, also after mapping.</summary>
    private static void LockUnlessAuthorized(EndpointBuilder endpoint, DashboardEndpoints page, string pattern)
    {
        if (IsGuarded(endpoint)) return;
        page.Lock(pattern);
        endpoint.RequestDelegate = static context =>
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        };
    }
}
