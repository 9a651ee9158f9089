using System.Globalization;
using Npgsql;

namespace Resilience.Idempotency;

/// <summary>How a table and its server are set up.</summary>
internal sealed class PostgresSetup
{
    private const string FormatWord = "format ";

    private readonly bool _isUnlogged, _isTemporary, _isStandby, _hasSynchronousStandby;
    private readonly string _commits, _flushes, _wholePages;

    internal PostgresSetup(NpgsqlDataReader row)
    {
        (_isUnlogged, _isTemporary) = (row.GetString(0) == "u", row.GetString(0) == "t");
        Format = FormatOf(row.IsDBNull(1) ? "" : row.GetString(1)) ?? (row.GetBoolean(2) ? 2 : 1);
        _isStandby = row.GetBoolean(3);
        (_commits, _flushes, _wholePages) = (row.GetString(4), row.GetString(5), row.GetString(6));
        _hasSynchronousStandby = row.GetBoolean(7);
    }

    /// <summary>What the comment of the table says, or else what its columns show.</summary>
    internal int Format { get; }

    internal void ThrowIfNewer(string table)
    {
        if (Format <= PostgresStatements.NewestFormat) return;
        throw new IdempotencyStoreException(
            IdempotencyStoreFault.Misconfigured,
            $"The table {table} has format {Format}, which a newer version of this library made; "
            + $"this one works with format {PostgresStatements.NewestFormat}.");
    }

    /// <summary>Throws when the store cannot work with it.</summary>
    internal void ThrowIfUnusable(string table)
    {
        ThrowIfNewer(table);
        if (Format < PostgresStatements.NewestFormat)
        {
            throw new IdempotencyStoreException(
                IdempotencyStoreFault.Misconfigured,
                $"The table {table} has format {Format}: run {nameof(PostgresIdempotencyStore.CreateScript)} or "
                + $"{nameof(PostgresIdempotencyStore.EnsureCreatedAsync)}, which bring it to format {PostgresStatements.NewestFormat} "
                + "while processes of the older version go on.");
        }

        if (_isStandby)
        {
            throw new IdempotencyStoreException(
                IdempotencyStoreFault.Misconfigured, $"The server of {table} is a standby, which takes no records: connect to the primary.");
        }
    }

    /// <summary>One sentence for each thing that can make acknowledged records vanish.</summary>
    internal IReadOnlyList<string> Warnings(string table)
    {
        List<string> warnings = [];
        if (_isUnlogged)
            warnings.Add($"The table {table} is unlogged: after a crash it is empty, and a standby has none of it. ALTER TABLE {table} SET LOGGED.");
        if (_isTemporary) warnings.Add($"The table {table} is temporary: only one session sees it, and it goes with that.");
        if (_commits == "off")
            warnings.Add("synchronous_commit is off: what was acknowledged in the last moments before a crash is lost. Set it to on for this connection.");
        if (_hasSynchronousStandby && _commits is "local" or "remote_write")
        {
            warnings.Add(
                $"synchronous_commit is {_commits}: what was acknowledged is lost when the standby is promoted that synchronous_standby_names waits for. "
                + "Set it to on for this connection.");
        }

        if (_flushes == "off") warnings.Add("fsync is off: a crash of the machine can lose or damage everything. Set it to on.");
        if (_wholePages == "off")
            warnings.Add("full_page_writes is off: a crash of the machine can damage pages. Set it to on unless the disk writes whole pages.");
        return warnings;
    }

    private static int? FormatOf(string comment)
    {
        int at = comment.IndexOf(FormatWord, StringComparison.Ordinal);
        if (at < 0) return null;
        string digits = new([.. comment.Skip(at + FormatWord.Length).TakeWhile(char.IsAsciiDigit)]);
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int format) ? format : null;
    }
}
