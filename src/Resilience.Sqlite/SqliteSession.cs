using System.Diagnostics.CodeAnalysis;
using Microsoft.Data.Sqlite;

namespace Resilience.Idempotency;

/// <summary>The statements, one session long: prepared once for all operations that are written together.</summary>
internal sealed class SqliteSession(SqliteConnection connection, SqliteTransaction transaction) : IDisposable
{
    private readonly Dictionary<string, SqliteCommand> _commands = [];

    [SuppressMessage("Security", "CA2100", Justification = "Made of constants and of a table name that was checked.")]
    internal SqliteCommand Command(string text, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        if (!_commands.TryGetValue(text, out SqliteCommand? command))
        {
            command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = text;
            foreach ((string name, object value) in parameters) command.Parameters.AddWithValue(name, value);
            _commands.Add(text, command);
            return command;
        }

        foreach ((string name, object value) in parameters) command.Parameters[name].Value = value;
        return command;
    }

    public void Dispose()
    {
        foreach (SqliteCommand command in _commands.Values) command.Dispose();
    }
}
