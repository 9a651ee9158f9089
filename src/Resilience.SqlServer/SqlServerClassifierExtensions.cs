using Microsoft.Data.SqlClient;
using Resilience.Transports;

namespace Resilience;

/// <summary>The rules of SQL Server.</summary>
public static class SqlServerClassifierExtensions
{
    private const byte ClosesTheConnection = 20; // the class of an error from which on the server or the client has closed it

    /// <summary>Errors of Microsoft.Data.SqlClient are judged by <see cref="SqlServerErrors"/>. A rule of the user comes first, wherever it is
    /// written.</summary>
    /// <remarks>An exception may have several errors; the first that the table calls a failure counts. One that no list has and that has closed the
    /// connection is a failure.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="rules"/> is null.</exception>
    public static OutcomeClassifier SqlServer(this OutcomeClassifier rules)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return rules.Table(SqlServerErrors.All.Name, static table => table.On<SqlException>(static e => Judge(e)));
    }

    private static Classification? Judge(SqlException exception)
    {
        Classification? answer = null;
        bool isClosed = false;
        foreach (SqlError error in exception.Errors)
        {
            Classification one = SqlServerErrors.Judge(error.Number);
            if (one.Verdict == Verdict.Failure) return one;
            isClosed |= error.Class >= ClosesTheConnection;
            answer = one;
        }

        return isClosed ? Verdict.Failure : answer;
    }
}
