using Microsoft.Data.Sqlite;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Where and how an SQLite store keeps its records.</summary>
public sealed class SqliteIdempotencyOptions : PolicyOptions
{
    /// <summary>The connection string, such as <c>Data Source=keys.db</c>. Required. The file must not lie on a network file system.</summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>The table: letters, digits and underscores, not beginning with a digit, up to 60. Default <c>idempotency_record</c>.</summary>
    public string Table { get; set; } = "idempotency_record";

    /// <summary>Whether the table is created, if it is not there, when the store is first used. Default true; with false see
    /// <see cref="SqliteIdempotencyStore.Schema"/>.</summary>
    public bool CreateTable { get; set; } = true;

    /// <summary>The largest payload, 1 byte to 256 MiB. Default 1 MiB.</summary>
    public int MaxPayloadBytes { get; set; } = 1 << 20;

    /// <summary>How long to wait for another process that is writing, 1 ms to a minute. Default 500 ms: half of what a gate waits for a claim
    /// (<see cref="IdempotencyOptions.AcquireTimeout"/>), so that the store answers before the gate has given up.</summary>
    public TimeSpan BusyTimeout { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Whether the disk is told to write before a change is acknowledged (<c>synchronous=FULL</c>). Default true. With false the last
    /// changes before a power failure may be forgotten, and their operations done again; the end of the process alone loses nothing.</summary>
    public bool SurvivesPowerFailure { get; set; } = true;

    /// <inheritdoc/>
    protected override string Kind => "sqlite-idempotency-store";

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Require(IsConnectionString(), nameof(ConnectionString), ConnectionString?.Length > 0 ? "not one" : "empty", "a connection string of SQLite");
        check.Require(IsIdentifier(Table), nameof(Table), Table, "1 to 60 letters, digits and underscores, not beginning with a digit");
        check.Number(nameof(MaxPayloadBytes), MaxPayloadBytes, 1, 256 << 20);
        check.Span(nameof(BusyTimeout), BusyTimeout, TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1));
    }

    private bool IsConnectionString()
    {
        try
        {
            return !string.IsNullOrWhiteSpace(ConnectionString) && new SqliteConnectionStringBuilder(ConnectionString).DataSource.Length > 0;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static bool IsIdentifier(string? name) => name is { Length: > 0 and <= 60 } && !char.IsAsciiDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
}
