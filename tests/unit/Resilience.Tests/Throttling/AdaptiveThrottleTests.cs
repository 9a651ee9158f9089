namespace Resilience.Tests.Throttling;

/// <summary>The window, the classes and the options of a throttle that is used alone.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class AdaptiveThrottleTests
{
    private readonly ManualTime _time = new();

    /// <summary>Draws what it is told: which calls are rejected is no chance then.</summary>
    private sealed class Drawn(double value) : Randomness
    {
        public override double NextDouble() => value;
    }

    private AdaptiveThrottle Make(Action<AdaptiveThrottleOptions>? configure = null, double drawn = 0)
    {
        AdaptiveThrottleOptions options = new() { Name = "search" };
        configure?.Invoke(options);
        return new(options, _time, new Drawn(drawn));
    }

    private static void Fail(AdaptiveThrottle throttle, int calls, Criticality criticality = Criticality.Critical)
    {
        for (int i = 0; i < calls; i++) throttle.Record(criticality, isAccepted: false);
    }

    private void Tick() => _time.Advance(TimeSpan.FromMilliseconds(100));

    [Fact]
    public void Calls_are_rejected_by_the_share_of_the_moment_and_the_sentence_says_why()
    {
        AdaptiveThrottle throttle = Make(drawn: 0.6);
        throttle.TryEnter().Should().BeNull("nothing has failed");
        Fail(throttle, 20);
        throttle.TryEnter().Should().BeNull("the share of this tick is known");
        Tick();
        throttle.ShareRejected().Should().BeApproximately(20 / 30.0, 1e-9);
        ThrottleRejection rejection = throttle.TryEnter()!;
        rejection.Reason.Should().Be("search: the dependency is overloaded, it accepted none of the last 20 calls of criticality 'critical', "
            + "so 66.7 % of such calls are rejected here at this moment; the share falls when it accepts more.");
        rejection.ToException().Should().BeOfType<ThrottledException>().Which.Criticality.Should().Be(Criticality.Critical);
        rejection.RetryAfter.Should().BeNull();
        Make(drawn: 0.7).ShareRejected().Should().Be(0);
        throttle.TryEnter().Should().BeSameAs(rejection, "one for each class and tick");
    }

    [Fact]
    public void Each_class_is_throttled_by_its_own_calls()
    {
        AdaptiveThrottle throttle = Make();
        Fail(throttle, 100, Criticality.Sheddable);
        Tick();
        throttle.ShareRejected(Criticality.Sheddable).Should().Be(0.9);
        foreach (Criticality other in (Criticality[])[Criticality.SheddablePlus, Criticality.Critical, Criticality.CriticalPlus])
        {
            throttle.ShareRejected(other).Should().Be(0);
            throttle.TryEnter(other).Should().BeNull();
        }

        throttle.TryEnter(Criticality.Sheddable).Should().NotBeNull();
        ((IPolicyStatus)throttle).GetStatus().Text.Should().Be("90 % of sheddable rejected");
    }

    [Theory]
    [InlineData(5)]
    [InlineData(30)]
    [InlineData(300)]
    public void What_is_older_than_the_window_is_forgotten_also_without_calls(int window)
    {
        AdaptiveThrottle throttle = Make(o => o.Window = TimeSpan.FromSeconds(window));
        Fail(throttle, 100);
        _time.Advance(TimeSpan.FromSeconds(window * 0.9));
        throttle.ShareRejected().Should().Be(0.9, "nine tenths of the window have passed");
        _time.Advance(TimeSpan.FromSeconds(window * 0.1));
        throttle.ShareRejected().Should().Be(0);
        Fail(throttle, 10);
        Tick();
        throttle.ShareRejected().Should().BeApproximately(0.5, 1e-9, "the place of an old bucket counts from zero");
    }

    [Fact]
    public void A_clock_that_begins_below_zero_has_a_window_too()
    {
        _time.Timestamp = -TimeSpan.FromSeconds(3.5).Ticks;
        AdaptiveThrottle throttle = Make(o => o.Window = TimeSpan.FromSeconds(5));
        Fail(throttle, 10);
        Tick();
        throttle.ShareRejected().Should().BeApproximately(0.5, 1e-9);
        _time.Advance(TimeSpan.FromSeconds(4));
        throttle.ShareRejected().Should().BeApproximately(0.5, 1e-9, "across zero");
        _time.Advance(TimeSpan.FromSeconds(1));
        throttle.ShareRejected().Should().Be(0);
    }

    [Fact]
    public void An_update_keeps_what_was_counted_unless_the_window_has_another_length()
    {
        AdaptiveThrottle throttle = Make();
        Fail(throttle, 100);
        Tick();
        throttle.Update(new() { MaxRejection = 0.5 });
        throttle.ShareRejected().Should().Be(0.5);
        throttle.Update(new() { Window = TimeSpan.FromSeconds(60) });
        throttle.ShareRejected().Should().Be(0);
        throttle.Invoking(t => t.Update(new() { K = 1 })).Should().Throw<ResilienceOptionsException>();
    }

    [Fact]
    public void Everything_out_of_range_is_named_in_one_message()
    {
        AdaptiveThrottleOptions wrong = new() { K = 1, Window = TimeSpan.FromSeconds(4), MaxRejection = 1, Padding = 0, Counts = (ThrottleCounts)7 };
        string message = FluentActions.Invoking(() => new AdaptiveThrottle(wrong)).Should().Throw<ResilienceOptionsException>().Which.Message;
        foreach (string name in (string[])["K", "Window", "MaxRejection", "Padding", "Counts"]) message.Should().Contain(name);
        foreach (double k in (double[])[double.NaN, double.PositiveInfinity, 0, 10.5])
            FluentActions.Invoking(() => new AdaptiveThrottle(new() { K = k })).Should().Throw<ResilienceOptionsException>();
        FluentActions.Invoking(() => Make().TryEnter((Criticality)4)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => Make().Record((Criticality)(-1), true)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => new CallOptions { Criticality = (Criticality)4 }).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Options_that_are_changed_afterwards_change_nothing()
    {
        AdaptiveThrottleOptions options = new();
        AdaptiveThrottle throttle = new(options, _time, new Drawn(0));
        options.MaxRejection = 0;
        Fail(throttle, 100);
        Tick();
        throttle.ShareRejected().Should().Be(0.9);
    }

    /// <summary>Many threads, buckets that change under them: no call is counted twice, and none is lost but in a bucket that has left the window.</summary>
    [Fact]
    public void Calls_of_many_threads_are_all_counted_while_the_buckets_turn()
    {
        ThrottleWindow window = new(bucketMs: 10);
        long now = 0;
        Parallel.For(0, 8, thread =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                long at = Volatile.Read(ref now);
                window.Count(at, (Criticality)(thread % 4), isAccepted: i % 2 == 0);
                if (i % 4000 == 0 && at < 80) Interlocked.Add(ref now, 10);
            }
        });
        (long ended, long accepted) = (0, 0);
        foreach (Criticality criticality in AdaptiveThrottle.Criticalities)
        {
            (long sent, long good) = window.Sum(Volatile.Read(ref now), criticality);
            sent.Should().Be(40_000);
            (ended, accepted) = (ended + sent, accepted + good);
        }

        (ended, accepted).Should().Be((160_000, 80_000));
    }

    [Fact]
    public void A_generator_that_throws_rejects_nothing()
    {
        AdaptiveThrottle throttle = new(new(), _time, new Broken());
        Fail(throttle, 100);
        Tick();
        throttle.TryEnter().Should().BeNull();
    }

    private sealed class Broken : Randomness
    {
        public override double NextDouble() => throw new InvalidOperationException();
    }
}
