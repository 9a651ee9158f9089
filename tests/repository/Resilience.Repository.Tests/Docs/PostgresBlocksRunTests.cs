using Resilience.StoreTests.Servers;
using Resilience.Tests.Docs.Running;

namespace Resilience.Tests.Docs;

/// <summary>Blocks of the documents that need a server of PostgreSQL.</summary>
public sealed class PostgresBlocksRunTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    public static TheoryData<string> Run => [.. Block.All.Where(b => b.IsRun && b.Mark.NeedsPostgreSql).Select(b => b.Place)];

    [Theory]
    [MemberData(nameof(Run))]
    public async Task A_block_does_what_it_says(string place) =>
        (await CompiledBlocks.OfDocuments.RunAsync(place, server.ConnectionString)).Should().BeNull();
}
