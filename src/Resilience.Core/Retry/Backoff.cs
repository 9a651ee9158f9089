using System.Globalization;
using System.Runtime.CompilerServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>How long to wait before each retry. Immutable and thread-safe; usable without any pipeline.</summary>
/// <remarks>
/// <para>Attempt 0 is the first retry. Each attempt has a ceiling, which grows and stops at the maximum; the wait is drawn
/// below the ceiling, never added above it, so waits stay spread when the ceiling has reached the maximum. For every attempt up to
/// <see cref="int.MaxValue"/> a wait is neither negative nor above the maximum, and asking for it does not throw.</para>
/// <para>A base of 200 ms, a maximum of 5 s, the factor 2:</para>
/// <code>
/// attempt                0        1        2        3        4        5        6 …
/// constant ceiling     200 ms   200 ms   200 ms   200 ms   200 ms   200 ms   200 ms
/// linear ceiling       200 ms   400 ms   600 ms   800 ms   1 s      1.2 s    1.4 s  … 5 s
/// exponential ceiling  200 ms   400 ms   800 ms   1.6 s    3.2 s    5 s      5 s
///   full jitter        0–200    0–400    0–800    0–1600   0–3200   0–5000   0–5000 ms
///   equal jitter     100–200  200–400  400–800  800–1600 1600–3200 2500–5000 2500–5000 ms
/// decorrelated ceiling 600 ms   1.8 s    5 s      5 s      5 s      5 s      5 s
///   drawn from         200 ms up to the ceiling, or three times the wait before if that is less
/// </code>
/// <para>Spans are counted in ticks of 100 ns. An exponential ceiling is the exact decimal product, rounded down to a tick.</para>
/// </remarks>
public sealed class Backoff
{
    internal static readonly TimeSpan MaxAllowedDelay = OptionsCheck.MaxSpan; // a day
    internal const double MinFactor = 1.01;
    internal const double GreatestFactor = 1000;
    private const int Spread = 3; // of decorrelated jitter, as its inventors have it

    private readonly long[] _ceilings; // of the attempts before the maximum is reached; empty where that is one multiplication or none
    private readonly long _base;
    private readonly long _max;
    private readonly long _linearSteps; // attempts before the linear ceiling reaches the maximum

    private Backoff(BackoffKind kind, TimeSpan baseDelay, TimeSpan maxDelay, double factor, BackoffJitter jitter)
    {
        Kind = kind;
        Jitter = jitter;
        Factor = factor;
        _base = baseDelay.Ticks;
        _max = kind == BackoffKind.Constant || _base == 0 ? _base : maxDelay.Ticks; // zero does not grow
        _linearSteps = kind == BackoffKind.Linear && _base > 0 ? _max / _base : 0;
        _ceilings = kind switch
        {
            BackoffKind.Exponential => Geometric(_base, _max, (decimal)factor),
            BackoffKind.Decorrelated => Geometric(Math.Min(_max, _base * Spread), _max, Spread),
            _ => [],
        };
    }

    /// <summary>How the ceiling grows.</summary>
    public BackoffKind Kind { get; }

    /// <summary>How the wait is drawn below the ceiling.</summary>
    public BackoffJitter Jitter { get; }

    /// <summary>The growth of the exponential kind; 1 for the others.</summary>
    public double Factor { get; }

    /// <summary>The first ceiling; for the decorrelated kind the least wait.</summary>
    public TimeSpan BaseDelay => new(_base);

    /// <summary>No wait is longer.</summary>
    public TimeSpan MaxDelay => new(_max);

    /// <summary>The same wait each time.</summary>
    /// <param name="delay">From zero to a day.</param>
    /// <param name="jitter">How the wait is spread below it.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of range.</exception>
    public static Backoff Constant(TimeSpan delay, BackoffJitter jitter = BackoffJitter.Full) =>
        new(BackoffKind.Constant, Span(delay, TimeSpan.Zero, nameof(delay)), delay, 1, Defined(jitter));

    /// <summary>A wait that grows by the same amount each time.</summary>
    /// <param name="baseDelay">From zero to a day.</param>
    /// <param name="maxDelay">From <paramref name="baseDelay"/> to a day.</param>
    /// <param name="jitter">How the wait is spread below the ceiling.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of range.</exception>
    public static Backoff Linear(TimeSpan baseDelay, TimeSpan maxDelay, BackoffJitter jitter = BackoffJitter.Full) =>
        new(
            BackoffKind.Linear, Span(baseDelay, TimeSpan.Zero, nameof(baseDelay)), Span(maxDelay, baseDelay, nameof(maxDelay)), 1,
            Defined(jitter));

    /// <summary>A wait that grows by a factor each time.</summary>
    /// <param name="baseDelay">From zero to a day.</param>
    /// <param name="maxDelay">From <paramref name="baseDelay"/> to a day.</param>
    /// <param name="factor">From 1.01 to 1000; what grows less is constant.</param>
    /// <param name="jitter">How the wait is spread below the ceiling.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of range.</exception>
    public static Backoff Exponential(TimeSpan baseDelay, TimeSpan maxDelay, double factor = 2, BackoffJitter jitter = BackoffJitter.Full)
    {
        Span(baseDelay, TimeSpan.Zero, nameof(baseDelay));
        Span(maxDelay, baseDelay, nameof(maxDelay));
        if (!(factor >= MinFactor && factor <= GreatestFactor))
            throw new ArgumentOutOfRangeException(nameof(factor), factor, "The factor lies from 1.01 to 1000; for less use Constant.");
        return new(BackoffKind.Exponential, baseDelay, maxDelay, factor, Defined(jitter));
    }

    /// <summary>A wait drawn between the base and three times the wait before.</summary>
    /// <param name="baseDelay">The least wait, from zero to a day. With zero every wait is zero.</param>
    /// <param name="maxDelay">From <paramref name="baseDelay"/> to a day.</param>
    /// <exception cref="ArgumentOutOfRangeException">An argument is out of range.</exception>
    public static Backoff Decorrelated(TimeSpan baseDelay, TimeSpan maxDelay) =>
        new(
            BackoffKind.Decorrelated, Span(baseDelay, TimeSpan.Zero, nameof(baseDelay)), Span(maxDelay, baseDelay, nameof(maxDelay)), 1,
            BackoffJitter.Full);

    /// <summary>What the options of a retry ask for. They were checked before.</summary>
    internal static Backoff From(RetryOptions options) => options.BackoffKind switch
    {
        BackoffKind.Constant => Constant(options.BaseDelay, options.Jitter),
        BackoffKind.Linear => Linear(options.BaseDelay, options.MaxDelay, options.Jitter),
        BackoffKind.Decorrelated => Decorrelated(options.BaseDelay, options.MaxDelay),
        _ => Exponential(options.BaseDelay, options.MaxDelay, options.Factor, options.Jitter),
    };

    /// <summary>The longest that the wait before this retry can be.</summary>
    /// <param name="attempt">0 for the first retry.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="attempt"/> is negative.</exception>
    public TimeSpan Ceiling(int attempt)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(attempt);
        return new(CeilingTicks(attempt));
    }

    /// <summary>Draws the wait before a retry: a few nanoseconds, no allocation.</summary>
    /// <param name="attempt">0 for the first retry.</param>
    /// <param name="random">Where jitter comes from.</param>
    /// <returns>Never negative, never above <see cref="Ceiling"/>. The decorrelated kind, not knowing the wait before, takes it to have
    /// been as long as possible.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="attempt"/> is negative.</exception>
    /// <exception cref="ArgumentNullException"><paramref name="random"/> is null.</exception>
    public TimeSpan Delay(int attempt, Randomness random)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(attempt);
        ArgumentNullException.ThrowIfNull(random);
        long ceiling = CeilingTicks(attempt);
        return new(Kind == BackoffKind.Decorrelated ? Draw(_base, ceiling, random) : Jittered(ceiling, random));
    }

    /// <summary>As above, for a caller that knows the wait before; only the decorrelated kind cares.</summary>
    /// <param name="attempt">0 for the first retry.</param>
    /// <param name="previous">The wait before; less than the base delay (as for the first retry) counts as the base delay.</param>
    /// <param name="random">Where jitter comes from.</param>
    /// <inheritdoc cref="Delay(int, Randomness)"/>
    public TimeSpan Delay(int attempt, TimeSpan previous, Randomness random)
    {
        if (Kind != BackoffKind.Decorrelated) return Delay(attempt, random);
        ArgumentOutOfRangeException.ThrowIfNegative(attempt);
        ArgumentNullException.ThrowIfNull(random);

        // The bound is clamped before the draw: clamped afterwards, most draws would land on the maximum itself.
        long max = previous.Ticks >= _max ? _max : Math.Max(previous.Ticks, _base) * Spread;
        return new(Draw(_base, Math.Min(_max, max), random));
    }

    /// <summary>The ceilings of the first retries, for documentation and tests.</summary>
    /// <param name="retries">How many.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="retries"/> is negative.</exception>
    public IEnumerable<TimeSpan> Schedule(int retries)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(retries);
        return Enumerable.Range(0, retries).Select(Ceiling);
    }

    /// <summary>Draws the waits of a loop of your own, one before each of its retries, each from the one before.</summary>
    /// <param name="retries">How many.</param>
    /// <param name="isFirstAtOnce">The first of them is zero, and the others begin after it; default false.</param>
    /// <param name="random">Where jitter comes from; null: <see cref="Randomness.Shared"/>.</param>
    /// <returns>Waits that are drawn anew each time that they are enumerated.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="retries"/> is negative.</exception>
    public IEnumerable<TimeSpan> Delays(int retries, bool isFirstAtOnce = false, Randomness? random = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(retries);
        return Draw(retries, isFirstAtOnce, random ?? Randomness.Shared);
    }

    private IEnumerable<TimeSpan> Draw(int retries, bool isFirstAtOnce, Randomness random)
    {
        TimeSpan delay = TimeSpan.Zero;
        int first = isFirstAtOnce ? 1 : 0;
        if (isFirstAtOnce && retries > 0) yield return delay;
        for (int i = first; i < retries; i++) yield return delay = Delay(i - first, delay, random);
    }

    /// <summary>The sum of the ceilings of so many retries, without walking through two billion of them.</summary>
    internal TimeSpan Total(int retries)
    {
        Int128 sum = 0;
        long grown = Math.Min(retries, Kind == BackoffKind.Linear ? _linearSteps : _ceilings.Length);
        if (Kind == BackoffKind.Linear) sum = (Int128)_base * grown * (grown + 1) / 2;
        else
        {
            for (int i = 0; i < grown; i++) sum += _ceilings[i];
        }

        sum += (Int128)_max * (retries - grown);
        return sum > TimeSpan.MaxValue.Ticks ? TimeSpan.MaxValue : new((long)sum);
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        string min = TimeText.Of(BaseDelay), max = TimeText.Of(MaxDelay);
        return Kind switch
        {
            BackoffKind.Constant => $"constant {min}, jitter {Jitter}",
            BackoffKind.Decorrelated => $"decorrelated {min} to {max}",
            BackoffKind.Linear => $"linear {min} to {max}, jitter {Jitter}",
            _ => string.Create(CultureInfo.InvariantCulture, $"exponential {min} to {max} by {Factor:0.###}, jitter {Jitter}"),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long CeilingTicks(int attempt)
    {
        long[] ceilings = _ceilings;
        if ((uint)attempt < (uint)ceilings.Length) return ceilings[attempt];
        return attempt < _linearSteps ? _base * (attempt + 1L) : _max;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long Jittered(long ceiling, Randomness random) => Jitter switch
    {
        BackoffJitter.None => ceiling,
        BackoffJitter.Full => Draw(0, ceiling, random),
        _ => Draw(ceiling / 2, ceiling, random),
    };

    /// <summary>Evenly from <paramref name="min"/> to <paramref name="max"/>, both included. A user's generator that leaves [0, 1)
    /// is held inside.</summary>
    private static long Draw(long min, long max, Randomness random)
    {
        // The machine's own conversion: what it makes of NaN and infinity differs between machines, but the next line holds it inside.
        long drawn = min + double.ConvertToIntegerNative<long>(random.NextDouble() * (max - min + 1));
        return drawn < min ? min : drawn > max ? max : drawn;
    }

    /// <summary>The growing part of a geometric ceiling. Decimal, so that 200 ms times 1.1 is what pencil and paper give; at most some
    /// 2 800 entries.</summary>
    private static long[] Geometric(long first, long max, decimal factor)
    {
        List<long> ceilings = [];
        for (decimal ceiling = first; ceiling < max; ceiling *= factor) ceilings.Add((long)ceiling);
        return [.. ceilings];
    }

    private static TimeSpan Span(TimeSpan value, TimeSpan min, string name) => value >= min && value <= MaxAllowedDelay
        ? value
        : throw new ArgumentOutOfRangeException(name, value, $"A delay lies from {TimeText.Of(min)} to a day.");

    private static BackoffJitter Defined(BackoffJitter jitter) => Enum.IsDefined(jitter)
        ? jitter
        : throw new ArgumentOutOfRangeException(nameof(jitter), jitter, "Not a kind of jitter.");
}
