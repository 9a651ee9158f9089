using Resilience.Overload;

namespace Microsoft.AspNetCore.Http;

/// <summary>What an endpoint can say of its answer.</summary>
public static class RequestHttpContextExtensions
{
    /// <summary>Marks the answer of this request, if it is an error: who asked shall not ask again. For an application that answers with a result in place of
    /// an exception; exceptions are recognized by themselves. Without <c>UseRequestDeadlines</c> nothing happens.</summary>
    /// <param name="context">The request.</param>
    /// <exception cref="ArgumentNullException"><paramref name="context"/> is null.</exception>
    public static void SetDoNotRetry(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        RequestContext.Current?.SetDoNotRetry();
    }
}
