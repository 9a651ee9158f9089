namespace Resilience.Transports;

/// <summary>A row of a <see cref="TransportTable"/>: what one code of a transport means. Immutable.</summary>
/// <param name="Code">The code as the transport writes it: <c>1205</c>, <c>40001</c>, <c>LOADING</c>. <c>08*</c> stands for all that begin so, <c>*</c>
/// for all that no other row has.</param>
/// <param name="Name">What the transport calls it; empty where it has no name.</param>
/// <param name="When">What else must hold; empty: nothing.</param>
/// <param name="Classification">What the table claims of any call that ends so. It claims <see cref="Classification.NotApplied"/> only where the
/// condition proves it: a code speaks of one statement, and a call may consist of several.</param>
/// <param name="Repeat">Whether what was answered so may be repeated.</param>
/// <param name="Remark">Why; empty where the code says it.</param>
public sealed record TransportRow(string Code, string Name, string When, Classification Classification, Repeatability Repeat, string Remark)
{
    /// <summary>Whether it speaks against the health of the dependency.</summary>
    public bool Counts => Classification is { Verdict: Verdict.Failure, Counts: true };

    /// <summary>What the table claims of a call that is this one statement or transaction and nothing else: where it may
    /// <see cref="Repeatability.Always"/> be repeated, <see cref="Classification.NotApplied"/> as well.</summary>
    public Classification OfWholeCall => Repeat == Repeatability.Always ? Classification with { NotApplied = true } : Classification;

    /// <summary>Rows of which the same is said. A code may be followed by its name.</summary>
    internal static TransportRow[] Group(Classification classification, Repeatability repeat, string remark, params string[] codes) =>
    [
        .. codes.Select(code => code.Split(' ', 2))
            .Select(parts => new TransportRow(parts[0], parts.Length > 1 ? parts[1] : "", "", classification, repeat, remark)),
    ];
}
