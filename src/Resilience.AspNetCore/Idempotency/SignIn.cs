using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Resilience.Idempotency;

/// <summary>Whether those who call can be, and must be, signed in.</summary>
internal static class SignIn
{
    /// <summary>Whether callers can be signed in at all.</summary>
    internal static bool IsPossible(IServiceProvider services)
    {
        if (services.GetService<IAuthenticationSchemeProvider>() is not { } schemes) return false;
        return schemes.GetAllSchemesAsync() is not { IsCompletedSuccessfully: true } known || known.Result.Any();
    }

    /// <summary>Whether an endpoint, or the whole application, asks who calls.</summary>
    internal static bool IsAskedFor(Endpoint endpoint, IServiceProvider services) =>
        endpoint.Metadata.GetMetadata<IAuthorizeData>() is not null || endpoint.Metadata.GetMetadata<AuthorizationPolicy>() is not null
        || services.GetService<IOptions<AuthorizationOptions>>()?.Value.FallbackPolicy is not null;
}
