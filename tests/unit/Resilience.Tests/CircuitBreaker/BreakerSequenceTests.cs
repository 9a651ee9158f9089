namespace Resilience.Tests.CircuitBreaking;

/// <summary>Every sequence of operations up to a length, on the breaker and on the plain twin side by side: each answer and each state must agree.</summary>
public sealed class BreakerSequenceTests
{
    private enum Op
    {
        Enter,
        OldestSucceeds,
        OldestFails,
        NewestIsIgnored,
        BreakPasses,
        LeasePasses,
        Isolate,
        Close,
        Update,
    }

    /// <summary>Of a call's life, and a change of the options there and back.</summary>
    private static readonly Op[] WithUpdates = [Op.Enter, Op.OldestSucceeds, Op.OldestFails, Op.BreakPasses, Op.LeasePasses, Op.Update];

    private static readonly TimeSpan Break = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    private static CircuitBreakerOptions Plain() => new()
    {
        FailureRatio = null,
        ConsecutiveFailures = 2,
        BreakDuration = Break,
        BreakGrowth = 1,
        BreakJitter = 0,
        ProbeLease = Lease,
    };

    public static TheoryData<string> Configurations() =>
        ["two in a row", "two in a row within a span", "ratio", "ratio over calls", "three probes", "growing break", "dry run", "ramp"];

    private static CircuitBreakerOptions Configure(string configuration)
    {
        CircuitBreakerOptions options = Plain();
        switch (configuration)
        {
            case "two in a row within a span":
                options.ConsecutiveFailuresWithin = TimeSpan.FromSeconds(1);
                break;
            case "ratio":
                options.ConsecutiveFailures = null;
                options.FailureRatio = 0.5;
                options.MinimumCalls = 3;
                options.SamplingDuration = TimeSpan.FromSeconds(1); // any step of time empties the window, in the twin's sliding one as in buckets
                break;
            case "ratio over calls":
                options.ConsecutiveFailures = null;
                options.FailureRatio = 0.6;
                options.MinimumCalls = 2;
                options.SamplingCalls = 3;
                break;
            case "three probes":
                options.Probes = 3;
                options.SuccessThreshold = 2;
                break;
            case "growing break":
                options.BreakGrowth = 2;
                options.ConsecutiveFailures = 1;
                options.BreakDecay = Lease;
                break;
            case "dry run":
                options.DryRun = true;
                break;
            case "ramp":
                options.RampDuration = TimeSpan.FromSeconds(10);
                options.RampFrom = 0.4;
                options.ConsecutiveFailures = 1;
                break;
        }

        return options;
    }

    [Theory]
    [MemberData(nameof(Configurations))]
    public void Every_sequence_of_operations_agrees_with_the_plain_twin(string configuration)
    {
        // The plain configuration goes to length 8 over the six operations of a call's life (1.7 million sequences), the others
        // to 7 over all eight, manual control included (2 million each). Shorter ones find what shorter ones can.
        (int length, int kinds) = configuration == "two in a row" ? (Bounds.Of(7, 8, 8), 6) : (Bounds.Of(5, 6, 7), 8);
        string? difference = FirstDifference(length, kinds, time => new RealBreaker(Configure(configuration), time),
            time => new ReferenceBreaker(Configure(configuration), time), out long sequences);
        difference.Should().BeNull();
        sequences.Should().Be((long)Math.Pow(kinds, length));
    }

    [Theory]
    [InlineData(Defect.None, false)]
    [InlineData(Defect.StaleResultCounts, true)]
    [InlineData(Defect.LeakedProbe, true)]
    [InlineData(Defect.IgnoredProbeCloses, true)]
    [InlineData(Defect.NoLease, true)]
    internal void The_check_finds_planted_defects_and_only_those(Defect defect, bool found)
    {
        string? difference = FirstDifference(found ? 8 : Bounds.Of(7, 8, 8), 6, time => new PlantedBreaker(defect, time),
            time => new ReferenceBreaker(Plain(), time), out _);
        (difference is not null).Should().Be(found, "the difference is {0}", difference);
    }

    public static TheoryData<string> Updates() =>
    [
        "two in a row to three", "two in a row to one", "two to three within a span", "two within a span to no span", "a rule for runs to none",
        "ratio to a lower one", "three calls to two", "a window of other buckets", "three probes to one", "a short lease", "growing break to a longer one",
        "dry run to earnest", "ramp to none",
    ];

    private static CircuitBreakerOptions Other(string update, CircuitBreakerOptions options)
    {
        switch (update)
        {
            case "two in a row to three": options.ConsecutiveFailures = 3; break;
            case "two in a row to one": options.ConsecutiveFailures = 1; break;
            case "two to three within a span": options.ConsecutiveFailures = 3; break;
            case "two within a span to no span": options.ConsecutiveFailuresWithin = null; break;
            case "a rule for runs to none": (options.ConsecutiveFailures, options.FailureRatio, options.MinimumCalls) = (null, 1, 100); break;
            case "ratio to a lower one": (options.FailureRatio, options.MinimumCalls) = (0.2, 2); break;
            case "three calls to two": options.SamplingCalls = 2; break;
            case "a window of other buckets": (options.SamplingDuration, options.Buckets) = (TimeSpan.FromSeconds(2), 7); break;
            case "three probes to one": (options.Probes, options.SuccessThreshold) = (1, 1); break;
            case "a short lease": options.ProbeLease = TimeSpan.FromSeconds(4); break;
            case "growing break to a longer one": (options.BreakDuration, options.BreakGrowth) = (Break * 2, 3); break;
            case "dry run to earnest": options.DryRun = false; break;
            case "ramp to none": (options.RampDuration, options.RampFrom) = (TimeSpan.Zero, 0.9); break;
        }

        return options;
    }

    private static string BaseOf(string update) => update switch
    {
        "two to three within a span" or "two within a span to no span" => "two in a row within a span",
        "ratio to a lower one" or "a window of other buckets" => "ratio",
        "three calls to two" => "ratio over calls",
        "three probes to one" => "three probes",
        "growing break to a longer one" => "growing break",
        "dry run to earnest" => "dry run",
        "ramp to none" => "ramp",
        _ => "two in a row",
    };

    /// <summary>The twin keeps plain lists and is simply given other options, so what is counted keeps its age and nothing is lost.</summary>
    [Theory]
    [MemberData(nameof(Updates))]
    public void Every_sequence_with_updates_agrees_with_the_plain_twin(string update) =>
        FirstDifferenceOfUpdates(update, Bounds.Of(6, 7, 7), static breaker => breaker).Should().BeNull();

    /// <summary>As it was: a ring of times that knows one limit only, a rule that is off but remembers its run, an update that waits for a call.</summary>
    [Theory]
    [InlineData("a rule for runs to none")]
    [InlineData("two in a row to one")]
    [InlineData("two to three within a span")]
    [InlineData("dry run to earnest")]
    [InlineData("ratio to a lower one")]
    public void The_check_finds_an_update_without_effect(string update) =>
        FirstDifferenceOfUpdates(update, 7, static breaker => new Deaf(breaker)).Should().NotBeNull();

    private sealed class Deaf(IBreaker breaker) : IBreaker
    {
        public CircuitState State => breaker.State;

        public (CircuitAdmission Entry, object? Permit) Enter() => breaker.Enter();

        public CircuitExit Exit(object? permit, Verdict verdict) => breaker.Exit(permit, verdict);

        public long EpochOf(object permit) => breaker.EpochOf(permit);

        public void Isolate() => breaker.Isolate();

        public void Close() => breaker.Close();

        public void Update(CircuitBreakerOptions options)
        {
        }
    }

    private static string? FirstDifferenceOfUpdates(string update, int length, Func<IBreaker, IBreaker> wrap)
    {
        CircuitBreakerOptions one = Configure(BaseOf(update)), other = Other(update, Configure(BaseOf(update)));
        Op[] sequence = new Op[length];
        for (int code = 0; code < (int)Math.Pow(WithUpdates.Length, length); code++)
        {
            for (int i = 0, rest = code; i < length; i++, rest /= WithUpdates.Length) sequence[i] = WithUpdates[rest % WithUpdates.Length];
            if (Difference(sequence, time => wrap(new RealBreaker(one, time)), time => new ReferenceBreaker(one, time), [other, one]) is { } difference)
                return difference;
        }

        return null;
    }

    private static string? FirstDifference(int length, int kinds, Func<TimeProvider, IBreaker> make, Func<TimeProvider, IBreaker> makeTwin, out long sequences)
    {
        Op[] sequence = new Op[length];
        sequences = 0;
        while (true)
        {
            sequences++;
            if (Difference(sequence, make, makeTwin) is { } difference) return difference;
            int i = length - 1;
            while (i >= 0 && (int)sequence[i] == kinds - 1) sequence[i--] = 0;
            if (i < 0) return null;
            sequence[i]++;
        }
    }

    private static string? Difference(
        Op[] sequence, Func<TimeProvider, IBreaker> make, Func<TimeProvider, IBreaker> makeTwin, CircuitBreakerOptions[]? updates = null)
    {
        int updated = 0;
        ManualTime time = new();
        IBreaker breaker = make(time), twin = makeTwin(time);
        List<(object? Real, object? Twin)> permits = [];
        for (int i = 0; i < sequence.Length; i++)
        {
            if (sequence[i] == Op.Update)
            {
                CircuitBreakerOptions next = updates![updated++ % updates.Length];
                breaker.Update(next);
                twin.Update(next);
                if (breaker.State == twin.State) continue;
            }

            (object Real, object Twin)? answers = Apply(sequence[i], time, breaker, twin, permits);
            if (answers is { } a && !a.Real.Equals(a.Twin)) return $"{string.Join(", ", sequence[..(i + 1)])}: answered {a.Real}, the twin {a.Twin}";
            if (breaker.State != twin.State) return $"{string.Join(", ", sequence[..(i + 1)])}: is {breaker.State}, the twin {twin.State}";
        }

        return null;
    }

    private static (object Real, object Twin)? Apply(Op op, ManualTime time, IBreaker breaker, IBreaker twin, List<(object? Real, object? Twin)> permits)
    {
        switch (op)
        {
            case Op.Enter:
                (CircuitAdmission entry, object? permit) = breaker.Enter();
                (CircuitAdmission twinEntry, object? twinPermit) = twin.Enter();
                if (permit is not null && twinPermit is not null) permits.Add((permit, twinPermit));
                return (entry, twinEntry);
            case Op.BreakPasses:
                time.Advance(Break);
                return null;
            case Op.LeasePasses:
                time.Advance(Lease);
                return null;
            case Op.Isolate:
                breaker.Isolate();
                twin.Isolate();
                return null;
            case Op.Close:
                breaker.Close();
                twin.Close();
                return null;
            case Op.Update:
                return null;
            default:
                if (permits.Count == 0) return null;
                int which = op == Op.NewestIsIgnored ? permits.Count - 1 : 0;
                (object? real, object? other) = permits[which];
                permits.RemoveAt(which);
                Verdict verdict = op switch { Op.OldestSucceeds => Verdict.Success, Op.OldestFails => Verdict.Failure, _ => Verdict.Ignored };
                return (breaker.Exit(real, verdict), twin.Exit(other, verdict));
        }
    }
}
