using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Where <c>UseIdempotency</c> stands, for the check at the start: a replay must not stand in front of a check of the framework's.</summary>
/// <remarks>Filled while one application is put together, by one thread.</remarks>
internal sealed class IdempotencyMiddlewares
{
    /// <summary>The framework notes here that a middleware was added (its own <c>UseEndpoints</c> asks for the same notes), and there that it has
    /// looked at a request. A test of ours holds the names to the framework.</summary>
    private const string AuthorizationAsked = "__AuthorizationMiddlewareWithEndpointInvoked";

    private static readonly (string Mark, string Name)[] Checks =
    [
        ("__AuthenticationMiddlewareSet", "UseAuthentication"), ("__AuthorizationMiddlewareSet", "UseAuthorization"),
        ("__AntiforgeryMiddlewareSet", "UseAntiforgery"),
    ];

    private readonly List<Place> _all = [];

    /// <summary>Whether requests are protected that are not to endpoints with options of their own.</summary>
    internal bool HasOwnConditions => _all.Exists(m => m.HasOwnCondition);

    internal void Add(IApplicationBuilder app, bool hasOwnCondition) =>
        _all.Add(new(app, hasOwnCondition, [.. Checks.Where(c => !app.Properties.ContainsKey(c.Mark))]));

    /// <summary>Notes which checks were added since. Called before the framework adds those that it adds by itself (which it puts in front of
    /// everything), and again for what is put together later.</summary>
    internal void Look()
    {
        foreach (Place place in _all.Where(p => p.Behind is null)) place.Behind = [.. place.NotYet.Where(c => place.App.Properties.ContainsKey(c.Mark))];
    }

    /// <summary>Checks that were added behind one of ours, where a replay would pass them by.</summary>
    internal IEnumerable<OptionProblem> FindProblems() =>
        from place in _all
        from check in place.Behind ?? []
        select new OptionProblem("UseIdempotency", "its place", $"before {check.Name}", $"behind {check.Name}: a replay would pass that check by");

    /// <summary>Why a request may not be answered from here: its endpoint requires authorization, which has not run.</summary>
    internal static string? FindUnaskedCheck(HttpContext context) =>
        context.GetEndpoint() is { } endpoint && endpoint.Metadata.GetMetadata<IAllowAnonymous>() is null
        && (endpoint.Metadata.GetMetadata<IAuthorizeData>() is not null || endpoint.Metadata.GetMetadata<AuthorizationPolicy>() is not null)
        && !context.Items.ContainsKey(AuthorizationAsked)
            ? "UseIdempotency stands before UseAuthorization, so a replay would pass the endpoint's authorization by: put it behind"
            : null;

    private sealed class Place(IApplicationBuilder app, bool hasOwnCondition, (string Mark, string Name)[] notYet)
    {
        internal IApplicationBuilder App { get; } = app;

        internal bool HasOwnCondition { get; } = hasOwnCondition;

        /// <summary>The checks that had not been added when this was.</summary>
        internal (string Mark, string Name)[] NotYet { get; } = notYet;

        /// <summary>Those of them that were added afterwards; null until they were read.</summary>
        internal (string Mark, string Name)[]? Behind { get; set; }
    }
}
