namespace Resilience;

/// <summary>How long spans of time took lately: between one and two lengths of a window. Lock-free; nothing is allocated after it is made.</summary>
/// <remarks>
/// <code>
///            30 s            30 s            30 s
///  │ A counts        │ B counts        │ A is emptied, counts │ …       a quantile is that of both
/// </code>
/// The thread that finds the window over claims the turn, empties the older histogram and makes it the current one. Others count in the former
/// one until then. A thread that was stopped for a whole window between its look and its count, or between claim and switch, puts a count into, or
/// takes it from, a window that is not its own: it costs samples and nothing else.
/// </remarks>
internal sealed class RotatingHistogram
{
    private readonly long _windowMs;
    private readonly DurationHistogram[] _both = [new(), new()];
    private long _turnMs; // when the current window is over; who moves it makes the turn
    private int _current;

    internal RotatingHistogram(TimeSpan window, long nowMs)
    {
        _windowMs = Clock.ToMs(window);
        _turnMs = nowMs + _windowMs;
    }

    /// <summary>Counts a span of that many ticks.</summary>
    internal void Record(long ticks, long nowMs)
    {
        Turn(nowMs);
        _both[Volatile.Read(ref _current)].Record(ticks); // acquire: pairs with the switch in Turn; what it has emptied is empty
    }

    /// <summary>How many are remembered.</summary>
    internal long Count(long nowMs)
    {
        Turn(nowMs);
        return _both[0].Count() + _both[1].Count();
    }

    /// <summary>The span, in ticks, that this share of those remembered does not exceed; 0 where there are none.</summary>
    internal double Quantile(double quantile, long nowMs)
    {
        Turn(nowMs);
        return DurationHistogram.Quantile(quantile, _both[0], _both[1]);
    }

    private void Turn(long nowMs)
    {
        long turnMs = Volatile.Read(ref _turnMs);
        if (nowMs < turnMs || Interlocked.CompareExchange(ref _turnMs, nowMs + _windowMs, turnMs) != turnMs) return; // full fence: one thread goes on
        int next = 1 - Volatile.Read(ref _current);
        _both[next].Clear();
        if (nowMs >= turnMs + _windowMs) _both[1 - next].Clear(); // nothing was counted for a whole window: what is left is older than two
        Volatile.Write(ref _current, next); // release: emptied before it is counted in
    }
}
