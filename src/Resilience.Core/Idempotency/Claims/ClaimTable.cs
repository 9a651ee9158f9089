namespace Resilience.Idempotency;

/// <summary>What this process asks for or holds: the claims themselves, linked into a hash table in parts with a lock each. An entry of it costs no
/// object beside the claim.</summary>
/// <remarks>No code of users runs under a lock, and no thread holds two of them.</remarks>
internal sealed class ClaimTable
{
    private const int PartBits = 4;

    private readonly ulong _seed;

    internal ClaimTable()
    {
        for (int i = 0; i < Parts.Length; i++) Parts[i] = new();

        // Who chooses keys does not know it, and cannot choose them for one bucket.
        _seed = BitConverter.ToUInt64(Guid.NewGuid().ToByteArray()) | 1;
    }

    internal ClaimPart[] Parts { get; } = new ClaimPart[1 << PartBits];

    /// <summary>How many ids are asked for or held.</summary>
    internal int Leading => Parts.Sum(static part => part.CountLeading());

    /// <summary>How many claims are in the table.</summary>
    internal int Count => Parts.Sum(static part => part.Count);

    /// <summary>All claims that the store has granted, or that go on without.</summary>
    internal IReadOnlyList<IdempotencyClaim> All()
    {
        List<IdempotencyClaim> all = [];
        foreach (ClaimPart part in Parts) part.AddOwned(all);
        return all;
    }

    /// <summary>Enters a claim that is about to ask the store, unless another one of the same id has been entered.</summary>
    /// <param name="mine">The claim.</param>
    /// <param name="followers">Those of the other one, if it asks for the same: this call is one of them now.</param>
    /// <param name="isOwned">Whether the store has granted the other one.</param>
    /// <returns>False when there is another one.</returns>
    internal bool TryEnter(IdempotencyClaim mine, out ClaimFollowers? followers, out bool isOwned)
    {
        mine.Hash = HashOf(mine.Id);
        return PartOf(mine).TryEnter(mine, out followers, out isOwned);
    }

    /// <summary>The store has granted the claim, or it goes on without.</summary>
    /// <param name="claim">The claim. One that did not enter, because another one led, is in the table from now on, but it has no followers.</param>
    /// <param name="isRenewed">Whether its lease is renewed.</param>
    /// <param name="beginsWatch">True when the caller must begin to look after the leases of its part.</param>
    internal ClaimFollowers? Own(IdempotencyClaim claim, bool isRenewed, out bool beginsWatch)
    {
        if (claim.Hash == 0) claim.Hash = HashOf(claim.Id);
        return PartOf(claim).Own(claim, isRenewed, out beginsWatch);
    }

    /// <summary>Takes the claim out: who comes from now on asks the store, which knows what has ended.</summary>
    /// <returns>Those who followed it, who must be told; null when there were none.</returns>
    internal ClaimFollowers? Leave(IdempotencyClaim claim) => PartOf(claim).Leave(claim);

    internal ClaimPart PartOf(IdempotencyClaim claim) => Parts[claim.Hash >> (32 - PartBits)];

    private uint HashOf(in IdempotencyId id)
    {
        ulong high = Math.BigMul(id.Fold(), _seed, out ulong low);
        return (uint)((high ^ low) >> 32) | 1; // 0 is a claim that was never here
    }
}
