namespace Resilience.Overload;

/// <summary>A stretch of code that belongs to a request, or to none (<see cref="RequestContext.Suppress"/>); it ends with <see cref="Dispose"/>.</summary>
/// <remarks>Dispose it in the method that began it. What was started meanwhile keeps what it was started with. A scope that is not the innermost one any more,
/// or was disposed before, is disposed without effect.</remarks>
public readonly struct RequestScope : IDisposable
{
    private readonly RequestContext? _before;
    private readonly bool _isOpen;

    internal RequestScope(RequestContext? request, RequestContext? before)
    {
        Request = request;
        _before = before;
        _isOpen = true;
    }

    /// <summary>The request; null in a scope that suppresses it.</summary>
    public RequestContext? Request { get; }

    /// <summary>What was there before the scope is there again.</summary>
    public void Dispose()
    {
        if (_isOpen && ReferenceEquals(RequestContext.Current, Request)) RequestContext.Restore(_before);
    }
}
