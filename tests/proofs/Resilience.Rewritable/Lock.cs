namespace Resilience;

/// <summary>Stands in for the runtime's, at which Coyote cannot stop a thread: a thread that is stopped inside of one would block the others for good. A
/// <c>lock</c> on this takes its monitor.</summary>
internal sealed class Lock;
