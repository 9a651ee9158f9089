namespace Resilience.Analyzers.Tests;

/// <summary>RES112 and RES115. The types of drivers and of gRPC are told by their full names.</summary>
public sealed class TransportTests
{
    /// <summary>As much of them as the rules look at.</summary>
    internal const string Libraries = """
        namespace Microsoft.Data.SqlClient { public class SqlException : System.Data.Common.DbException { public int Number => 0; } DRIVER(Sql) }
        namespace Microsoft.Data.Sqlite { public class SqliteException : System.Data.Common.DbException; DRIVER(Sqlite) }
        namespace Oracle.ManagedDataAccess.Client { public class OracleException : System.Data.Common.DbException; DRIVER(Oracle) }
        namespace Npgsql { DRIVER(Npgsql) }
        namespace Microsoft.Extensions.DependencyInjection
        {
            public class GrpcOptions { public Uri? Address { get; set; } }
            public static class GrpcClientServiceExtensions
            {
                public static IHttpClientBuilder AddGrpcClient<T>(this IServiceCollection services, Action<GrpcOptions>? configure = null) where T : class => services.AddHttpClient(typeof(T).Name);
                public static IHttpClientBuilder AddGrpcResilience(this IHttpClientBuilder builder) => builder;
            }
        }
        namespace Resilience { public static class Tables
        {
            public static OutcomeClassifier SqlServer(this OutcomeClassifier rules) => rules; public static OutcomeClassifier Sqlite(this OutcomeClassifier rules) => rules;
        } }
        namespace Microsoft.EntityFrameworkCore
        {
            public class DbContext
            {
                public Infrastructure.DatabaseFacade Database => null!;
                public Task<int> SaveChangesAsync(CancellationToken token = default) => Task.FromResult(1);
                public int SaveChanges() => 1;
            }
        }
        namespace Microsoft.EntityFrameworkCore.Storage { public interface IDbContextTransaction : IDisposable { void Commit(); } }
        namespace Microsoft.EntityFrameworkCore.Infrastructure { public class DatabaseFacade { public Storage.IDbContextTransaction BeginTransaction() => null!; } }
        public static class Orders { public class OrdersClient; }
        namespace Dapper { public static class SqlMapper { public static Task<int> ExecuteAsync(this System.Data.IDbConnection c, string sql, object? p = null, System.Data.IDbTransaction? transaction = null) => Task.FromResult(1); } }
        """;

    private const string Driver = """
        public abstract class NAMECommand : System.Data.Common.DbCommand { public static NAMECommand Make(string sql) => null!; }
        public abstract class NAMEConnection : System.Data.Common.DbConnection;
        """;

    internal static string Source { get; } = new[] { "Sql", "Sqlite", "Oracle", "Npgsql" }
        .Aggregate(Libraries, (text, name) => text.Replace($"DRIVER({name})", Driver.Replace("NAME", name, StringComparison.Ordinal), StringComparison.Ordinal));

    private static string Calling(string rules, string call, string policy = ".AddRetry()") => "using Microsoft.Data.SqlClient; using Microsoft.Data.Sqlite; using Oracle.ManagedDataAccess.Client; using Npgsql;\n"
        + Analysis.InClass($"static readonly ResiliencePipeline Db = new ResiliencePipelineBuilder(){rules}{policy}.Build(); {call}");

    private const string Sql = "async Task RunAsync(SqlCommand command) => await Db.ExecuteAsync(ct => command.[|ExecuteNonQueryAsync|](ct));";

    [Theory]
    [InlineData("", Sql)]
    [InlineData(".Classify(r => r.On<IOException>(Verdict.Failure))", Sql)]
    [InlineData("", "void Run(SqlCommand command) => Db.Execute(() => command.[|ExecuteScalar|]());")]
    [InlineData("", "async Task RunAsync(SqlConnection connection) => await Db.ExecuteAsync(async ct => { await connection.[|OpenAsync|](ct); });")]
    [InlineData("", "async Task RunAsync(SqliteCommand command) => await Db.ExecuteAsync(ct => command.[|ExecuteReaderAsync|](ct));")]
    [InlineData(".Classify(r => r.SqlServer())", "async Task RunAsync(SqliteCommand command) => await Db.ExecuteAsync(ct => command.[|ExecuteReaderAsync|](ct));")]
    [InlineData("", "async Task RunAsync(OracleCommand command) => await Db.ExecuteAsync(ct => command.[|ExecuteNonQueryAsync|](ct));")]
    [InlineData("", "void Run() => Db.Execute([|Read|]); static object? Read(CancellationToken ct) => SqlCommand.Make(\"x\").ExecuteScalar();")]
    public Task A_command_without_its_table_is_reported(string rules, string call) => Analysis.CheckWithAsync(Source, "RES112", Calling(rules, call));

    [Theory]
    [InlineData(".Classify(r => r.SqlServer())", ".AddRetry()")]
    [InlineData(".Classify(r => r.On<SqlException>(e => e.Number == 1205 ? Verdict.Failure : Verdict.Ignored))", ".AddRetry()")]
    [InlineData(".Classify(r => r.On<System.Data.Common.DbException>(Verdict.Failure))", ".AddRetry()")]
    [InlineData("", ".AddTimeout(TimeSpan.FromSeconds(1))")]
    public Task A_command_with_rules_or_where_nothing_asks_for_them_is_not(string rules, string policy) =>
        Analysis.CheckWithAsync(Source, "RES112", Calling(rules, Sql.Replace("[|", "", StringComparison.Ordinal).Replace("|]", "", StringComparison.Ordinal), policy));

    [Theory]
    [InlineData("async Task RunAsync(NpgsqlCommand command) => await Db.ExecuteAsync(ct => command.ExecuteNonQueryAsync(ct));")]
    [InlineData("async Task RunAsync(System.Data.Common.DbCommand command) => await Db.ExecuteAsync(ct => command.ExecuteNonQueryAsync(ct));")]
    [InlineData("async Task RunAsync(ResiliencePipeline injected, SqlCommand command) => await injected.ExecuteAsync(ct => command.ExecuteNonQueryAsync(ct));")]
    public Task A_command_whose_driver_says_it_or_whose_pipeline_is_unknown_is_not(string call) => Analysis.CheckWithAsync(Source, "RES112", Calling("", call));

    [Theory]
    [InlineData("async Task GetAsync() => await Db.[|ExecuteAsync|](ct => Http.GetAsync(\"x\", ct));")]
    [InlineData("async Task GetAsync() { var reply = await Db.[|TryExecuteAsync|](async ct => await Http.GetAsync(\"x\", ct)); Console.WriteLine(reply); }")]
    [InlineData("static readonly ResiliencePipeline<HttpResponseMessage> Of = new ResiliencePipelineBuilder<HttpResponseMessage>().AddCircuitBreaker().Build(); async Task GetAsync() => await Of.[|ExecuteAsync|](ct => Http.GetAsync(\"x\", ct));")]
    [InlineData("readonly ResiliencePipeline _p; Shop() { _p = new ResiliencePipelineBuilder().AddRetry().Build(); } async Task GetAsync() => await _p.[|ExecuteAsync|](ct => Http.GetAsync(\"x\", ct));")]
    public Task An_answer_of_http_without_a_rule_is_reported(string call) => Analysis.CheckWithAsync(Source, "RES112", Calling("", call));

    [Theory]
    [InlineData(".Classify(r => r.Http())", "async Task GetAsync() => await Db.ExecuteAsync(ct => Http.GetAsync(\"x\", ct));")]
    [InlineData(".Classify(r => r.OnResult<HttpResponseMessage>(m => m.IsSuccessStatusCode ? null : Verdict.Failure))", "async Task GetAsync() => await Db.ExecuteAsync(ct => Http.GetAsync(\"x\", ct));")]
    [InlineData("", "async Task GetAsync() => await Db.ExecuteAsync(async ct => { var m = await Http.GetAsync(\"x\", ct); m.EnsureSuccessStatusCode(); return m; });")]
    [InlineData("", "async Task GetAsync() => await Db.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));")]
    [InlineData("", "async Task GetAsync(ResiliencePipeline injected) => await injected.ExecuteAsync(ct => Http.GetAsync(\"x\", ct));")]
    public Task An_answer_of_http_that_is_judged_is_not(string rules, string call) => Analysis.CheckWithAsync(Source, "RES112", Calling(rules, call));

    [Theory]
    [InlineData("services.AddGrpcClient<Shop>().[|AddStandardResilience|]();")]
    [InlineData("services.AddGrpcClient<Shop>(o => { }).ConfigureHttpClient(c => { }).[|AddStandardResilience|](o => o.Retry = null);")]
    [InlineData("var client = services.AddGrpcClient<Shop>(); client.[|AddStandardResilience|](\"Clients:shop\");")]
    [InlineData("services.AddGrpcClient<Shop>().[|AddResilience|](b => b.AddRetry());")]
    public Task The_pipeline_for_http_on_a_client_for_grpc_is_reported(string statement) =>
        Analysis.CheckWithAsync(Source, "RES115", Analysis.InClass($"void Register(IServiceCollection services) {{ {statement} }}"));

    [Theory]
    [InlineData("services.AddHttpClient(\"a\").AddStandardResilience();")]
    [InlineData("services.AddGrpcClient<Shop>().AddGrpcResilience(); services.AddHttpClient(\"a\").AddStandardResilience();")]
    [InlineData("services.ConfigureHttpClientDefaults(b => b.AddStandardResilience()); services.AddGrpcClient<Shop>();")]
    public Task The_right_one_for_each_is_not(string statement) =>
        Analysis.CheckWithAsync(Source, "RES115", Analysis.InClass($"void Register(IServiceCollection services) {{ {statement} }}"));
}
