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

/// <summary>A part of a <see cref="ClaimTable"/>.</summary>
internal sealed class ClaimPart
{
    private const int FirstBuckets = 8;

    private IdempotencyClaim?[] _buckets = new IdempotencyClaim?[FirstBuckets];
    private int _count;
    private bool _isWatched;

    /// <summary>Guards the table and what the claims in it say of themselves as its entries.</summary>
    internal readonly Lock Gate = new();

    internal int Count
    {
        get
        {
            lock (Gate) return _count;
        }
    }

    internal void AddOwned(List<IdempotencyClaim> all)
    {
        lock (Gate)
        {
            foreach (IdempotencyClaim? first in _buckets)
            {
                for (IdempotencyClaim? claim = first; claim is not null; claim = claim.Next)
                {
                    if (claim.IsOwned) all.Add(claim);
                }
            }
        }
    }

    internal int CountLeading()
    {
        int count = 0;
        lock (Gate)
        {
            foreach (IdempotencyClaim? first in _buckets)
                for (IdempotencyClaim? claim = first; claim is not null; claim = claim.Next) count += claim.IsLeading ? 1 : 0;
        }

        return count;
    }

    internal bool TryEnter(IdempotencyClaim mine, out ClaimFollowers? followers, out bool isOwned)
    {
        followers = null;
        lock (Gate)
        {
            if (Leader(mine) is not { } leader)
            {
                mine.IsLeading = true;
                Link(mine);
                return isOwned = true;
            }

            isOwned = leader.IsOwned;
            if (leader.Fingerprint != mine.Fingerprint) return false;
            followers = leader.Followers ??= new();
            if (isOwned) followers.Own();
            return false;
        }
    }

    internal ClaimFollowers? Own(IdempotencyClaim claim, bool isRenewed, out bool beginsWatch)
    {
        lock (Gate)
        {
            if (!claim.IsListed) Link(claim);
            claim.IsOwned = true;
            beginsWatch = isRenewed && BeginsWatch(claim);
            return claim.Followers;
        }
    }

    internal ClaimFollowers? Leave(IdempotencyClaim claim)
    {
        lock (Gate)
        {
            if (claim.IsListed) Unlink(claim);
            ClaimFollowers? followers = claim.Followers;
            claim.Followers = null;
            return followers;
        }
    }

    /// <summary>Lets the lease of a claim be renewed again, if the claim is still here.</summary>
    /// <returns>True when the caller must begin to look after the leases of this part.</returns>
    internal bool Renew(IdempotencyClaim claim)
    {
        lock (Gate) return claim.IsListed && BeginsWatch(claim);
    }

    /// <summary>Renews the lease of a claim no more.</summary>
    internal void LetGo(IdempotencyClaim claim)
    {
        lock (Gate) claim.Lease.IsOpen = false;
    }

    /// <summary>Looks at each claim whose lease is renewed, under the lock.</summary>
    /// <returns>False when there was none: this part is not looked after any more.</returns>
    internal bool Watch<TLook>(ref TLook look)
        where TLook : struct, ILook
    {
        lock (Gate)
        {
            if (!_isWatched) return true; // not ours to end
            bool isAny = false;
            foreach (IdempotencyClaim? first in _buckets)
            {
                for (IdempotencyClaim? claim = first; claim is not null; claim = claim.Next)
                {
                    if (!claim.Lease.IsOpen) continue;
                    isAny = true;
                    look.At(claim);
                }
            }

            if (_count == 0 && _buckets.Length > FirstBuckets) _buckets = new IdempotencyClaim?[FirstBuckets]; // a crowd has left
            return _isWatched = isAny;
        }
    }

    /// <summary>What is done with a claim under the lock.</summary>
    internal interface ILook
    {
        void At(IdempotencyClaim claim);
    }

    private bool BeginsWatch(IdempotencyClaim claim)
    {
        claim.Lease.IsOpen = true;
        if (_isWatched) return false;
        return _isWatched = true;
    }

    private IdempotencyClaim? Leader(IdempotencyClaim mine)
    {
        for (IdempotencyClaim? claim = _buckets[IndexOf(mine)]; claim is not null; claim = claim.Next)
        {
            if (claim.IsLeading && claim.Hash == mine.Hash && claim.Id == mine.Id) return claim;
        }

        return null;
    }

    private int IndexOf(IdempotencyClaim claim) => (int)(claim.Hash >> 1) & (_buckets.Length - 1);

    private void Link(IdempotencyClaim claim)
    {
        if (_count >= 2 * _buckets.Length) Grow();
        ref IdempotencyClaim? first = ref _buckets[IndexOf(claim)];
        claim.Next = first;
        first = claim;
        claim.IsListed = true;
        _count++;
    }

    private void Unlink(IdempotencyClaim claim)
    {
        ref IdempotencyClaim? place = ref _buckets[IndexOf(claim)];
        while (place != claim) place = ref place!.Next;
        place = claim.Next;
        claim.Next = null;
        claim.IsListed = claim.IsLeading = claim.IsOwned = claim.Lease.IsOpen = false;
        _count--;
    }

    private void Grow()
    {
        IdempotencyClaim?[] former = _buckets;
        _buckets = new IdempotencyClaim?[4 * former.Length];
        foreach (IdempotencyClaim? first in former)
        {
            IdempotencyClaim? next;
            for (IdempotencyClaim? claim = first; claim is not null; claim = next)
            {
                next = claim.Next;
                ref IdempotencyClaim? head = ref _buckets[IndexOf(claim)];
                claim.Next = head;
                head = claim;
            }
        }
    }
}
