using System.Diagnostics.Metrics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>An account that bounds how much retries add to the load of a dependency. Share one between everything that calls the same
/// dependency.</summary>
/// <remarks>
/// <para>Each call that reaches the dependency deposits <see cref="RetryBudgetOptions.Ratio"/> of a token, each retry withdraws a
/// whole one or is rejected, <see cref="RetryBudgetOptions.MinRetriesPerSecond"/> come in with time, and what is not spent
/// expires with the time constant <see cref="RetryBudgetOptions.Window"/>. At every instant
/// <c>withdrawn ≤ ratio × calls + floor × (elapsed + window)</c>, on any number of threads. A new budget holds what the floor
/// brings in a window (100 tokens by default).</para>
/// <para>Thread-safe and lock-free: the whole account is one 64-bit word, changed by compare-and-swap. Time passes in steps of
/// 1/32 to 1/64 of the window, so an operation within a step is one compare-and-swap and no arithmetic on time. Allocates nothing.</para>
/// <para>New options come as a new account: the old one is told its successor's options, its word is closed with the last balance in
/// it, and the first to meet a closed account (the updater or a call) opens the successor with that balance. No token is lost or
/// doubled, and no thread waits for another.</para>
/// </remarks>
public sealed class RetryBudget : IPolicyStatus
{
    private readonly Clock _clock;
    private Account? _account; // null: unlimited
    private Names _names; // change when the pipeline is updated

    /// <summary>Makes a budget that is used alone or shared between policies.</summary>
    /// <param name="options">Default: <see cref="RetryBudgetOptions"/> as they come. Read once, now.</param>
    /// <param name="timeProvider">Default: the system's.</param>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public RetryBudget(RetryBudgetOptions? options = null, TimeProvider? timeProvider = null)
        : this(options ?? new(), Clock.For(timeProvider ?? TimeProvider.System), new(options?.Name, null))
    {
        if (Name is not null) RetryBudgetTelemetry.For(ResilienceTelemetry.Meter).Watch(this);
    }

    internal RetryBudget(RetryBudgetOptions options, Clock clock, Names names)
    {
        options.ThrowIfInvalid();
        _clock = clock;
        _names = names;
        _account = new(new(options), clock.NowMs, null);
    }

    /// <summary>An account that a policy opens for itself, or that of the policy of its name before an update.</summary>
    internal static CarriedState<RetryBudget, RetryBudgetOptions> Carried(
        ResiliencePolicy policy, RetryBudgetOptions options, PolicyEnvironment environment) => new(
            policy, environment, options, static (o, e) => new(o, e.Clock, Names.Of(e)), static (b, o, e) => b.Adopt(o, e), static (b, e) => b.Adopt(null, e),
            static (b, e) => b.Abandon(e));

    /// <summary>The policy of this environment is put in use: its new options hold, and its names.</summary>
    internal void Adopt(RetryBudgetOptions? options, PolicyEnvironment environment)
    {
        if (options is not null) Update(options);

        // Full fence: the names are whole before a measurement can read them.
        Meter? former = Interlocked.Exchange(ref _names, Names.Of(environment) with { ShownOn = environment }).ShownOn?.Meter;
        if (ReferenceEquals(former, environment.Meter)) return;
        if (former is not null) RetryBudgetTelemetry.For(former).Unwatch(this);
        RetryBudgetTelemetry.For(environment.Meter).Watch(this);
    }

    /// <summary>An update has left its policy out: the balance is shown no more, unless another policy has adopted it.</summary>
    internal void Abandon(PolicyEnvironment environment)
    {
        if (ReferenceEquals(Volatile.Read(ref _names).ShownOn, environment)) RetryBudgetTelemetry.For(environment.Meter).Unwatch(this);
    }

    /// <summary>What an account with these options would say of itself.</summary>
    internal static string Describe(RetryBudgetOptions options) => new RetryBudgetRules(options).ToString();

    private RetryBudget()
    {
        _names = new("unlimited", null);
        _clock = Clock.System;
    }

    /// <summary>No bound at all: every retry is granted. Asked for by name, because retries without a bound turn a small outage into a
    /// large one.</summary>
    public static RetryBudget Unlimited { get; } = new();

    /// <summary>What telemetry calls it; null: it is not measured.</summary>
    internal string? Name => Volatile.Read(ref _names).Policy;

    /// <summary>The pipeline that it was made for; null when it was made alone.</summary>
    internal string? PipelineName => Volatile.Read(ref _names).Pipeline;

    /// <summary>True for <see cref="Unlimited"/>.</summary>
    public bool IsUnlimited => _account is null;

    /// <summary>Tokens on the account now: retries that could start at once. Positive infinity for <see cref="Unlimited"/>.</summary>
    public double Balance
    {
        get
        {
            Account? account = Volatile.Read(ref _account);
            if (account is null) return double.PositiveInfinity;

            // Acquire: pairs with the exchanges below; one word is the whole truth, nothing else is read with it. The balance of an
            // account that has just been closed is its successor's.
            ulong word = Volatile.Read(ref account.Word.Value);
            ulong now = RetryBudgetRules.IsClosed(word) ? word : account.Rules.AtQuantum(word, account.Quantum(_clock));
            return RetryBudgetRules.BalanceOf(now) / (double)RetryBudgetRules.Token;
        }
    }

    /// <summary>What the account holds when nothing happens, and returns to: <see cref="RetryBudgetOptions.MinRetriesPerSecond"/> ×
    /// <see cref="RetryBudgetOptions.Window"/>. Calls raise the balance above it, retries lower it. Positive infinity for
    /// <see cref="Unlimited"/>.</summary>
    public double RestingBalance => Volatile.Read(ref _account) is { } account
        ? account.Rules.Resting / (double)RetryBudgetRules.Token
        : double.PositiveInfinity;

    /// <inheritdoc/>
    PolicyStatus IPolicyStatus.GetStatus()
    {
        if (IsUnlimited) return new(PolicyCondition.Ok, "no bound");
        (double balance, double resting) = (Balance, RestingBalance);
        bool isSpent = balance < 1;
        string text = string.Create(
            CultureInfo.InvariantCulture, $"{Math.Floor(balance)} retries left, {Math.Round(resting, 1)} at rest{(isSpent ? ": spent" : "")}");
        return new(isSpent ? PolicyCondition.Warning : PolicyCondition.Ok, text)
        {
            Readings = [new("balance", Math.Round(balance, 1), "retries") { Max = Math.Max(Math.Round(resting, 1), 1) }],
        };
    }

    /// <summary>A call (not a retry) reached the dependency: deposits the ratio. A few nanoseconds.</summary>
    public void RecordCall()
    {
        // Acquire: an account is whole before it can be seen.
        Account? account = Volatile.Read(ref _account);
        if (account is null) return;
        uint quantum = account.Quantum(_clock);

        // Acquire: pairs with the exchanges here and in TryWithdraw; a stale word only costs another turn.
        ulong seen = Volatile.Read(ref account.Word.Value);
        while (true)
        {
            if (RetryBudgetRules.IsClosed(seen))
            {
                account = Successor(account);
                quantum = account.Quantum(_clock);
                seen = Volatile.Read(ref account.Word.Value);
                continue;
            }

            ulong next = account.Rules.OnCall(seen, quantum);
            if (next == seen) return;

            // Full fence: publishes the whole account; pairs with the reads above and below. Another thread won if the word differs.
            ulong found = Interlocked.CompareExchange(ref account.Word.Value, next, seen);
            if (found == seen) return;
            seen = found;
        }
    }

    /// <summary>A retry wants to start: takes one token if the account holds one.</summary>
    /// <returns>False when it does not: the retry must not be made.</returns>
    public bool TryWithdraw()
    {
        Account? account = Volatile.Read(ref _account);
        if (account is null) return true;
        uint quantum = account.Quantum(_clock);

        // Acquire: pairs with the exchanges here and in RecordCall; the decision is made again for each word that we see.
        ulong seen = Volatile.Read(ref account.Word.Value);
        while (true)
        {
            if (RetryBudgetRules.IsClosed(seen))
            {
                account = Successor(account);
                quantum = account.Quantum(_clock);
                seen = Volatile.Read(ref account.Word.Value);
                continue;
            }

            (ulong next, BudgetDecision answer) = account.Rules.OnRetry(seen, quantum);

            // A rejection changes nothing that matters: the passing of time can be computed again by the next caller.
            if (answer == BudgetDecision.Rejected) return false;

            // Full fence: decision and payment are one step; pairs with the reads above.
            ulong found = Interlocked.CompareExchange(ref account.Word.Value, next, seen);
            if (found == seen) return true;
            seen = found;
        }
    }

    /// <summary>Changes the options of a living budget. The balance is kept, and tends to the new resting balance from now on.</summary>
    /// <remarks>Thread-safe; of racing updates the last one that began is not always the one that stays.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="InvalidOperationException">This is <see cref="Unlimited"/>, which all users share.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range; the old ones stay in effect.</exception>
    public void Update(RetryBudgetOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.ThrowIfInvalid();
        RetryBudgetRules rules = new(options);
        while (true)
        {
            Account account = Volatile.Read(ref _account)
                ?? throw new InvalidOperationException("RetryBudget.Unlimited is shared by all users and cannot be changed.");

            // Full fence: the successor's rules stand before the word can be closed. Who comes second helps the first, then follows it.
            bool isOurs = Interlocked.CompareExchange(ref account.NextRules, rules, null) is null;
            Close(account);
            Successor(account);
            if (isOurs) return;
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Volatile.Read(ref _account) is { } account ? account.Rules.ToString() : "unlimited";

    /// <summary>Lets the time pass for the last time and closes the word, with the balance in it.</summary>
    private void Close(Account account)
    {
        ulong seen = Volatile.Read(ref account.Word.Value);
        while (!RetryBudgetRules.IsClosed(seen))
        {
            ulong closed = RetryBudgetRules.Closed(account.Rules.AtQuantum(seen, account.Quantum(_clock)));

            // Full fence: what was deposited and withdrawn before is in the balance that the successor inherits; nothing comes after.
            ulong found = Interlocked.CompareExchange(ref account.Word.Value, closed, seen);
            if (found == seen) return;
            seen = found;
        }
    }

    /// <summary>The account after a closed one. Any thread can open it, from what stands in the closed one; one wins.</summary>
    private Account Successor(Account closed)
    {
        Account? current = Volatile.Read(ref _account);
        if (!ReferenceEquals(current, closed)) return current!;

        // Acquire: the rules were written before the word was closed, and we have seen it closed.
        RetryBudgetRules rules = Volatile.Read(ref closed.NextRules)!;
        Account opened = new(rules, _clock.NowMs, RetryBudgetRules.BalanceOf(Volatile.Read(ref closed.Word.Value)));

        // Full fence: publishes the new account whole; pairs with the reads of _account.
        Account? found = Interlocked.CompareExchange(ref _account, opened, closed);
        return ReferenceEquals(found, closed) ? opened : found!;
    }

    /// <summary>What telemetry calls it.</summary>
    /// <param name="Policy">The policy, or the name of a budget that was made alone.</param>
    /// <param name="Pipeline">The pipeline.</param>
    internal sealed record Names(string? Policy, string? Pipeline)
    {
        /// <summary>The environment of the policy that has put it in use.</summary>
        internal PolicyEnvironment? ShownOn { get; init; }

        internal static Names Of(PolicyEnvironment environment) => new(environment.PolicyName, environment.PipelineName);
    }

    /// <summary>Rules and balance from one update to the next.</summary>
    private sealed class Account
    {
        internal readonly RetryBudgetRules Rules;
        internal RetryBudgetRules? NextRules; // written once, before the word is closed
        internal Padded Word;
        private readonly long _madeAtMs;

        internal Account(RetryBudgetRules rules, long madeAtMs, uint? balance)
        {
            Rules = rules;
            _madeAtMs = madeAtMs;
            Word.Value = RetryBudgetRules.Word(0, balance ?? rules.Resting);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal uint Quantum(Clock clock)
        {
            uint quantum = unchecked((uint)((clock.NowMs - _madeAtMs) >> Rules.QuantumShift));
            return quantum == RetryBudgetRules.ClosedQuantum ? quantum - 1 : quantum;
        }
    }

    /// <summary>The word on cache lines of its own: every call writes it, and what stands beside it is read by every call.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Padded
    {
        [FieldOffset(128)]
        public ulong Value;
    }
}
