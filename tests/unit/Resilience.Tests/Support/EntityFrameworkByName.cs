#pragma warning disable SA1403, CA1032, CA1064 // stand-ins with the names of another library
namespace Microsoft.EntityFrameworkCore
{
    internal class DbUpdateException(Exception? inner) : Exception("x", inner);

    internal sealed class DbUpdateConcurrencyException(Exception? inner) : DbUpdateException(inner);
}

namespace Microsoft.EntityFrameworkCore.Storage
{
    internal sealed class RetryLimitExceededException(Exception inner) : Exception("x", inner);
}
