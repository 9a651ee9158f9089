namespace Resilience.Tests.CircuitBreaking;

/// <summary>Every sequence of counts, of time passing and of changes of the window's shape, against a list of moments on paper; and the same
/// check against ways to carry counts over that are wrong.</summary>
public sealed class WindowUpdateTests
{
    internal enum Flaw
    {
        None,
        BeginsEmpty,
        SumsAreYoung, // as it was: the sums of the old window are counted as of the update
        EndOfTheBucket, // each count moves to the bucket that holds the end of its old one, and so grows younger with each update
        StartOfTheBucket, // or older
        CountsPastEpochsToo,
    }

    private enum Op
    {
        Good,
        Bad,
        Bucket, // a little time
        Half, // half a window
        Other, // the next of the shapes
        CircuitEpoch, // the circuit opened and closed
    }

    private static readonly CircuitBreakerOptions[] Shapes =
    [
        Shape(10_000, 10), Shape(11_000, 10), Shape(7_300, 3),
    ];

    private static CircuitBreakerOptions Shape(int ms, int buckets) => new() { SamplingDuration = TimeSpan.FromMilliseconds(ms), Buckets = buckets };

    private interface ICarried
    {
        void Count(long now, bool bad);

        (int Calls, int Bad) Sum(long now);

        void Update(CircuitBreakerOptions options, long now);

        void NewEpoch(long now);
    }

    private sealed class Real : ICarried
    {
        private BreakerSettings _settings = BreakerSettings.From(Shapes[0], null, null, 0);
        private CircuitEpoch _epoch = new(CircuitState.Closed, 1, 0, 0, -1, 0, default, null);

        public void Count(long now, bool bad) => _settings.Failures!.Record(_settings.Slot(_epoch, now), bad);

        public (int Calls, int Bad) Sum(long now) => _settings.SumOfFailures(_epoch, now);

        public void Update(CircuitBreakerOptions options, long now) => _settings = BreakerSettings.From(options, _settings, _epoch, now);

        public void NewEpoch(long now) =>
            _epoch = new(CircuitState.Closed, _epoch.Epoch + 1, now, 0, -1, _epoch.SlotBase + BreakerSettings.SlotStride, default, null);
    }

    /// <summary>Buckets in a list, for one thread; wrong in the way it is told.</summary>
    private sealed class Planted(Flaw flaw) : ICarried
    {
        private readonly List<(long Start, long End, bool Bad)> _counts = [];
        private (long Bucket, long Window) _shape = (1000, 10_000);

        public void Count(long now, bool bad)
        {
            long start = now / _shape.Bucket * _shape.Bucket;
            _counts.Add((start, start + _shape.Bucket, bad));
        }

        public (int Calls, int Bad) Sum(long now)
        {
            (long, long End, bool Bad)[] inside = [.. _counts.Where(c => now - c.End < _shape.Window)];
            return (inside.Length, inside.Count(c => c.Bad));
        }

        public void Update(CircuitBreakerOptions options, long now)
        {
            long window = (long)options.SamplingDuration.TotalMilliseconds, bucket = (window + options.Buckets - 1) / options.Buckets;
            _counts.RemoveAll(c => now - c.End >= _shape.Window);
            if (flaw == Flaw.BeginsEmpty) _counts.Clear();
            for (int i = 0; i < _counts.Count; i++)
            {
                long at = flaw switch { Flaw.SumsAreYoung => now, Flaw.EndOfTheBucket => _counts[i].End, Flaw.StartOfTheBucket => _counts[i].Start, _ => -1 };
                if (at >= 0) _counts[i] = (at / bucket * bucket, (at / bucket * bucket) + bucket, _counts[i].Bad);
            }

            _shape = (bucket, window);
        }

        public void NewEpoch(long now)
        {
            if (flaw != Flaw.CountsPastEpochsToo) _counts.Clear();
        }
    }

    [Fact]
    public void Every_sequence_of_counts_and_changes_of_shape_agrees_with_the_list() => FirstDisagreement(() => new Real(), 6).Should().BeNull();

    [Fact]
    public void Long_random_sequences_agree_with_the_list() => FirstOfRandom(() => new Real()).Should().BeNull();

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.BeginsEmpty)]
    [InlineData(Flaw.SumsAreYoung)]
    [InlineData(Flaw.EndOfTheBucket)]
    [InlineData(Flaw.StartOfTheBucket)]
    [InlineData(Flaw.CountsPastEpochsToo)]
    internal void The_check_finds_counts_that_are_carried_over_wrongly_and_only_those(Flaw flaw) =>
        ((FirstDisagreement(() => new Planted(flaw), 5) ?? FirstOfRandom(() => new Planted(flaw))) is null).Should().Be(flaw == Flaw.None, "{0}", flaw);

    /// <summary>However often the shape changes, little is kept: spans are joined while they are no wider than a bucket.</summary>
    [Fact]
    public void A_thousand_changes_of_shape_leave_a_few_spans()
    {
        BreakerSettings settings = BreakerSettings.From(Shapes[0], null, null, 0);
        CircuitEpoch epoch = new(CircuitState.Closed, 1, 0, 0, -1, 0, default, null);
        WindowPast? past = null;
        FailureWindow window = FailureWindow.OverTime(10);
        for (int i = 1; i <= 1000; i++)
        {
            long now = i * 7;
            window.Record((uint)(now / 1000), true);
            past = WindowPast.Of(window, 1000, past, epoch, now, 1000 + (i % 3), 10_000 + (10 * (i % 3)));
            window = FailureWindow.OverTime(10, now);
        }

        past!.Spans.Should().BeLessThan(30);
        past.Sum(epoch, 7000, 10_000).Calls.Should().Be(1000);
        settings.Version.Should().Be(0);
    }

    [Theory]
    [InlineData(20, 10, 6, 6)] // fewer: the youngest are kept
    [InlineData(10, 20, 6, 10)] // more: all that is known
    public void A_shorter_window_over_calls_keeps_the_youngest(int before, int after, int bad, int calls)
    {
        BreakerSettings settings = BreakerSettings.From(new() { SamplingCalls = before, MinimumCalls = 5, Buckets = 60 }, null, null, 0);
        CircuitEpoch epoch = new(CircuitState.Closed, 1, 0, 0, -1, 0, default, null);
        for (int i = 0; i < 40; i++) settings.Failures!.Record(0, i >= 34);
        settings = BreakerSettings.From(new() { SamplingCalls = after, MinimumCalls = 5, Buckets = 60 }, settings, epoch, 0);
        settings.SumOfFailures(epoch, 0).Should().Be((Math.Max(calls, 10), bad));
    }

    [Fact]
    public void From_time_to_calls_the_youngest_are_kept_and_from_calls_to_time_they_age_from_then_on()
    {
        CircuitBreakerOptions time = Shape(10_000, 10), calls = new() { SamplingCalls = 4, MinimumCalls = 4 };
        CircuitEpoch epoch = new(CircuitState.Closed, 1, 0, 0, -1, 0, default, null);
        BreakerSettings settings = BreakerSettings.From(time, null, null, 0);
        for (int i = 0; i < 100; i++) settings.Failures!.Record(settings.Slot(epoch, 1000), false);
        for (int i = 0; i < 3; i++) settings.Failures!.Record(settings.Slot(epoch, 5000), true);
        settings = BreakerSettings.From(calls, settings, epoch, 6000);
        settings.SumOfFailures(epoch, 6000).Should().Be((4, 3));
        settings = BreakerSettings.From(time, settings, epoch, 100_000);
        settings.SumOfFailures(epoch, 109_000).Should().Be((4, 3));
        settings.SumOfFailures(epoch, 110_001).Should().Be((0, 0));
    }

    /// <summary>Rounded up to whole buckets.</summary>
    private static long LengthOf(int shape) =>
        ((long)Shapes[shape].SamplingDuration.TotalMilliseconds + Shapes[shape].Buckets - 1) / Shapes[shape].Buckets * Shapes[shape].Buckets;

    private static string? FirstDisagreement(Func<ICarried> make, int length)
    {
        int kinds = Enum.GetValues<Op>().Length;
        Op[] sequence = new Op[length];
        for (int code = 0; code < (int)Math.Pow(kinds, length); code++)
        {
            for (int i = 0, rest = code; i < length; i++, rest /= kinds) sequence[i] = (Op)(rest % kinds);
            if (Disagreement(make(), sequence, new Random(code)) is { } found) return found;
        }

        return null;
    }

    private static string? FirstOfRandom(Func<ICarried> make)
    {
        for (int seed = 0; seed < 60; seed++)
        {
            Random random = new(seed);
            Op[] sequence = [.. Enumerable.Range(0, 400).Select(_ => random.Next(40) == 0 ? Op.CircuitEpoch : (Op)random.Next((int)Op.CircuitEpoch))];
            if (Disagreement(make(), sequence, random) is { } found) return found;
        }

        return null;
    }

    /// <summary>All that has been in the window ever since must be there, and nothing that is older by more than a bucket.</summary>
    private static string? Disagreement(ICarried window, Op[] sequence, Random random)
    {
        const long WidestBucket = 2434; // of the third shape
        List<(long At, bool Bad)> list = [];
        long now = 500;
        int shape = 0;
        for (int i = 0; i < sequence.Length; i++)
        {
            long length = LengthOf(shape);
            switch (sequence[i])
            {
                case Op.Bucket: now += random.Next(300, 1700); break;
                case Op.Half: now += length / 2; break;
                case Op.Other:
                    shape = (shape + 1) % Shapes.Length;
                    length = LengthOf(shape);
                    window.Update(Shapes[shape], now);
                    break;
                case Op.CircuitEpoch:
                    now++;
                    list.Clear();
                    window.NewEpoch(now);
                    break;
                default:
                    bool bad = sequence[i] == Op.Bad;
                    window.Count(now, bad);
                    list.Add((now, bad));
                    break;
            }

            // What a shorter window has let go may come back when the window grows again, and need not: it is in the window, on paper.
            (int calls, int bads) = window.Sum(now);
            (long At, bool Bad)[] surely = [.. list.Where(c => now - c.At < Math.Min(length, 7_300))],
                perhaps = [.. list.Where(c => now - c.At < length + WidestBucket)];
            if (calls < surely.Length || calls > perhaps.Length || bads < surely.Count(c => c.Bad) || bads > perhaps.Count(c => c.Bad))
                return $"{string.Join(' ', sequence[..(i + 1)])}: {(calls, bads)}, on paper from {surely.Length} to {perhaps.Length}";
        }

        return null;
    }
}
