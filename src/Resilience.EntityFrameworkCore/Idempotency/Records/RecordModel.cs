using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Resilience.Idempotency;

/// <summary>The records as a part of the application's model: a bag of properties, which migrations see and the change tracker never does.</summary>
internal static class RecordModel
{
    /// <summary>The name in the model, and that of the table unless a convention makes another one of it.</summary>
    internal const string Name = "ResilienceIdempotency";

    /// <summary>Written into each row. A row of a newer format is not read: it is reported.</summary>
    internal const int Format = 1;

    internal const string Id = "Id", State = "State", Fence = "Fence", Attempt = "Attempt", Nonce = "Nonce", Fingerprint = "Fingerprint",
        LeaseUntil = "LeaseUntil", ExpiresAt = "ExpiresAt", ExpiresDay = "ExpiresDay", Payload = "Payload", FormatOf = "Format";

    internal const int NonceLength = 16;

    internal static void AddTo(ModelBuilder model, string? table, string? schema)
    {
        model.SharedTypeEntity<Dictionary<string, object>>(Name, record =>
        {
            if (table is not null) record.ToTable(table, schema);
            else if (schema is not null) record.ToTable(Name, schema);
            record.ToTable(t => t.HasComment(string.Create(CultureInfo.InvariantCulture, $"Idempotency records of Resilience, format {Format}")));
            Bytes(record, Id, IdempotencyId.Length).HasComment("SHA-256 of scope and key");
            record.HasKey(Id);
            record.IndexerProperty<int>(State).HasComment("1 in progress, 2 completed, 3 released, 4 outcome unknown");
            record.IndexerProperty<long>(Fence).HasComment("the stamp of the present claim, larger than all before");
            record.IndexerProperty<int>(Attempt).HasComment("how often it was begun");
            Bytes(record, Nonce, NonceLength).HasComment("who claimed it");
            Bytes(record, Fingerprint, IdempotencyId.Length).HasComment("SHA-256 of what was asked for");
            record.IndexerProperty<long>(LeaseUntil).HasComment("in progress: when others may take over; microseconds since 1970");
            record.IndexerProperty<long>(ExpiresAt).HasComment("when the row means nothing any more; microseconds since 1970");
            record.IndexerProperty<int>(ExpiresDay).HasComment("its day since 1970, for purging");
            record.IndexerProperty<byte[]>(Payload).IsRequired(false).HasComment("what duplicates receive");
            record.IndexerProperty<int>(FormatOf);
            record.HasIndex(ExpiresDay);
        });
    }

    private static PropertyBuilder<byte[]> Bytes(EntityTypeBuilder<Dictionary<string, object>> record, string name, int length) =>
        record.IndexerProperty<byte[]>(name).IsRequired().HasMaxLength(length).IsFixedLength().ValueGeneratedNever();
}
