using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Resilience.Transports;

namespace Resilience.EntityFrameworkCore;

/// <summary>Reads the exceptions of drivers: which row of which table of the core they are. Drivers that say a SQLSTATE are read by the core itself;
/// those that say a number of their own are known by name, so that this package needs none of them.</summary>
internal static class DatabaseErrors
{
    private const int DeepestWrapping = 16;

    /// <summary>The class of an error of SQL Server from which on the connection is closed, by the server or by the client, which has then got no
    /// answer.</summary>
    private const byte ClosesTheConnection = 20;

    private static readonly ConcurrentDictionary<Type, Func<DbException, TransportRow?>?> Readers = [];

    private static readonly ConcurrentDictionary<Type, Func<DbException, int?>?> SqliteCodes = [];

    /// <summary>The row for the number of a driver; null: the driver has none, or the number is on no list.</summary>
    internal static TransportRow? FindByNumber(DbException error) => Readers.GetOrAdd(error.GetType(), ReaderFor)?.Invoke(error);

    /// <summary>The extended error code of SQLite; null: an error of another database.</summary>
    internal static int? SqliteCodeOf(DbException error) => SqliteCodes.GetOrAdd(error.GetType(), SqliteCodeReaderFor)?.Invoke(error);

    /// <summary>Whether the server has answered that what was sent was not applied: a statement outside of a transaction, or a COMMIT. Where nothing is
    /// known of the answer, or there is none, it may have been.</summary>
    internal static bool SaysRolledBack(Exception error)
    {
        Exception? inner = error;
        for (int depth = 0; inner is not null && depth < DeepestWrapping; depth++, inner = inner.InnerException)
        {
            if (inner is DbException database) return SaysRolledBack(database);
        }

        return false;
    }

    private static bool SaysRolledBack(DbException error)
    {
        if (FindByNumber(error) is { } row) return row.Repeat == Repeatability.Always || row.Classification.Verdict == Verdict.Ignored;

        // An answer with a SQLSTATE is one of the server, and rolls back, but for those that are said of a connection or a session that ends.
        return SqlStates.Find(StateOf(error)) is { Repeat: not Repeatability.IfSafe };
    }

    /// <summary>The SQLSTATE that the driver says; null: none.</summary>
    internal static string? StateOf(DbException error)
    {
        try
        {
            return error.SqlState;
        }
        catch (Exception)
        {
            return null; // of a driver that we do not know
        }
    }

    /// <summary>A number that no list has, such as those that the operating system has for a connection that broke: no answer of the server.</summary>
    private static bool IsOfConnection(TransportRow row, object? severity) => row.Code == "*" && severity is byte and >= ClosesTheConnection;

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "EF Core does not support trimming; without the number an outcome is unknown.")]
    private static Func<DbException, TransportRow?>? ReaderFor(Type type)
    {
        (string? member, Func<int, TransportRow?> find) = type.FullName switch
        {
            "Microsoft.Data.Sqlite.SqliteException" => ("SqliteExtendedErrorCode", (Func<int, TransportRow?>)SqliteErrors.Find),
            "Microsoft.Data.SqlClient.SqlException" or "System.Data.SqlClient.SqlException" => ("Number", static number => SqlServerErrors.Find(number)),
            "MySqlConnector.MySqlException" or "MySql.Data.MySqlClient.MySqlException" => ("Number", MySqlErrors.Find),
            _ => (null, static _ => null),
        };
        if (member is null || type.GetProperty(member, BindingFlags.Public | BindingFlags.Instance) is not { } property) return null;
        PropertyInfo? severity = type.GetProperty("Class", BindingFlags.Public | BindingFlags.Instance);
        return error => property.GetValue(error) is int number && find(number) is { } row && !IsOfConnection(row, severity?.GetValue(error)) ? row : null;
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "EF Core does not support trimming; without the code an error is an outage.")]
    private static Func<DbException, int?>? SqliteCodeReaderFor(Type type)
    {
        if (type.FullName != "Microsoft.Data.Sqlite.SqliteException") return null;
        PropertyInfo? code = type.GetProperty("SqliteExtendedErrorCode", BindingFlags.Public | BindingFlags.Instance);
        return code is null ? null : error => code.GetValue(error) as int?;
    }
}
