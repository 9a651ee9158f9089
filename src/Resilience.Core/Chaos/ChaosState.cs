namespace Resilience.Chaos;

/// <summary>What an update hands on from one chaos policy to the next: the switch, the seed and the numbers of the calls.</summary>
internal sealed class ChaosState(ChaosSwitch chaosSwitch, long drawnSeed)
{
    private Numbers _numbers = new(0);

    internal ChaosSwitch Switch => chaosSwitch;

    /// <summary>Used when the options name none.</summary>
    internal long DrawnSeed => drawnSeed;

    /// <summary>The number of a call in this run, from 0; false for a call whose run is over because another has begun.</summary>
    internal bool TryNumber(ChaosRun run, out long number)
    {
        // Acquire, and the exchange below publishes: numbers that we see are whole. Run numbers only grow, so the loop ends.
        Numbers numbers = Volatile.Read(ref _numbers);
        while (numbers.Run < run.Number)
        {
            Numbers fresh = new(run.Number);
            Numbers seen = Interlocked.CompareExchange(ref _numbers, fresh, numbers);
            numbers = seen == numbers ? fresh : seen;
        }

        number = numbers.Run == run.Number ? numbers.Next() : -1;
        return number >= 0;
    }

    private sealed class Numbers(long run)
    {
        private long _last = -1;

        internal long Run => run;

        internal long Next() => Interlocked.Increment(ref _last);
    }
}
