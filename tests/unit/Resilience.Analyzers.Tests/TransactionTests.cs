namespace Resilience.Analyzers.Tests;

/// <summary>RES114: a failed statement ends its transaction, so another attempt in it is for nothing, or does half of the work twice.</summary>
public sealed class TransactionTests
{
    private static string With(string body) => "using System.Data.Common; using System.Transactions; using Microsoft.EntityFrameworkCore; using Dapper;\n" + Analysis.InClass($$"""
        static readonly ResiliencePipeline Again = new ResiliencePipelineBuilder().AddRetry().Build();
        async Task RunAsync(DbConnection connection, DbCommand command, DbContext context, CancellationToken ct)
        {
            {{body}}
        }
        """);

    [Theory]
    [InlineData("using DbTransaction tx = await connection.BeginTransactionAsync(ct); await Again.ExecuteAsync(t => command.[|ExecuteNonQueryAsync|](t), ct); tx.Commit();")]
    [InlineData("using (var tx = connection.BeginTransaction()) { await Again.ExecuteAsync(t => command.[|ExecuteNonQueryAsync|](t), ct); tx.Commit(); }")]
    [InlineData("using (var scope = new TransactionScope()) { Again.Execute(() => command.[|ExecuteNonQuery|]()); scope.Complete(); }")]
    [InlineData("using var tx = context.Database.BeginTransaction(); await Again.ExecuteAsync(t => context.[|SaveChangesAsync|](t), ct); tx.Commit();")]
    [InlineData("using var tx = connection.BeginTransaction(); await Again.ExecuteAsync(async t => await connection.[|ExecuteAsync|](\"x\", null, tx), ct); tx.Commit();")]
    [InlineData("var tx = connection.BeginTransaction(); try { foreach (int i in new[] { 1, 2 }) { await Again.ExecuteAsync(t => command.[|ExecuteNonQueryAsync|](t), ct); } tx.Commit(); } finally { tx.Dispose(); }")]
    [InlineData("using var tx = connection.BeginTransaction(); System.Data.IDbCommand c = command; Again.Execute(() => c.[|ExecuteScalar|]());")]
    public Task A_statement_of_an_open_transaction_is_reported(string body) => Analysis.CheckWithAsync(TransportTests.Source, "RES114", With(body));

    [Theory]
    [InlineData("await Again.ExecuteAsync(async t => { using DbTransaction tx = await connection.BeginTransactionAsync(t); await command.ExecuteNonQueryAsync(t); tx.Commit(); }, ct);")]
    [InlineData("using (var tx = connection.BeginTransaction()) { command.ExecuteNonQuery(); tx.Commit(); } await Again.ExecuteAsync(t => command.ExecuteNonQueryAsync(t), ct);")]
    [InlineData("var tx = connection.BeginTransaction(); command.ExecuteNonQuery(); tx.Commit(); await Again.ExecuteAsync(t => command.ExecuteNonQueryAsync(t), ct);")]
    [InlineData("using var tx = connection.BeginTransaction(); await Again.ExecuteAsync(t => Http.GetStringAsync(\"x\", t), ct); tx.Commit();")]
    [InlineData("using var tx = connection.BeginTransaction(); await Pipeline.ExecuteAsync(t => command.ExecuteNonQueryAsync(t), ct); tx.Commit();")]
    [InlineData("await Again.ExecuteAsync(t => command.ExecuteNonQueryAsync(t), ct); using var tx = connection.BeginTransaction(); tx.Commit();")]
    public Task A_transaction_of_the_attempt_or_a_statement_outside_of_one_is_not(string body) => Analysis.CheckWithAsync(TransportTests.Source, "RES114", With(body));
}
