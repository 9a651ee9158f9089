using System.Diagnostics;
using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What a budget says to a retry.</summary>
internal enum BudgetDecision
{
    /// <summary>One token was taken.</summary>
    Granted,

    /// <summary>The balance does not hold a token.</summary>
    Rejected,
}

/// <summary>The arithmetic of a retry budget: pure functions of one word. No clock, no field that changes, no loop that waits.</summary>
/// <remarks>
/// <code>
///   63                              32 31                               0
///  +----------------------------------+----------------------------------+
///  |        quantum (32 bits)         |        balance (32 bits)         |
///  +----------------------------------+----------------------------------+
///   quanta of time since the budget     thousandths of a token, saturating
///   was made, modulo 2^32               at 4.29 million tokens
/// </code>
/// <para>A word whose quantum is all ones is closed: the account has a successor, which inherits the balance.</para>
/// <para>A quantum is the largest power of two of milliseconds that is not longer than a 32nd of the window (256 ms for 10 s), so its
/// number is one shift. Within a quantum nothing happens but deposits and withdrawals. From one quantum to the next the balance moves
/// towards the resting balance R = floor × window by the factor d = exp(−quantum ÷ window):</para>
/// <code>balance′ = R + (balance − R) × d     which is: what was there decays, and R × (1 − d) ≤ floor × quantum comes in</code>
/// <para>Rounding: what lies above R is rounded down, what is missing below R is rounded down too (so that the last thousandth
/// arrives), but never does more come in than floor × time, rounded down. So at every instant
/// withdrawn ≤ ratio × calls + floor × (elapsed + window).</para>
/// </remarks>
internal sealed class RetryBudgetRules
{
    internal const int BalanceBits = 32;
    internal const int QuantumBits = 32;
    internal const ulong BalanceMask = (1UL << BalanceBits) - 1;
    internal const uint Token = 1000;

    /// <summary>A reading that lags behind the word by up to so many quanta comes from a thread that lost time between clock and word;
    /// beyond, the count has wrapped.</summary>
    internal const uint Lag = 1 << 16;

    private const int QuantaInWindow = 32; // at least; at most 64
    private const int Powers = 12;         // 2^12 quanta are at least 64 windows: exp(−64) of anything is nothing

    /// <summary>The quantum of a closed account; no open one ever has it.</summary>
    internal const uint ClosedQuantum = uint.MaxValue;

    private readonly RetryBudgetOptions _options;
    private readonly uint[] _decay = new uint[Powers]; // [i] = d^(2^i) as a fraction of 2^32, rounded down
    private readonly double _floorPerQuantum;

    internal RetryBudgetRules(RetryBudgetOptions options)
    {
        _options = options.Copy();
        int windowMs = (int)options.Window.TotalMilliseconds;
        QuantumShift = int.Log2(windowMs / QuantaInWindow);
        Deposit = (uint)Math.Round(options.Ratio * Token);
        Resting = (uint)(options.MinRetriesPerSecond * options.Window.TotalSeconds * Token);
        _floorPerQuantum = options.MinRetriesPerSecond * Token * (1 << QuantumShift) / 1000;
        for (int i = 0; i < Powers; i++)
            _decay[i] = (uint)(Math.Exp(-(double)((1L << QuantumShift) << i) / windowMs) * (1UL << 32));
    }

    /// <summary>Milliseconds to quanta: a shift.</summary>
    internal int QuantumShift { get; }

    /// <summary>Thousandths that a call brings.</summary>
    internal uint Deposit { get; }

    /// <summary>Thousandths that the balance tends to when nothing happens, and starts with.</summary>
    internal uint Resting { get; }

    internal static ulong Word(uint quantum, uint balance) => ((ulong)quantum << BalanceBits) | balance;

    internal static uint QuantumOf(ulong word) => (uint)(word >> BalanceBits);

    internal static uint BalanceOf(ulong word) => (uint)(word & BalanceMask);

    internal static bool IsClosed(ulong word) => QuantumOf(word) == ClosedQuantum;

    internal static ulong Closed(ulong word) => Word(ClosedQuantum, BalanceOf(word));

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{_options.Ratio:0.###} per call + {_options.MinRetriesPerSecond:0.###}/s over {TimeText.Of(_options.Window)}");

    /// <summary>A call reached the dependency.</summary>
    internal ulong OnCall(ulong word, uint quantum)
    {
        ulong now = AtQuantum(word, quantum);
        uint room = uint.MaxValue - BalanceOf(now);
        Debug.Assert(!IsClosed(now), "A closed account takes no deposits.");
        return now + Math.Min(room, Deposit); // the balance cannot carry into the quantum: see room
    }

    /// <summary>A retry asks for a token.</summary>
    internal (ulong Word, BudgetDecision Result) OnRetry(ulong word, uint quantum)
    {
        ulong now = AtQuantum(word, quantum);
        return BalanceOf(now) >= Token ? (now - Token, BudgetDecision.Granted) : (now, BudgetDecision.Rejected);
    }

    /// <summary>Lets the time pass that lies between the word and the reading.</summary>
    internal ulong AtQuantum(ulong word, uint quantum)
    {
        uint passed = unchecked(quantum - QuantumOf(word));
        return passed == 0 || passed > uint.MaxValue - Lag ? word : Word(quantum, Aged(BalanceOf(word), passed));
    }

    private uint Aged(uint balance, uint quanta)
    {
        if (balance >= Resting) return Resting + Decayed(balance - Resting, quanta);
        uint missing = Resting - balance;
        uint income = missing - Decayed(missing, quanta);
        double max = _floorPerQuantum * quanta;
        return balance + (income <= max ? income : (uint)max);
    }

    private uint Decayed(uint amount, uint quanta)
    {
        if (quanta >> Powers != 0) return 0;
        ulong left = amount;
        for (int i = 0; quanta != 0; i++, quanta >>= 1)
        {
            if ((quanta & 1) != 0) left = (left * _decay[i]) >> 32;
        }

        return (uint)left;
    }
}
