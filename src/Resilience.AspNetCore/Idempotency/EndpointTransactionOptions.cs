using System.Data;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>How an endpoint's rows and its response are committed together.</summary>
public sealed class EndpointTransactionOptions : PolicyOptions
{
    private static readonly IsolationLevel[] Levels =
    [
        IsolationLevel.Unspecified, IsolationLevel.ReadCommitted, IsolationLevel.RepeatableRead, IsolationLevel.Snapshot, IsolationLevel.Serializable,
    ];

    /// <summary>Of the transaction. Default <see cref="IsolationLevel.Unspecified"/>: that of the database. At repeatable read and above the record is held
    /// by the transaction from its beginning.</summary>
    public IsolationLevel IsolationLevel { get; set; } = IsolationLevel.Unspecified;

    /// <summary>How often the endpoint runs here in all when its transaction loses against another one (a serialization failure, a deadlock). Default 1: the
    /// client is told to repeat the request (503 <c>not-committed</c>). 1 to 20. With more, the context forgets its entities between two runs, the response
    /// is empty again and the request is read from its beginning; what your own services keep for the request, you see to.</summary>
    /// <remarks>Not for actions of controllers whose attribute asks for the key, which the framework runs once: there it counts as 1.</remarks>
    public int Attempts { get; set; } = 1;

    /// <summary>For which statuses the rows are committed. Default null: for those below 400. For any other the rows are rolled back, and the key is kept or
    /// given back as outside of a transaction.</summary>
    public Func<int, bool>? CommitWhen { get; set; }

    /// <summary>Whether all that the endpoint does stands in its transaction. Default false: after an error what may have happened elsewhere is not begun again
    /// before the lease has ended. True: after a rollback the key is given back at once. <see cref="IdempotencyClaim.PassPointOfNoReturn"/> counts all the
    /// same.</summary>
    public bool HasNoEffectsElsewhere { get; set; }

    /// <summary>How many bytes of a response are held back in memory; the rest goes into a temporary file until the commit. 0 bytes to 64 MiB, default 1 MiB.
    /// </summary>
    public int MaxHeldBytes { get; set; } = 1 << 20;

    /// <inheritdoc/>
    protected override string Kind => "idempotency-endpoint-transaction";

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Require(
            Levels.Contains(IsolationLevel), nameof(IsolationLevel), IsolationLevel, "Unspecified, ReadCommitted, RepeatableRead, Snapshot or Serializable");
        check.Number(nameof(Attempts), Attempts, 1, 20);
        check.Number(nameof(MaxHeldBytes), MaxHeldBytes, 0, 64 << 20);
    }
}
