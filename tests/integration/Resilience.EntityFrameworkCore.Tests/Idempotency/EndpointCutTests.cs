using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Resilience.EntityFrameworkCore.Tests.Support;
using Resilience.StoreTests.Servers;
using Resilience.Tests.Support;

namespace Resilience.EntityFrameworkCore.Tests.Idempotency;

/// <summary>T1 and T8 where it hurts: the connection of an endpoint's transaction is cut at each byte of COMMIT and of its answer, or at once while the server
/// works on it. Rows are there if and only if the record is, and each answer says which.</summary>
[Requires(Tool.PostgreSql)]
public sealed class EndpointCutTests(PostgresServer server) : IClassFixture<PostgresServer>, IAsyncLifetime
{
    private const string Commit = "COMMIT\0";

    /// <summary>COMMIT is a message of 12 bytes, and its answer has 18; and one more, where nothing is cut.</summary>
    private const int BytesAroundCommit = 31;

    private const int AtOnce = -1;

    private RecordDatabase _database = null!;
    private CuttingProxy _proxy = null!;

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.CommitTrusted)]
    [InlineData(Flaw.RecordApart)]
    public async Task T1_Rows_and_record_are_there_or_neither_is_wherever_the_connection_is_cut(Flaw flaw)
    {
        List<Call> calls = [];
        await using (Service service = await OpenAsync(flaw))
        {
            foreach (int at in Enumerable.Range(0, BytesAroundCommit).Append(AtOnce).Append(AtOnce))
            {
                Call call = new();
                if (at == AtOnce) _proxy.ArmAtOnce(Commit);
                else _proxy.Arm(Commit, at);
                call.First = await service.SendAsync($"/orders/{call.Operation}", call.Operation.ToString());
                call.RowsThen = await CountAsync(call);
                call.Again = await service.SendAsync($"/orders/{call.Operation}", call.Operation.ToString());
                call.RowsAtLast = await CountAsync(call);
                calls.Add(call);
            }
        }

        Call[] wrong = [.. calls.Where(c => !c.IsTrue)];
        if (flaw != Flaw.None)
        {
            wrong.Should().NotBeEmpty("the flaw is found");
            return;
        }

        wrong.Should().BeEmpty();
        calls.Should().Contain(c => c.First!.Status == 201, "some were committed").And.Contain(c => c.First!.Status == 503, "some were not");
    }

    private Task<Service> OpenAsync(Flaw flaw) => Service.OpenAsync(
        _database,
        app => app.MapPost("/orders/{operation}", async (Guid operation, RecordShop shop) =>
        {
            shop.Orders.Add(new() { Operation = operation });
            await shop.SaveChangesAsync();
            return TypedResults.Created($"/orders/{operation}", operation);
        }).RequireIdempotencyKey(o => o.InTransactionOf<RecordShop>()),
        context: options => _database.Configure(
            options, _database.ConnectionString.Replace($"Port={server.Port};", $"Port={_proxy.Port};", StringComparison.Ordinal)),
        flaw: flaw);

    private async Task<long> CountAsync(Call call) => (long)(await _database.AskAsync($"SELECT count(*) FROM orders WHERE operation = '{call.Operation}'"))!;

    public async Task InitializeAsync()
    {
        if (Requirements.AreMissingFor(typeof(PostgresServer))) return;
        _database = await RecordDatabase.OpenAsync(RecordDatabase.PostgreSql, server);
        _proxy = new(server.Port);
    }

    public async Task DisposeAsync()
    {
        if (_proxy is null) return;
        await _proxy.DisposeAsync();
        await _database.DisposeAsync();
    }

    private sealed class Call
    {
        internal Guid Operation { get; } = Guid.NewGuid();

        internal Service.Reply? First { get; set; }

        internal Service.Reply? Again { get; set; }

        internal long RowsThen { get; set; }

        internal long RowsAtLast { get; set; }

        /// <summary>A success stands for one row and is what is replayed; a rollback for none, and the repetition makes it. Whatever the answer is, there is
        /// one row at last.</summary>
        internal bool IsTrue => RowsAtLast == 1 && Again!.Status == 201 && First!.Status switch
        {
            201 => RowsThen == 1 && Again.IsReplayed && Again.Seen == First.Seen,
            503 => First.Problem.Code == "not-committed" ? RowsThen == 0 && !Again.IsReplayed : First.Problem.Code == "outcome-pending",
            _ => false,
        };

        public override string ToString() => $"{First?.Status} {First?.Problem.Code}, rows {RowsThen}; {Again?.Status}, rows {RowsAtLast}";
    }
}
