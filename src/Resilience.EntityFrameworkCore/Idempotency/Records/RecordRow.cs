using System.Data.Common;
using System.Globalization;

namespace Resilience.Idempotency;

/// <summary>What a row means.</summary>
internal static class RecordRow
{
    /// <exception cref="IdempotencyStoreException">It is no record, or one of a newer format.</exception>
    internal static SeenRecord Read(DbDataReader row, IdempotencyId id, string table)
    {
        try
        {
            IdempotencyRecord record = new()
            {
                State = (IdempotencyRecordState)Number(row, 0),
                Fence = Number(row, 1),
                Attempt = checked((int)Number(row, 2)),
                Nonce = new Guid((byte[])row[3]),
                Fingerprint = Fingerprint.FromBytes((byte[])row[4]),
                LeaseUntil = Number(row, 5),
                ExpiresAt = Number(row, 6),
            };
            byte[] payload = row.IsDBNull(9) ? [] : (byte[])row[9];
            bool isRecord = record.State is >= IdempotencyRecordState.InFlight and <= IdempotencyRecordState.OutcomeUnknown
                && record is { Fence: > 0, Attempt: > 0 } && Number(row, 7) is > 0 and <= RecordModel.Format;
            if (isRecord) return new(true, record, payload, Number(row, 8), false);
        }
        catch (Exception wrong) when (wrong is InvalidCastException or ArgumentException or OverflowException or FormatException)
        {
            throw Corrupt(id, table, wrong);
        }

        throw Corrupt(id, table, null);
    }

    private static long Number(DbDataReader row, int column) => Convert.ToInt64(row[column], CultureInfo.InvariantCulture);

    private static IdempotencyStoreException Corrupt(IdempotencyId id, string table, Exception? why) =>
        new(IdempotencyStoreFault.Corrupt, $"The row {id} in {table} is no record of ours, or one of a newer version.", why);
}
