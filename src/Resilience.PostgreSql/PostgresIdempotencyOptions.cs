using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Where the records are in the database. Read once, when the store is created.</summary>
public sealed class PostgresIdempotencyOptions : PolicyOptions
{
    internal const int MaxPayload = 64 << 20;

    // PostgreSQL cuts names after 63 bytes; the name of the index is longer than that of the table.
    private const int MaxNameLength = 48;

    /// <summary>The schema: letters, digits and underscores, not starting with a digit, at most 48; taken as written, with its capitals.
    /// Default <c>public</c>.</summary>
    public string Schema { get; set; } = "public";

    /// <summary>The table: a name like <see cref="Schema"/>. Default <c>resilience_idempotency</c>.</summary>
    public string Table { get; set; } = "resilience_idempotency";

    /// <summary>The largest payload, in bytes. 1 to 64 MiB, default 1 MiB.</summary>
    public int MaxPayloadBytes { get; set; } = 1 << 20;

    /// <inheritdoc/>
    protected override string Kind => "postgresql-idempotency-store";

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        string allowed = $"1 to {MaxNameLength} letters, digits and underscores, not starting with a digit";
        check.Require(IsName(Schema), nameof(Schema), Schema, allowed);
        check.Require(IsName(Table), nameof(Table), Table, allowed);
        check.Number(nameof(MaxPayloadBytes), MaxPayloadBytes, 1, MaxPayload);
    }

    private static bool IsName(string? name) =>
        name is { Length: > 0 and <= MaxNameLength } && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
}
