using Microsoft.Data.Sqlite;
using Resilience.Transports;

namespace Resilience;

/// <summary>The rules of SQLite.</summary>
public static class SqliteClassifierExtensions
{
    /// <summary>Errors of Microsoft.Data.Sqlite are judged by <see cref="SqliteErrors"/>. A rule of the user comes first, wherever it is written.</summary>
    /// <remarks>The driver itself asks a database that is busy again and again until the time of the command is over, which is 30 seconds by default: a retry
    /// around it multiplies that. <c>Default Timeout=2</c> in the connection string makes it short.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="rules"/> is null.</exception>
    public static OutcomeClassifier Sqlite(this OutcomeClassifier rules)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return rules.Table(SqliteErrors.All.Name, static table => table.On<SqliteException>(
            static e => SqliteErrors.Judge(e.SqliteExtendedErrorCode) ?? SqliteErrors.Judge(e.SqliteErrorCode)));
    }
}
