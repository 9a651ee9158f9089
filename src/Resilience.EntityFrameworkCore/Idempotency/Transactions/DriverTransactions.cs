using System.Data;
using System.Data.Common;

namespace Resilience.Idempotency;

/// <summary>Whether a transaction of a driver is open: there is no property that tells, and drivers differ in how they show it.</summary>
internal static class DriverTransactions
{
    /// <summary>True when it was committed, rolled back or disposed of. One whose connection was lost was not ended by code: that is an error of what comes
    /// next.</summary>
    internal static bool HasEnded(DbTransaction transaction)
    {
        try
        {
            if (transaction.Connection is not { } connection) return true;
            using DbCommand command = connection.CreateCommand();
            command.Transaction = transaction; // Npgsql keeps the connection of a transaction that has ended, and takes no command in it
            return false;
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }

    internal static bool IsOpen(DbTransaction transaction) => !HasEnded(transaction) && transaction.Connection?.State == ConnectionState.Open;
}
