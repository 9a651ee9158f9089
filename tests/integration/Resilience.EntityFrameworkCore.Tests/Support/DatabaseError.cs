using System.Data.Common;

namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>What a driver throws: an answer of the server with a SQLSTATE, or none because the connection is lost.</summary>
internal sealed class DatabaseError(string? state) : DbException(state is null ? "connection lost" : $"the server answers {state}")
{
    internal const string Deadlock = "40P01", UniqueViolation = "23505", Shutdown = "57P01";

    public override string? SqlState => state;

    public override bool IsTransient => state is null;

    internal static DatabaseError Lost() => new(null);
}
