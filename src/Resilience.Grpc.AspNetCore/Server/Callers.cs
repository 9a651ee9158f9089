using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Resilience.Idempotency;

namespace Resilience.Grpc;

/// <summary>In whose name a call is made.</summary>
internal static class Callers
{
    /// <summary>Why a call without a caller is not begun.</summary>
    internal const string ScopeMissing =
        "anonymous calls would share their keys, and a caller who guesses a key would receive another caller's answer: require authentication, "
        + $"set {nameof(GrpcIdempotencyOptions)}.{nameof(GrpcIdempotencyOptions.ScopeFor)}, or say "
        + $"{nameof(GrpcIdempotencyOptions.AllowSharedScope)} = true";

    /// <summary>The key with its scope, and whether other callers have the same one.</summary>
    /// <exception cref="RpcException">It has no caller, or one without a name.</exception>
    internal static (IdempotencyKey Key, bool IsShared) KeyOf(
        ServerCallContext context, HttpContext http, GrpcIdempotencyOptions options, string key, string? authority)
    {
        string? scope = options.ScopeFor is { } find ? find(context) : IdempotencyScope.Of(http.User, authority);
        if (!string.IsNullOrEmpty(scope))
        {
            try
            {
                return (new(IdempotencyScope.Shortened(scope), key), false);
            }
            catch (ArgumentException)
            {
                throw GrpcProblems.ScopeInvalid(); // what a scope is made of came from outside
            }
        }

        bool isSignedIn = http.User.Identity?.IsAuthenticated == true;
        if (options.AllowSharedScope) return (IdempotencyScope.Shared(authority, isSignedIn ? http.User.Identity!.AuthenticationType : null, key), true);
        throw options.ScopeFor is null && !isSignedIn && SignIn.IsPossible(http.RequestServices)
            ? GrpcProblems.CallerUnknown()
            : GrpcProblems.Misconfigured(http, ScopeMissing);
    }
}
