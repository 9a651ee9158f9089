using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;
using Resilience.StoreTests.Servers;

namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>A database with the tables of <see cref="RecordShop"/>: one of its own on a server of PostgreSQL, or a file of SQLite.</summary>
internal sealed class RecordDatabase : IAsyncDisposable
{
    internal const string Sqlite = "sqlite", PostgreSql = "postgresql";

    private readonly string _file = Path.Combine(Path.GetTempPath(), $"records-{Guid.NewGuid():N}.db");
    private string? _connectionString;

    internal required string Kind { get; init; }

    internal bool IsSqlite => Kind == Sqlite;

    /// <param name="kind">Which.</param>
    /// <param name="server">Where, unless it is SQLite.</param>
    internal static async Task<RecordDatabase> OpenAsync(string kind, PostgresServer? server)
    {
        RecordDatabase database = new() { Kind = kind };
        if (database.IsSqlite)
        {
            database._connectionString = $"Data Source={database._file}";
        }
        else
        {
            string name = $"records_{Guid.NewGuid():N}";
            await server!.ExecuteAsync($"CREATE DATABASE {name}");
            database._connectionString = server.ConnectionString.Replace("Database=postgres", $"Database={name}", StringComparison.Ordinal)
                + ";Maximum Pool Size=16;Timeout=20";
        }

        await using RecordShop shop = database.Open();
        await shop.Database.EnsureCreatedAsync();
        return database;
    }

    internal string ConnectionString => _connectionString!;

    internal RecordShop Open(Action<DbContextOptionsBuilder>? configure = null)
    {
        DbContextOptionsBuilder<RecordShop> options = new();
        Configure(options);
        configure?.Invoke(options);
        return new(options.Options);
    }

    internal void Configure(DbContextOptionsBuilder options, string? connectionString = null)
    {
        if (IsSqlite) options.UseSqlite(connectionString ?? ConnectionString);
        else options.UseNpgsql(connectionString ?? ConnectionString);
    }

    internal EntityFrameworkIdempotencyStore Store(EntityFrameworkIdempotencyOptions? options = null) => new(() => Open(), options);

    /// <summary>The store with the statements for databases that are not known here.</summary>
    internal EntityFrameworkIdempotencyStore PortableStore() => Store(new()
    {
        ServerClock = IsSqlite
            ? "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000"
            : "(date_part('epoch', clock_timestamp()) * 1000000)::bigint",
    });

    internal async Task<object?> AskAsync(string sql)
    {
        await using DbConnection connection = IsSqlite ? new SqliteConnection(ConnectionString) : new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync();
        await using DbCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return await command.ExecuteScalarAsync();
    }

    internal async Task<long> CountOrdersAsync() => Convert.ToInt64(await AskAsync("SELECT count(*) FROM orders"));

    public async ValueTask DisposeAsync()
    {
        if (!IsSqlite)
        {
            await using NpgsqlConnection one = new(ConnectionString);
            NpgsqlConnection.ClearPool(one);
            return;
        }

        using (SqliteConnection connection = new(ConnectionString)) SqliteConnection.ClearPool(connection);
        foreach (string part in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*")) File.Delete(part);
    }
}
