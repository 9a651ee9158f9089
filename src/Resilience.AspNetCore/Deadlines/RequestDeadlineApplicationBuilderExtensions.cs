using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Resilience;
using Resilience.Overload;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The middleware that takes up what callers say of their requests.</summary>
public static class RequestDeadlineApplicationBuilderExtensions
{
    /// <summary>Begins a <see cref="RequestContext"/> for each request: with the deadline, the class and the attempt that its caller states. A request whose
    /// time is up is rejected before it begins, and cancelled when it is up later; errors of which calls of the request have given up are marked, so
    /// that the caller does not repeat them.</summary>
    /// <param name="app">The application.</param>
    /// <remarks>Put it right behind <c>UseRouting</c>, or first where there is none: what stands before it runs for requests whose time is up, and
    /// before routing it knows no endpoint. A handler of exceptions stands before it, as usual: without one the
    /// server answers an exception by itself, and its answer carries no mark.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="app"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public static IApplicationBuilder UseRequestDeadlines(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        IServiceProvider services = app.ApplicationServices;
        RequestDeadlineOptions options = (services.GetService<IOptions<RequestDeadlineOptions>>()?.Value ?? new()).Copied();
        options.ThrowIfInvalid();
        RequestDeadlines deadlines = new(options, services);
        return app.Use(next => context => deadlines.InvokeAsync(context, next));
    }
}
