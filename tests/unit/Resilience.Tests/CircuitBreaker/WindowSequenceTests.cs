namespace Resilience.Tests.CircuitBreaking;

/// <summary>Every sequence of counts, of time passing and of late counts against a list on paper; and the same check against rings with a flaw.</summary>
public sealed class WindowSequenceTests
{
    private enum Flaw
    {
        None,
        ForgetsTheLastBucket,
        CountsOnInAnOldBucket,
        SumsUpWhatIsTooOld,
        LetsALateCountEraseANewer,
        CountsAllAsBad,
    }

    private enum Op
    {
        Good,
        Bad,
        BadAndLate, // by a thread that looked at the clock one slot ago
        BadAndTooLate, // by one that looked a whole turn of the ring ago
        NextSlot,
        OverTheWindow,
        Stripe, // another thread met us, and the ring was doubled
    }

    private interface IWindow
    {
        void Record(uint slot, bool bad);

        (int Calls, int Bad) Sum(uint slot);

        void Grow();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)] // a ring of four, all of them in the window
    public void Every_sequence_over_time_agrees_with_the_list(int buckets) =>
        FirstDisagreement(() => new Real(FailureWindow.OverTime(buckets)), buckets, length: 7).Should().BeNull();

    /// <summary>The numbers of the slots wrap after thirteen years.</summary>
    [Fact]
    public void Every_sequence_over_the_wrap_of_the_numbers_agrees_with_the_list() =>
        FirstDisagreement(() => new Real(FailureWindow.OverTime(2)), 2, length: 6, start: uint.MaxValue - 1).Should().BeNull();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void The_check_finds_a_ring_with_a_flaw_and_only_that(int flaw) =>
        (FirstDisagreement(() => new Ring(2, (Flaw)flaw), 2, length: 6) is null).Should().Be((Flaw)flaw == Flaw.None, "{0}", (Flaw)flaw);

    /// <summary>As many calls as asked, or up to one bucket more when there are fewer buckets than calls; a new epoch forgets them all.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 3)]
    [InlineData(4, 2)]
    [InlineData(5, 2)]
    public void Every_sequence_over_calls_agrees_with_the_list(int calls, int buckets)
    {
        const int Length = 12, Kinds = 3;
        int perBucket = (calls + buckets - 1) / buckets;
        bool isExact = perBucket == 1;
        for (int code = 0; code < (int)Math.Pow(Kinds, Length); code++)
        {
            FailureWindow window = FailureWindow.OverCalls(calls, buckets);
            List<bool> list = [];
            uint slotBase = 0;
            for (int i = 0, rest = code; i < Length; i++, rest /= Kinds)
            {
                if (rest % Kinds == 2)
                {
                    slotBase += 1000;
                    list.Clear();
                    continue;
                }

                bool bad = rest % Kinds == 1;
                window.Record(slotBase, bad);
                list.Add(bad);
                (int Calls, int Bad) sum = window.Sum(slotBase);
                if (sum.Bad != list[^sum.Calls..].Count(b => b) || sum.Calls < Math.Min(list.Count, calls) || sum.Calls >= perBucket * (buckets + 1))
                    Assert.Fail($"sequence {code}, step {i}: {sum} of {list.Count}");
                if (isExact && sum.Calls != Math.Min(list.Count, calls)) Assert.Fail($"sequence {code}, step {i}: {sum} of {list.Count}, not exact");
            }
        }
    }

    /// <summary>Null, or the first sequence after which a window and the list differ.</summary>
    private static string? FirstDisagreement(Func<IWindow> make, int buckets, int length, uint start = 100)
    {
        Op[] kinds = Enum.GetValues<Op>();
        int ring = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)buckets + 1);
        for (int code = 0; code < (int)Math.Pow(kinds.Length, length); code++)
        {
            IWindow window = make();
            List<(uint Slot, bool Bad)> list = [];
            uint now = start;
            for (int i = 0, rest = code; i < length; i++, rest /= kinds.Length)
            {
                switch (kinds[rest % kinds.Length])
                {
                    case Op.Good: Count(now, bad: false); break;
                    case Op.Bad: Count(now, bad: true); break;
                    case Op.BadAndLate: Count(now - 1, bad: true); break;
                    case Op.BadAndTooLate: Count(now - (uint)ring, bad: true); break;
                    case Op.NextSlot: now++; break;
                    case Op.OverTheWindow: now += (uint)ring; break;
                    default: window.Grow(); break;
                }

                List<(uint Slot, bool Bad)> inside = [.. list.Where(counted => now - counted.Slot <= buckets)];
                if (window.Sum(now) != (inside.Count, inside.Count(counted => counted.Bad)))
                    return $"{string.Join(' ', Decode(code, i + 1))}: {window.Sum(now)}, on paper {inside.Count} of which {inside.Count(counted => counted.Bad)} are bad";
            }

            // A late count is dropped when its place in the ring has a newer one.
            void Count(uint slot, bool bad)
            {
                window.Record(slot, bad);
                if (!list.Any(other => (int)(other.Slot - slot) > 0 && (other.Slot - slot) % ring == 0)) list.Add((slot, bad));
            }
        }

        return null;

        IEnumerable<Op> Decode(int code, int steps) => Enumerable.Range(0, steps).Select(i => kinds[code / (int)Math.Pow(kinds.Length, i) % kinds.Length]);
    }

    private sealed class Real(FailureWindow window) : IWindow
    {
        public void Record(uint slot, bool bad) => window.Record(slot, bad);

        public (int Calls, int Bad) Sum(uint slot) => window.Sum(slot);

        public void Grow() => window.Grow();
    }

    /// <summary>A plain ring for one thread, with a flaw.</summary>
    private sealed class Ring(int buckets, Flaw flaw) : IWindow
    {
        private readonly (uint Slot, int Calls, int Bad)[] _ring = new (uint, int, int)[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)buckets + 1)];

        public void Record(uint slot, bool bad)
        {
            ref (uint Slot, int Calls, int Bad) bucket = ref _ring[slot % _ring.Length];
            bool isOld = (int)(bucket.Slot - slot) < 0;
            if (flaw == Flaw.CountsOnInAnOldBucket && isOld) bucket.Slot = slot;
            if (flaw == Flaw.LetsALateCountEraseANewer ? bucket.Slot != slot : isOld && bucket.Slot != slot) bucket = (slot, 0, 0);
            if (bucket.Slot != slot) return;
            bucket.Calls++;
            if (bad || flaw == Flaw.CountsAllAsBad) bucket.Bad++;
        }

        public (int Calls, int Bad) Sum(uint slot)
        {
            int max = flaw == Flaw.ForgetsTheLastBucket ? buckets - 1 : buckets;
            (uint Slot, int Calls, int Bad)[] inside = [.. _ring.Where(b => flaw == Flaw.SumsUpWhatIsTooOld || slot - b.Slot <= max)];
            return (inside.Sum(b => b.Calls), inside.Sum(b => b.Bad));
        }

        public void Grow()
        {
        }
    }
}
