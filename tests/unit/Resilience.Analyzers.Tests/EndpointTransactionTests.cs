namespace Resilience.Analyzers.Tests;

/// <summary>RES117: an endpoint whose transaction is begun and committed for it leaves it alone.</summary>
public sealed class EndpointTransactionTests
{
    private const string Library = """
        namespace Microsoft.EntityFrameworkCore
        {
            public class DbContext { public Infrastructure.DatabaseFacade Database => null!; }
            public static class RelationalDatabaseFacadeExtensions
            {
                public static Task<Storage.IDbContextTransaction> BeginTransactionAsync(this Infrastructure.DatabaseFacade facade, int level) => null!;
            }
        }
        namespace Microsoft.EntityFrameworkCore.Storage { public interface IDbContextTransaction : IDisposable { void Commit(); Task RollbackAsync(); } }
        namespace Microsoft.EntityFrameworkCore.Infrastructure
        {
            public class DatabaseFacade
            {
                public Storage.IDbContextTransaction? CurrentTransaction => null;
                public Storage.IDbContextTransaction BeginTransaction() => null!;
                public void CommitTransaction() { }
            }
        }
        """;

    private static Task CheckAsync(string body, string options = "o => o.InTransactionOf<Db>()") => Analysis.CheckWithAsync(
        Library,
        "RES117",
        "using Microsoft.EntityFrameworkCore; public class Db : DbContext; public class OtherDb : DbContext;\n" + Analysis.InClass($$"""
            static void Map(WebApplication app) => app.MapPost("/", async (
                HttpContext http, Db db, OtherDb other, System.Data.Common.DbConnection connection) =>
            {
                await Task.Yield();
                {{body}}
            }).WithName("x").RequireIdempotencyKey({{options}});
            """));

    [Theory]
    [InlineData("using var tx = db.Database.[|BeginTransaction|]();")]
    [InlineData("using var tx = await db.Database.[|BeginTransactionAsync|](1);")]
    [InlineData("db.Database.[|CommitTransaction|]();")]
    [InlineData("db.Database.CurrentTransaction!.[|Commit|]();")]
    [InlineData("var tx = db.Database.CurrentTransaction!; await tx.[|RollbackAsync|]();")]
    [InlineData("http.GetIdempotencyClaim()!.Transaction!.[|Commit|]();")]
    [InlineData("var claim = http.GetIdempotencyClaim()!; await claim.Transaction!.[|RollbackAsync|]();")]
    public Task Who_begins_or_ends_the_transaction_is_reported(string body) => CheckAsync(body);

    [Theory]
    [InlineData("using var tx = other.Database.BeginTransaction(); tx.Commit();")]
    [InlineData("using var tx = connection.BeginTransaction(); tx.Commit();")]
    [InlineData("var transaction = http.GetIdempotencyClaim()!.Transaction;")]
    public Task A_transaction_of_another_database_is_not(string body) => CheckAsync(body);

    [Fact]
    public Task Without_InTransactionOf_it_is_the_endpoints_own() => CheckAsync("using var tx = db.Database.BeginTransaction(); tx.Commit();", "null");

    [Fact]
    public Task A_method_in_the_place_of_a_lambda_is_looked_into() => Analysis.CheckWithAsync(
        Library,
        "RES117",
        "public class Db : Microsoft.EntityFrameworkCore.DbContext;\n" + Analysis.InClass("""
            static void Map(WebApplication app) => app.MapPost("/", Order).RequireIdempotencyKey(o => o.InTransactionOf<Db>(t => t.Attempts = 2));
            static string Order(Db db) { db.Database.[|CommitTransaction|](); return "done"; }
            """));
}
