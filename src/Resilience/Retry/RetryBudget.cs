using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Resilience;

/// <summary>An account that bounds how much retries add to the load of a dependency. Share one between everything that calls the same
/// dependency.</summary>
/// <remarks>
/// <para>Each call that reaches the dependency deposits <see cref="RetryBudgetOptions.Ratio"/> of a token, each retry withdraws a
/// whole one or is refused, <see cref="RetryBudgetOptions.MinRetriesPerSecond"/> come in with time, and what is not spent
/// expires with the time constant <see cref="RetryBudgetOptions.Window"/>. At every instant
/// <c>withdrawn ≤ ratio × calls + floor × (elapsed + window)</c>, on any number of threads. A new budget holds what the floor
/// brings in a window (100 tokens by default).</para>
/// <para>Thread-safe and lock-free: the whole account is one 64-bit word, changed by compare-and-swap. Time passes in steps of
/// 1/32 to 1/64 of the window, so an operation within a step is one compare-and-swap and no arithmetic on time. Allocates nothing.</para>
/// </remarks>
public sealed class RetryBudget
{
    private readonly RetryBudgetRules? _rules; // null: unlimited
    private readonly Clock _clock;
    private readonly long _madeAtMs;
    private readonly RetryBudgetOptions _options;
    private Padded _account;

    /// <summary>Makes a budget that is used alone or shared between policies.</summary>
    /// <param name="options">Default: <see cref="RetryBudgetOptions"/> as they come. Read once, now.</param>
    /// <param name="timeProvider">Default: the system's.</param>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public RetryBudget(RetryBudgetOptions? options = null, TimeProvider? timeProvider = null)
        : this(options ?? new(), Clock.For(timeProvider ?? TimeProvider.System), null)
    {
    }

    internal RetryBudget(RetryBudgetOptions options, Clock clock, string? pipelineName)
    {
        options.ThrowIfInvalid();
        _options = new()
        {
            Name = options.Name,
            Ratio = options.Ratio,
            MinRetriesPerSecond = options.MinRetriesPerSecond,
            Window = options.Window,
        };
        _rules = new(_options);
        _clock = clock;
        _madeAtMs = clock.NowMs;
        _account.Word = RetryBudgetRules.Word(0, _rules.Resting);
        if (_options.Name is { } name) RetryTelemetry.Watch(this, name, pipelineName);
    }

    private RetryBudget()
    {
        _options = new() { Name = "unlimited" };
        _clock = Clock.System;
    }

    /// <summary>No bound at all: every retry is granted. Asked for by name, because retries without a bound turn a small outage into a
    /// large one.</summary>
    public static RetryBudget Unlimited { get; } = new();

    /// <summary>True for <see cref="Unlimited"/>.</summary>
    public bool IsUnlimited => _rules is null;

    /// <summary>Tokens on the account now: retries that could start at once. Positive infinity for <see cref="Unlimited"/>. Never
    /// writes.</summary>
    public double Balance
    {
        get
        {
            if (_rules is not { } rules) return double.PositiveInfinity;

            // Acquire: pairs with the exchanges below; one word is the whole truth, nothing else is read with it.
            ulong word = Volatile.Read(ref _account.Word);
            return RetryBudgetRules.BalanceOf(rules.AtQuantum(word, Quantum(rules))) / (double)RetryBudgetRules.Token;
        }
    }

    /// <summary>A call (not a retry) reached the dependency: deposits the ratio. A few nanoseconds.</summary>
    public void RecordCall()
    {
        if (_rules is not { } rules) return;
        uint quantum = Quantum(rules);

        // Acquire: pairs with the exchanges here and in TryWithdraw; a stale word only costs another turn.
        ulong seen = Volatile.Read(ref _account.Word);
        while (true)
        {
            ulong next = rules.OnCall(seen, quantum);
            if (next == seen) return;

            // Full fence: publishes the whole account; pairs with the reads above and below. Another thread won if the word differs.
            ulong found = Interlocked.CompareExchange(ref _account.Word, next, seen);
            if (found == seen) return;
            seen = found;
        }
    }

    /// <summary>A retry wants to start: takes one token if the account holds one.</summary>
    /// <returns>False when it does not: the retry must not be made.</returns>
    public bool TryWithdraw()
    {
        if (_rules is not { } rules) return true;
        uint quantum = Quantum(rules);

        // Acquire: pairs with the exchanges here and in RecordCall; the decision is made again for each word that we see.
        ulong seen = Volatile.Read(ref _account.Word);
        while (true)
        {
            (ulong next, BudgetAnswer answer) = rules.OnRetry(seen, quantum);

            // A refusal changes nothing that matters: the passing of time can be computed again by whoever comes next.
            if (answer == BudgetAnswer.Refused) return false;

            // Full fence: decision and payment are one step; pairs with the reads above.
            ulong found = Interlocked.CompareExchange(ref _account.Word, next, seen);
            if (found == seen) return true;
            seen = found;
        }
    }

    /// <inheritdoc/>
    public override string ToString() => IsUnlimited
        ? "unlimited"
        : string.Create(
            CultureInfo.InvariantCulture,
            $"{_options.Ratio:0.###} per call + {_options.MinRetriesPerSecond:0.###}/s over {PolicyDescription.Format(_options.Window)}");

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint Quantum(RetryBudgetRules rules) => unchecked((uint)((_clock.NowMs - _madeAtMs) >> rules.QuantumShift));

    /// <summary>The word on cache lines of its own: every call writes it, and what stands beside it is read by every call.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Padded
    {
        [FieldOffset(128)]
        public ulong Word;
    }
}
