using Microsoft.Data.Sqlite;
using Resilience.Testing;

namespace Resilience.Idempotency.Tests.Stores;

/// <summary>A real file, with a connection for each client.</summary>
internal sealed class SqliteSubject : IdempotencyStoreSubject
{
    private readonly List<SqliteIdempotencyStore> _open = [];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("resilience-sqlite");

    internal string ConnectionString => $"Data Source={Path.Combine(_folder.FullName, "keys.db")}";

    public override ValueTask<IIdempotencyStore> OpenAsync()
    {
        SqliteIdempotencyStore store = new(new SqliteIdempotencyOptions
        {
            ConnectionString = ConnectionString,
            MaxPayloadBytes = 2 << 20,
            BusyTimeout = TimeSpan.FromSeconds(20),
            SurvivesPowerFailure = false, // the laws are the same, and the disks of test machines slow
        });
        lock (_open) _open.Add(store);
        return new(store);
    }

    public override ValueTask<bool> TryCorruptAsync(IdempotencyId id)
    {
        Execute("UPDATE idempotency_record SET fingerprint = x'00' WHERE id = $id", id);
        return new(true);
    }

    internal void Execute(string statement, IdempotencyId id)
    {
        using SqliteConnection connection = new(ConnectionString + ";Pooling=false");
        connection.Open();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = statement;
        command.Parameters.AddWithValue("$id", id.ToArray());
        command.ExecuteNonQuery();
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (SqliteIdempotencyStore store in _open) await store.DisposeAsync();
        _folder.Delete(recursive: true);
        await base.DisposeAsync();
    }
}
