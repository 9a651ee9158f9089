namespace Resilience.Tests.Hedging;

/// <summary>The rules of a race against a plain model: every sequence of events up to a depth, for each number of attempts.</summary>
public sealed class HedgingRulesTests
{
    private const int Depth = 8;

    /// <summary>What can happen to a race, one letter each: an attempt starts, or is stopped; one ends; the delay is over.</summary>
    private enum What
    {
        Started,
        Skipped,
        Succeeded,
        Failed,
        Ignored,
        Rejected,
        Delayed,
    }

    /// <summary>The rules as the race uses them; a flawed copy overrides one answer.</summary>
    private class Subject(int max)
    {
        protected HedgingRules Rules { get; } = new(max);

        public virtual bool MayStart(HedgingState state) => Rules.MayStart(state);

        public virtual (HedgingState, HedgingMove) Ended(HedgingState state, Verdict verdict) => Rules.OnEnded(state, verdict);

        public virtual HedgingMove Delay(HedgingState state) => Rules.OnDelay(state);

        public virtual (HedgingState, HedgingMove) Skipped(HedgingState state) => HedgingRules.OnSkipped(state);
    }

    /// <summary>The specification, read from the whole history each time.</summary>
    private static HedgingMove Expected(List<What> history, int max)
    {
        int started = history.Count(w => w == What.Started);
        int running = started - history.Count(w => w is What.Succeeded or What.Failed or What.Ignored or What.Rejected);
        bool isLeft = started < max && !history.Contains(What.Skipped);
        return history[^1] switch
        {
            What.Succeeded or What.Ignored => HedgingMove.EndWithThis,
            What.Failed or What.Delayed when isLeft => HedgingMove.Start,
            What.Rejected when isLeft => HedgingMove.StartElsewhere,
            _ => running > 0 ? HedgingMove.Wait : HedgingMove.EndWithKept,
        };
    }

    /// <summary>Walks all histories; answers with the first on which subject and model differ, or null, and counts them.</summary>
    private static string? FirstDifference(Subject subject, int max, out int histories)
    {
        int walked = 0;
        string? found = Walk(subject, max, HedgingRules.OnStarted(default), HedgingMove.Wait, [What.Started], ref walked);
        histories = walked;
        return found;
    }

    private static string? Walk(Subject subject, int max, HedgingState state, HedgingMove move, List<What> history, ref int walked)
    {
        walked++;
        if (history.Count > 1 && move != (history[^1] == What.Started ? HedgingMove.Wait : Expected(history, max)))
            return $"{string.Join(" ", history)}: {move}";
        int running = history.Count(w => w == What.Started) - history.Count(w => w is What.Succeeded or What.Failed or What.Ignored or What.Rejected);
        if (state.Running != running) return $"{string.Join(" ", history)}: {state.Running} under way";
        if (history.Count == Depth || move is HedgingMove.EndWithThis or HedgingMove.EndWithKept) return null;
        foreach (What next in Enum.GetValues<What>())
        {
            bool isStart = move is HedgingMove.Start or HedgingMove.StartElsewhere;
            if (isStart != next is What.Started or What.Skipped) continue;
            if (next == What.Delayed && !subject.MayStart(state)) continue;
            (HedgingState after, HedgingMove then) = next switch
            {
                What.Started => (HedgingRules.OnStarted(state), HedgingMove.Wait),
                What.Skipped => subject.Skipped(state),
                What.Delayed => (state, subject.Delay(state)),
                What.Succeeded => subject.Ended(state, Verdict.Success),
                What.Failed => subject.Ended(state, Verdict.Failure),
                What.Ignored => subject.Ended(state, Verdict.Ignored),
                _ => subject.Ended(state, Verdict.Rejected),
            };
            if (Walk(subject, max, after, then, [.. history, next], ref walked) is { } difference) return difference;
        }

        return null;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Every_history_ends_as_the_model_says(int max)
    {
        FirstDifference(new Subject(max), max, out int histories).Should().BeNull();
        histories.Should().BeGreaterThan(max == 1 ? 4 : 10 * max);
    }

    private sealed class StartsOneTooMany(int max) : Subject(max)
    {
        public override bool MayStart(HedgingState state) => !state.IsClosed && state.Started <= Rules.MaxAttempts;

        public override HedgingMove Delay(HedgingState state) => MayStart(state) ? HedgingMove.Start : base.Delay(state);
    }

    private sealed class WaitsAfterAFailure(int max) : Subject(max)
    {
        public override (HedgingState, HedgingMove) Ended(HedgingState state, Verdict verdict) => base.Ended(state, verdict) switch
        {
            (HedgingState next, HedgingMove.Start) when next.Running > 0 => (next, HedgingMove.Wait),
            var other => other,
        };
    }

    private sealed class MeetsTheRejectionAgain(int max) : Subject(max)
    {
        public override (HedgingState, HedgingMove) Ended(HedgingState state, Verdict verdict) =>
            base.Ended(state, verdict == Verdict.Rejected ? Verdict.Failure : verdict);
    }

    private sealed class RepeatsWhatIsIgnored(int max) : Subject(max)
    {
        public override (HedgingState, HedgingMove) Ended(HedgingState state, Verdict verdict) =>
            base.Ended(state, verdict == Verdict.Ignored ? Verdict.Failure : verdict);
    }

    private sealed class ForgetsTheSkip(int max) : Subject(max)
    {
        public override (HedgingState, HedgingMove) Skipped(HedgingState state) => (state, base.Skipped(state).Item2);
    }

    private sealed class LeavesWhileOthersRun(int max) : Subject(max)
    {
        public override (HedgingState, HedgingMove) Ended(HedgingState state, Verdict verdict) => base.Ended(state, verdict) switch
        {
            (HedgingState next, HedgingMove.Wait) => (next, HedgingMove.EndWithKept),
            var other => other,
        };
    }

    private sealed class LosesCount(int max) : Subject(max)
    {
        public override (HedgingState, HedgingMove) Ended(HedgingState state, Verdict verdict)
        {
            (HedgingState next, HedgingMove move) = base.Ended(state, verdict);
            return (verdict == Verdict.Rejected ? next with { Running = state.Running } : next, move);
        }
    }

    [Fact]
    public void The_model_finds_each_planted_flaw()
    {
        Subject[] flawed =
        [
            new StartsOneTooMany(3), new WaitsAfterAFailure(3), new MeetsTheRejectionAgain(3), new RepeatsWhatIsIgnored(3), new ForgetsTheSkip(3),
            new LeavesWhileOthersRun(3), new LosesCount(3),
        ];
        foreach (Subject subject in flawed) FirstDifference(subject, 3, out _).Should().NotBeNull("{0} is a flaw", subject.GetType().Name);
    }
}
