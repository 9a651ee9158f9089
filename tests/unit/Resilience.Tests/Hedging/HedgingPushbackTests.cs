namespace Resilience.Tests.Hedging;

/// <summary>At which millisecond each attempt of a race goes out, with servers that ask for patience.</summary>
public sealed class HedgingPushbackTests
{
    /// <summary>What each attempt does: after how many milliseconds it ends, and with what. 429/50 asks for 50 ms, 429 does not say how long.</summary>
    private static long[] Starts(string delay, int max, params string[] attempts)
    {
        SteppedTime time = new();
        List<long> starts = [];
        ResiliencePipeline<string> pipeline = new ResiliencePipelineBuilder<string> { TimeProvider = time }
            .Classify(rules => rules
                .OnResult<string>(static result => result.StartsWith("429/", StringComparison.Ordinal)
                    ? Classification.Throttled(TimeSpan.FromMilliseconds(int.Parse(result[4..], null)))
                    : null)
                .OnResult<string>(static result => result switch
                {
                    "429" => Classification.Throttled(),
                    "500" => Verdict.Failure,
                    "503/30" => new Classification(Verdict.Failure) { RetryAfter = TimeSpan.FromMilliseconds(30) },
                    _ => null,
                })
                .On<InvalidOperationException>(Verdict.Rejected))
            .AddHedging(o =>
            {
                o.MaxAttempts = max;
                o.Delay = delay == "never" ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(int.Parse(delay, null));
                o.Budget = RetryBudget.Unlimited;
            }).Build();
        SynchronizationContext? former = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null); // that of the test would send the end of a task to another thread
        try
        {
            time.RunUntil(pipeline.TryExecuteAsync(async token =>
            {
                string[] script = starts.Count < attempts.Length ? attempts[starts.Count].Split(' ') : ["1000", "ok"];
                starts.Add(time.NowMs);
                if (script[0] != "0") await PassAsync(time, int.Parse(script[0], null), token).ConfigureAwait(false);
                return script[1] == "rejected" ? throw new InvalidOperationException("rejected") : script[1];
            }).AsTask());
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(former);
        }

        return [.. starts];
    }

    private static async Task PassAsync(SteppedTime time, int ms, CancellationToken token)
    {
        TaskCompletionSource passed = new();
        await using ITimer timer = time.CreateTimer(_ => passed.TrySetResult(), null, TimeSpan.FromMilliseconds(ms), Timeout.InfiniteTimeSpan);
        await using CancellationTokenRegistration cancelled = token.Register(() => passed.TrySetCanceled(token));
        await passed.Task.ConfigureAwait(false);
    }

    [Theory]
    [InlineData("10", 2, "0 8", "3 429/5")] // exactly 5 ms later, not when the delay is over
    [InlineData("10", 2, "0 103", "3 429/100")] // and not before
    [InlineData("10", 3, "0 103 113", "3 429/100")] // from then on by the delay again
    [InlineData("10", 2, "0 33", "3 503/30")] // whatever the status
    [InlineData("10", 2, "0 10", "3 429")] // does not say how long: when the delay is over
    [InlineData("never", 2, "0 53", "3 429/50")]
    [InlineData("never", 2, "0", "3 429")]
    [InlineData("0", 3, "0", "0 429")] // there is no delay that could go on
    [InlineData("10", 2, "0 3", "3 429/0")] // it may come back at once, and it says so
    [InlineData("10", 2, "0 3", "3 500")]
    [InlineData("10", 3, "0 10 62", "20 500", "2 429/50")] // the failure of one does not shorten what another has asked for
    [InlineData("10", 4, "0 10 62 62", "20 500", "2 429/50", "0 500")] // what is due by then starts then, and no sooner
    [InlineData("7", 3, "0 7 14", "16 500", "2 429")] // the delay of the second goes on
    [InlineData("7", 4, "0 7 14 16", "16 500", "2 429")] // and when it is over the first may start another
    [InlineData("10", 4, "0 10 62", "20 429/5", "2 429/50", "1 ok")] // nor does a later word that asks for less
    [InlineData("10", 3, "0 10 72", "32 429/40", "2 429/50")] // each is counted from its own failure
    [InlineData("10", 3, "0 10 62", "20 rejected", "2 429/50")] // a rejection adds nothing to a wait
    public void Attempts_start_at_these_milliseconds(string delay, int max, string expected, params string[] attempts) =>
        string.Join(" ", Starts(delay, max, attempts)).Should().Be(expected);

    /// <summary>Whatever three attempts do: none starts before what any of those before it has asked for.</summary>
    [Fact]
    public void No_attempt_starts_within_a_wait_that_was_asked_for()
    {
        string[] ends = ["0 500", "4 500", "13 500", "4 429", "13 429", "0 429/6", "4 429/6", "13 429/6", "4 429/60", "13 429/60", "1000 ok"];
        int races = 0, held = 0;
        foreach (string delay in (string[])["5", "9", "never"])
        {
            foreach (string[] attempts in from a in ends from b in ends from c in ends select (string[])[a, b, c])
            {
                long[] starts = Starts(delay, 4, attempts);
                races++;
                for (int i = 0; i < Math.Min(starts.Length, 3); i++)
                {
                    string[] script = attempts[i].Split(' ');
                    if (!script[1].StartsWith("429/", StringComparison.Ordinal)) continue;
                    long endedMs = starts[i] + int.Parse(script[0], null), untilMs = endedMs + int.Parse(script[1][4..], null);
                    held += starts.Count(start => start == untilMs);
                    starts.Skip(i + 1).Where(start => start > endedMs && start < untilMs).Should()
                        .BeEmpty("{0} with {1}: {2}", string.Join(" | ", attempts), delay, string.Join(" ", starts));
                }
            }
        }

        (races, held > 500).Should().Be((3 * ends.Length * ends.Length * ends.Length, true));
    }
}
