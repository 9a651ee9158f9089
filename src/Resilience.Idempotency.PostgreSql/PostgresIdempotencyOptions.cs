namespace Resilience;

/// <summary>Where the records are in the database. Read once, when the store is created.</summary>
public sealed class PostgresIdempotencyOptions
{
    internal const int LargestPayload = 64 << 20;

    // PostgreSQL cuts names after 63 bytes; the name of the index is longer than that of the table.
    private const int LongestName = 48;

    /// <summary>The schema: letters, digits and underscores, not starting with a digit, at most 48; taken as written, with its capitals.
    /// Default <c>public</c>.</summary>
    public string Schema { get; set; } = "public";

    /// <summary>The table: a name like <see cref="Schema"/>. Default <c>resilience_idempotency</c>.</summary>
    public string Table { get; set; } = "resilience_idempotency";

    /// <summary>The largest payload, in bytes. 1 to 64 MiB, default 1 MiB.</summary>
    public int MaxPayloadBytes { get; set; } = 1 << 20;

    /// <summary>Throws when something is out of its range.</summary>
    internal void Check()
    {
        CheckName(Schema, nameof(Schema));
        CheckName(Table, nameof(Table));
        if (MaxPayloadBytes is < 1 or > LargestPayload)
            throw new ArgumentOutOfRangeException(nameof(MaxPayloadBytes), MaxPayloadBytes, $"Must be from 1 to {LargestPayload}.");
    }

    private static void CheckName(string name, string option)
    {
        if (string.IsNullOrEmpty(name) || name.Length > LongestName || char.IsAsciiDigit(name[0]) || !name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_'))
            throw new ArgumentException($"{option} must be 1 to {LongestName} letters, digits and underscores, and not start with a digit.", option);
    }
}
