using System.Data.Common;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Resilience.EntityFrameworkCore.Tests.Support;
using Resilience.StoreTests.Servers;
using Resilience.Tests.Support;

namespace Resilience.EntityFrameworkCore.Tests.Idempotency;

/// <summary>T1 where the power of the server goes out right before COMMIT is sent, or right after it was acknowledged: rows and record come back together, or
/// neither does.</summary>
[Requires(Tool.PostgreSql)]
public sealed class ServerKilledTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Rows_and_record_come_back_together_or_neither_does(bool isBeforeCommit)
    {
        PostgresServer server = new(durable: true);
        await server.InitializeAsync();
        try
        {
            await using RecordDatabase database = await RecordDatabase.OpenAsync(RecordDatabase.PostgreSql, server);
            Power power = new(server, isBeforeCommit);
            int runs = 0;
            await using Service service = await Service.OpenAsync(
                database,
                app => app.MapPost("/orders", async (RecordShop shop) =>
                {
                    int run = Interlocked.Increment(ref runs);
                    shop.Orders.Add(new() { Operation = Guid.NewGuid() });
                    await shop.SaveChangesAsync();
                    return TypedResults.Ok(run);
                }).RequireIdempotencyKey(o => o.InTransactionOf<RecordShop>()),
                o => o.AddInterceptors(power),
                g => (g.Lease, g.ReplayCacheTime) = (TimeSpan.FromSeconds(1), TimeSpan.Zero));

            Service.Reply first = await service.SendAsync();
            (first.Status, first.Status == 503 ? first.Problem.Code : "").Should().Be(isBeforeCommit ? (503, "outcome-pending") : (200, ""));
            await server.StartAgainAsync();

            Service.Reply again = await service.SendAsync();
            using CancellationTokenSource patience = new(TimeSpan.FromMinutes(1));
            while (again.Status != 200)
            {
                patience.Token.ThrowIfCancellationRequested(); // until the lease of the first has ended, and the circuit has closed
                again = await service.SendAsync(stop: patience.Token);
            }

            (again.Text, again.IsReplayed, runs).Should().Be(isBeforeCommit ? ("2", false, 2) : ("1", true, 1));
            (await database.CountOrdersAsync()).Should().Be(1);
        }
        finally
        {
            await server.DisposeAsync();
        }
    }

    /// <summary>Goes out at the first commit.</summary>
    private sealed class Power(PostgresServer server, bool isBeforeCommit) : DbTransactionInterceptor
    {
        private bool _isOut;

        public override ValueTask<InterceptionResult> TransactionCommittingAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
        {
            if (isBeforeCommit) GoOut();
            return new(result);
        }

        public override Task TransactionCommittedAsync(
            DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            if (!isBeforeCommit) GoOut();
            return Task.CompletedTask;
        }

        private void GoOut()
        {
            if (_isOut) return;
            _isOut = true;
            server.KillHard();
        }
    }
}
