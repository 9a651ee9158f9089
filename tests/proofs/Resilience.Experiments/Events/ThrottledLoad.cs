using Resilience.Overload;

namespace Resilience.Experiments;

/// <summary>A load through a throttle to a dependency that accepts so many a second, or a share of what comes.</summary>
internal sealed class ThrottledLoad
{
    private ThrottledLoad(int seconds) => (Offered, Sent, Accepted) = (new long[seconds], new long[seconds], new long[seconds]);

    internal long[] Offered { get; }

    internal long[] Sent { get; }

    internal long[] Accepted { get; }

    internal double SentPerSecond(int from, int until) => Sent[from..until].Average();

    /// <summary>Evenly spaced calls, each answered at once.</summary>
    /// <param name="seconds">How long.</param>
    /// <param name="perSecond">Calls a second.</param>
    /// <param name="seed">Chance of the throttle and of the dependency.</param>
    /// <param name="make">The throttle: whether to send, and what became of what was sent; told of what was not sent too.</param>
    /// <param name="accepts">Whether the dependency accepts a call: at this second, having accepted so many in it, and a draw.</param>
    internal static ThrottledLoad Run(
        int seconds, double perSecond, long seed, Func<EventWorld, Chance, IThrottle> make, Func<int, long, double, bool> accepts)
    {
        EventWorld world = new();
        ThrottledLoad load = new(seconds);
        IThrottle throttle = make(world, new(seed));
        Chance chance = new(seed + 1);
        for (long i = 0; i < seconds * perSecond; i++)
        {
            world.RunUntil((i + 0.5) / perSecond);
            int second = (int)world.Seconds;
            load.Offered[second]++;
            if (!throttle.Sends()) continue;
            load.Sent[second]++;
            bool isAccepted = accepts(second, load.Accepted[second], chance.NextDouble());
            if (isAccepted) load.Accepted[second]++;
            throttle.Record(isAccepted);
        }

        return load;
    }
}

/// <summary>Sends or does not, and is told what became of what it sent.</summary>
internal interface IThrottle
{
    bool Sends();

    void Record(bool isAccepted);
}

/// <summary>The real one.</summary>
internal sealed class RealThrottle(EventWorld world, Chance chance, AdaptiveThrottleOptions options) : IThrottle
{
    private readonly AdaptiveThrottle _throttle = new(options, world, chance);

    public bool Sends() => _throttle.TryEnter() is null;

    public void Record(bool isAccepted) => _throttle.Record(Criticality.Critical, isAccepted);
}

/// <summary>The formula to the letter, as some have built it: what it rejects itself counts as sent, and nothing bounds the share. A planted fault.</summary>
internal sealed class LiteralThrottle(EventWorld world, Chance chance) : IThrottle
{
    private const int Window = 30;
    private readonly Queue<(long At, bool IsAccepted)> _past = new();
    private long _accepted;

    public bool Sends()
    {
        while (_past.TryPeek(out (long At, bool IsAccepted) oldest) && world.Now - oldest.At > Window * TimeSpan.TicksPerSecond)
        {
            _past.Dequeue();
            if (oldest.IsAccepted) _accepted--;
        }

        bool sends = chance.NextDouble() >= Math.Max(0, (_past.Count - (2.0 * _accepted)) / (_past.Count + 1));
        if (!sends) _past.Enqueue((world.Now, false));
        return sends;
    }

    public void Record(bool isAccepted)
    {
        _past.Enqueue((world.Now, isAccepted));
        if (isAccepted) _accepted++;
    }
}
