namespace Resilience.Tests.Hedging;

/// <summary>When the next attempt of a race is due, against a plain model that reads the whole history each time: all histories up to a depth.</summary>
public sealed class HedgingScheduleTests
{
    private const int Depth = 4;

    private enum What
    {
        Started,
        Failed,
        Asked,
        Throttled,
    }

    /// <summary>One event: when, what, and the delay of what was started or the wait that was asked for.</summary>
    private readonly record struct Happened(long AtMs, What What, long SpanMs);

    /// <summary>The rules as the race uses them; a flawed copy overrides one answer.</summary>
    private class Subject
    {
        public virtual HedgingSchedule After(HedgingSchedule schedule, Happened now) => now.What switch
        {
            What.Started => schedule.OnStarted(now.AtMs, now.SpanMs),
            What.Failed => schedule.OnFailed(now.AtMs),
            What.Asked => schedule.OnAsked(now.AtMs, now.SpanMs),
            _ => schedule.OnThrottled(now.AtMs),
        };

        public virtual long Next(HedgingSchedule schedule) => schedule.NextMs;
    }

    /// <summary>The specification: what comes last decides when the next attempt is due, and everything that was ever asked for holds it.</summary>
    private static long Expected(IReadOnlyList<Happened> history)
    {
        long due = Clock.Never, held = long.MinValue;
        for (int i = 0; i < history.Count; i++)
        {
            Happened one = history[i];
            long then = one.SpanMs == Clock.Never ? Clock.Never : one.AtMs + one.SpanMs;
            switch (one.What)
            {
                case What.Started: due = then; break;
                case What.Failed: due = Math.Min(due, one.AtMs); break;
                case What.Asked: (due, held) = (then, Math.Max(held, then)); break;
                default:
                    long next = Expected([.. history.Take(i)]);
                    held = next > one.AtMs ? next : Clock.Never;
                    break;
            }
        }

        return Math.Max(due, held);
    }

    private static readonly (What What, long SpanMs)[] Events =
    [
        (What.Started, 10), (What.Started, 0), (What.Started, Clock.Never), (What.Failed, 0), (What.Asked, 0), (What.Asked, 4), (What.Asked, 40),
        (What.Throttled, 0),
    ];

    private static string? FirstDifference(Subject subject, out int histories)
    {
        int walked = 0;
        string? found = Walk(subject, HedgingSchedule.Empty, [], ref walked);
        histories = walked;
        return found;
    }

    private static string? Walk(Subject subject, HedgingSchedule schedule, List<Happened> history, ref int walked)
    {
        walked++;
        if (history.Count > 0 && subject.Next(schedule) != Expected(history)) return string.Join(", ", history);
        if (history.Count > Depth) return null;
        foreach ((What what, long span) in history.Count == 0 ? Events.Take(3) : Events)
        {
            foreach (long passed in history.Count == 0 ? [0L] : (long[])[0, 3, 15])
            {
                Happened next = new(history.Count == 0 ? 0 : history[^1].AtMs + passed, what, span);
                if (Walk(subject, subject.After(schedule, next), [.. history, next], ref walked) is { } difference) return difference;
            }
        }

        return null;
    }

    [Fact]
    public void Every_history_gives_the_moment_of_the_model()
    {
        FirstDifference(new Subject(), out int histories).Should().BeNull();
        histories.Should().BeGreaterThan(100_000);
    }

    private sealed class ForgetsTheHoldWhenAnAttemptStarts : Subject
    {
        public override HedgingSchedule After(HedgingSchedule schedule, Happened now) =>
            now.What == What.Started ? base.After(schedule, now) with { HeldUntilMs = long.MinValue } : base.After(schedule, now);
    }

    private sealed class StartsAtOnceAfterAnyFailure : Subject
    {
        public override long Next(HedgingSchedule schedule) => schedule.DueMs;
    }

    private sealed class WaitsForTheDelayToo : Subject
    {
        public override HedgingSchedule After(HedgingSchedule schedule, Happened now) =>
            now.What == What.Asked ? base.After(schedule, now) with { DueMs = Math.Max(schedule.DueMs, now.AtMs + now.SpanMs) } : base.After(schedule, now);
    }

    private sealed class IsShortenedByTheLatest : Subject
    {
        public override HedgingSchedule After(HedgingSchedule schedule, Happened now) =>
            now.What == What.Asked ? base.After(schedule, now) with { HeldUntilMs = now.AtMs + now.SpanMs } : base.After(schedule, now);
    }

    private sealed class TakesAThrottledOneForAnyFailure : Subject
    {
        public override HedgingSchedule After(HedgingSchedule schedule, Happened now) =>
            base.After(schedule, now.What == What.Throttled ? now with { What = What.Failed } : now);
    }

    private sealed class StartsAtOnceWhereThereIsNoDelay : Subject
    {
        public override HedgingSchedule After(HedgingSchedule schedule, Happened now) =>
            now.What == What.Throttled && schedule.NextMs <= now.AtMs ? schedule : base.After(schedule, now);
    }

    [Fact]
    public void The_model_finds_each_planted_flaw()
    {
        Subject[] flawed =
        [
            new ForgetsTheHoldWhenAnAttemptStarts(), new StartsAtOnceAfterAnyFailure(), new WaitsForTheDelayToo(), new IsShortenedByTheLatest(),
            new TakesAThrottledOneForAnyFailure(), new StartsAtOnceWhereThereIsNoDelay(),
        ];
        foreach (Subject subject in flawed) FirstDifference(subject, out _).Should().NotBeNull("{0} is a flaw", subject.GetType().Name);
    }
}
