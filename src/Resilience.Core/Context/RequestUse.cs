namespace Resilience;

/// <summary>Whether this process has ever had a <see cref="Resilience.Overload.RequestContext"/>. One that has not pays a predicted branch a call.</summary>
/// <remarks>A class of its own without a static initializer, so that reading it needs no check. Written once, before the first request is put where
/// others find it, and whatever brings that to another thread (the flow of an execution context) brings this too.</remarks>
internal static class RequestUse
{
    internal static bool HasBegun;
}
