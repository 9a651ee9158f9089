namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>Tests that share one server, one after the other: the proxy is armed for one message at a time.</summary>
[CollectionDefinition(Name)]
public sealed class PostgresCollection : ICollectionFixture<PostgresDatabase>
{
    internal const string Name = "postgres";
}
