namespace Resilience;

/// <summary>Results of attempts that no policy passed on, until the call has ended: a delegate may return an object again that it returned before, to
/// whichever policy. At the end all are disposed of but the one that the caller gets.</summary>
/// <remarks>
/// One for a call with all its forks, made where there is something to keep, or something may come late. Results of attempts that are not awaited come
/// when they like, so there is a gate; no code of users runs under it.
/// </remarks>
internal sealed class Leftovers
{
    /// <summary>Of a repetition without end the oldest results are disposed of before.</summary>
    internal const int Max = 64;

    /// <summary>Of all calls that had nothing to keep when they ended: what comes later is disposed of.</summary>
    internal static readonly Leftovers OfEnded = new() { _isOver = true };

    private readonly List<object> _kept = []; // the gate as well; after the end: what was disposed of, and what the caller got
    private bool _isOver;

    /// <summary>No policy passes this result on.</summary>
    internal void Add(object? result)
    {
        if (result is not (IDisposable or IAsyncDisposable)) return;
        object gone = result;
        object[] former = [];
        if (this != OfEnded)
        {
            lock (_kept)
            {
                if (_kept.Exists(kept => ReferenceEquals(kept, result))) return;
                if (_isOver) former = [.. _kept];
                _kept.Add(result);
                if (!_isOver && _kept.Count <= Max) return;
                if (_kept.Count > Max)
                {
                    if (!_isOver) gone = _kept[0];
                    _kept.RemoveAt(0);
                }
            }
        }

        if (!Array.Exists(former, one => IsSame(one, result))) Safely.Dispose(gone);
    }

    /// <summary>The call has ended, and this is what the caller gets.</summary>
    internal void End(object? returned)
    {
        object[] gone;
        lock (_kept)
        {
            if (_isOver) return;
            _isOver = true;
            gone = [.. _kept];
            if (returned is IDisposable or IAsyncDisposable) _kept.Add(returned);
        }

        for (int i = 0; i < gone.Length; i++)
        {
            object one = gone[i];
            if (!IsSame(one, returned) && !Array.Exists(gone[..i], former => IsSame(former, one))) Safely.Dispose(one);
        }
    }

    /// <summary>Two boxes of one value hold the same thing.</summary>
    private static bool IsSame(object one, object? other) =>
        ReferenceEquals(one, other) || (one is ValueType && Safely.Ask("equality of results", static pair => pair.one.Equals(pair.other), (one, other), false));
}
