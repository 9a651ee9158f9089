namespace Resilience.Idempotency;

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
