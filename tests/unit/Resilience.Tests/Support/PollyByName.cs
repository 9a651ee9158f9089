#pragma warning disable SA1403, CA1032, CA1064 // stand-ins with the names of another library
namespace Polly
{
    internal abstract class ExecutionRejectedException : Exception;
}

namespace Polly.CircuitBreaker
{
    internal sealed class BrokenCircuitException : ExecutionRejectedException;
}

namespace Polly.Timeout
{
    internal sealed class TimeoutRejectedException : ExecutionRejectedException;
}
