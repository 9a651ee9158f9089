using Microsoft.Extensions.DependencyInjection;
using Resilience.Overload;

namespace Microsoft.AspNetCore.Builder;

/// <summary>The middleware that sheds load.</summary>
public static class LoadSheddingApplicationBuilderExtensions
{
    /// <summary>Carries out as many requests at once as the server can serve well, the most important first, and rejects the others before they cost
    /// anything.</summary>
    /// <param name="app">The application. Put it right behind <c>UseRouting</c> (which <c>WebApplication</c> adds by itself, at the front) and
    /// <c>UseRequestDeadlines</c>, and before authentication, which costs the processor time that it saves.</param>
    /// <remarks>
    /// Left alone are endpoints with <c>DisableLoadShedding()</c>, health checks of the framework, methods of gRPC with a stream, and endpoints that declare
    /// an event stream. A connection that is upgraded and a response that turns out to be an event stream give their place back when they begin, and are no
    /// sample of latency.
    /// </remarks>
    /// <exception cref="ArgumentNullException"><paramref name="app"/> is null.</exception>
    /// <exception cref="InvalidOperationException"><c>AddLoadShedding</c> was not called.</exception>
    public static IApplicationBuilder UseLoadShedding(this IApplicationBuilder app)
    {
        ArgumentNullException.ThrowIfNull(app);
        LoadShedders shedders = app.ApplicationServices.GetService<LoadShedders>()
            ?? throw new InvalidOperationException("Load shedding is not registered: call services.AddLoadShedding().");
        return app.Use(next =>
        {
            LoadSheddingMiddleware middleware = new(next, shedders);
            return middleware.InvokeAsync;
        });
    }
}
