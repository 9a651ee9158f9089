namespace Resilience;

/// <summary>Results of attempts that the caller will not see, until it is known which one he sees: a delegate may return an object again that it returned
/// two attempts ago. They are disposed of when the policy that repeats has ended, but for the one that it returns.</summary>
/// <remarks>Made only where an attempt has brought something that can be disposed of and is repeated, or was abandoned. Results of abandoned attempts come
/// when they like, so there is a gate; what is disposed of, is so outside of it. The policy that was first to keep something ends it: what stands inside of
/// it adds to it.</remarks>
internal sealed class Leftovers
{
    /// <summary>Of a repetition without end the oldest results are disposed of before.</summary>
    internal const int Most = 16;

    private readonly Lock _gate = new();
    private readonly List<object> _kept = [];
    private object? _owner; // the link that will settle; null: no link waits, nothing is kept
    private object? _returned; // by the owner, once it has settled
    private Leftovers? _into;

    /// <summary>From now on what comes is kept until this link settles. False: another one will.</summary>
    internal bool Claim(object owner)
    {
        lock (_gate)
        {
            if (_owner is not null && _owner != owner) return false;
            (_owner, _returned) = (owner, null);
            return true;
        }
    }

    /// <summary>A result of a call that is not awaited any more, or of an attempt that is repeated.</summary>
    internal void Add(object? result)
    {
        if (result is not (IDisposable or IAsyncDisposable)) return;
        object? gone;
        lock (_gate)
        {
            if (_into is { } other) gone = null;
            else if (ReferenceEquals(result, _returned) || _kept.Exists(kept => ReferenceEquals(kept, result))) return;
            else gone = _owner is null ? result : Keep(result);
        }

        if (_into is not null) _into.Add(result);
        else Safely.Dispose(gone);
    }

    /// <summary>What comes here goes there from now on.</summary>
    internal void PourInto(Leftovers other)
    {
        object[] kept;
        lock (_gate)
        {
            if (other == this || _into is not null) return;
            _into = other;
            kept = [.. _kept];
            _kept.Clear();
        }

        foreach (object one in kept) other.Add(one);
    }

    /// <summary>This is what the link returns: the others are disposed of, unless it was not for this link to do.</summary>
    internal void Settle(object owner, object? returned)
    {
        object[] gone;
        lock (_gate)
        {
            if (_owner != owner) return;
            (_owner, _returned) = (null, returned);
            gone = [.. _kept];
            _kept.Clear();
        }

        foreach (object one in gone)
        {
            if (!ReferenceEquals(one, returned)) Safely.Dispose(one);
        }
    }

    private object? Keep(object result)
    {
        _kept.Add(result);
        if (_kept.Count <= Most) return null;
        object oldest = _kept[0];
        _kept.RemoveAt(0);
        return oldest;
    }
}
