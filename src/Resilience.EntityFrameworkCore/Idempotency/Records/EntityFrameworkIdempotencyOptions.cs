using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>How a store in the database of a context keeps its records. Read once, when the store is created.</summary>
public sealed class EntityFrameworkIdempotencyOptions : PolicyOptions
{
    internal const int MaxPayload = 64 << 20;

    /// <summary>The largest payload, in bytes. 1 to 64 MiB, default 1 MiB.</summary>
    public int MaxPayloadBytes { get; set; } = 1 << 20;

    /// <summary>An expression of SQL for the server's time in microseconds since 1970, as a whole number of 64 bits, which moves within a transaction. Default
    /// null: known for the providers <c>Npgsql.EntityFrameworkCore.PostgreSQL</c> and <c>Microsoft.EntityFrameworkCore.Sqlite</c>. Any other provider needs
    /// one, and then has the portable statements: no lock of the id, so a claim inside of a caller's transaction makes others wait for its row.</summary>
    /// <remarks>It becomes a part of statements as it stands: never make it of anything that comes from outside.</remarks>
    public string? ServerClock { get; set; }

    /// <inheritdoc/>
    protected override string Kind => "entity-framework-idempotency-store";

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Number(nameof(MaxPayloadBytes), MaxPayloadBytes, 1, MaxPayload);
        check.Require(ServerClock is null || !string.IsNullOrWhiteSpace(ServerClock), nameof(ServerClock), "empty", "an expression of SQL, or null");
    }
}
