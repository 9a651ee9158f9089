using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Timeouts;

/// <summary>The scanner on a clock that we move: when it looks, when it stops, and that no arming is lost.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class TimeoutScannerTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Clock _clock;
    private readonly TimeoutScanner _scanner;

    public TimeoutScannerTests()
    {
        _clock = Clock.For(_time);
        _scanner = new(_clock);
    }

    private TimeoutSource Make()
    {
        TimeoutSource source = new(_scanner, isPooled: true);
        _scanner.TryRegister(source).Should().BeTrue();
        return source;
    }

    private void Arm(TimeoutSource source, int ms) => source.Arm(_clock.NowMs + ms);

    /// <summary>Moves the clock in small steps: in one leap a timer that sets itself anew rings only once.</summary>
    private void Pass(int ms)
    {
        for (int passed = 0; passed < ms; passed += 10) _time.Advance(TimeSpan.FromMilliseconds(10));
    }

    private static Task Cancelled(TimeoutSource source)
    {
        TaskCompletionSource heard = new(TaskCreationOptions.RunContinuationsAsynchronously);
        source.Token.Register(heard.SetResult);
        return heard.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Theory]
    [InlineData(200)]
    [InlineData(207)]
    [InlineData(1000)]
    [InlineData(86_400_000)]
    public async Task Fires_when_the_time_has_come_not_before_and_at_most_one_short_sleep_after(int ms)
    {
        TimeoutSource source = Make();
        Arm(source, ms);
        _time.Advance(TimeSpan.FromMilliseconds(ms - 1));
        source.DueMs.Should().BePositive("it is armed and not due");
        _time.Advance(TimeSpan.FromMilliseconds(1 + TimeoutScanner.ShortestSleepMs));
        source.DueMs.Should().Be(-1, "it has fired");
        await Cancelled(source);
    }

    [Fact]
    public async Task Sources_armed_while_it_sleeps_are_found_in_time()
    {
        TimeoutSource late = Make(), early = Make();
        Arm(late, 5000);
        _time.Advance(TimeSpan.FromMilliseconds(150));
        Arm(early, 200);
        _time.Advance(TimeSpan.FromMilliseconds(200 + TimeoutScanner.ShortestSleepMs));
        early.DueMs.Should().Be(-1);
        late.DueMs.Should().BePositive();
        await Cancelled(early);
    }

    [Fact]
    public void Stops_when_nothing_is_armed_and_starts_when_something_is()
    {
        TimeoutSource source = Make();
        _scanner.IsRunning.Should().BeFalse("nothing has been armed yet");
        for (int round = 0; round < 3; round++)
        {
            Arm(source, 10_000);
            _scanner.IsRunning.Should().BeTrue();
            _time.Advance(TimeSpan.FromSeconds(9));
            _scanner.IsRunning.Should().BeTrue("something is armed");
            source.Disarm(out bool reusable).Should().BeFalse();
            reusable.Should().BeTrue();
            Pass(TimeoutScanner.MaxSleepMs * (TimeoutScanner.IdleLooksBeforeStop - 2));
            _scanner.IsRunning.Should().BeTrue("it gives new calls some time to come");
            Pass(TimeoutScanner.MaxSleepMs * 3);
            _scanner.IsRunning.Should().BeFalse("nothing came");
        }

        Arm(source, 300);
        _time.Advance(TimeSpan.FromMilliseconds(300 + TimeoutScanner.ShortestSleepMs));
        source.DueMs.Should().Be(-1, "it works after a rest");
    }

    [Fact]
    public void A_source_that_is_forgotten_leaves_its_place_to_another()
    {
        TimeoutSource[] sources = [.. Enumerable.Range(0, 200).Select(_ => Make())];
        foreach (TimeoutSource source in sources[..150]) _scanner.Forget(source);
        _scanner.Count.Should().Be(50);
        TimeoutSource next = Make();
        next.Index.Should().BeLessThan(200, "places are used again");
        _scanner.Forget(sources[0]);
        _scanner.Count.Should().Be(51, "forgetting twice is harmless");
    }

    /// <summary>The moment at which the scanner stops while a source is armed, for ours and for wrong ones.</summary>
    private interface IStopping
    {
        void Arm();

        void StopIfIdle();

        /// <summary>Something is armed, and no timer is set that would find it.</summary>
        bool IsLost { get; }
    }

    private sealed class Ours : IStopping
    {
        private readonly HeldTimers _time = new();
        private readonly TimeoutScanner _scanner;
        private readonly TimeoutSource _source;

        public Ours()
        {
            _scanner = new(Clock.For(_time));
            _source = new(_scanner, isPooled: true);
            _scanner.TryRegister(_source);
            _source.Arm(Clock.Never - 1);
            _source.Disarm(out _);
            for (int i = 1; i < TimeoutScanner.IdleLooksBeforeStop; i++) _scanner.Look();
        }

        public bool IsLost => _source.DueMs > 0 && !(_scanner.IsRunning && _time.IsSet);

        public void Arm() => _source.Arm(Clock.Never - 1);

        public void StopIfIdle() => _scanner.Look();
    }

    private enum Flaw
    {
        None,
        LooksThenStops,
        SilencesItsTimerLast,
        ForgetsTheBarrier,
    }

    /// <summary>The protocol alone, right or with a planted flaw.</summary>
    private sealed class Copy(Flaw flaw) : IStopping
    {
        private int _due, _isRunning = 1, _isSet = 1;

        public bool IsLost => _due > 0 && _isSet == 0;

        public void Arm()
        {
            Volatile.Write(ref _due, 1);
            if (Volatile.Read(ref _isRunning) == 0) Start();
        }

        public void StopIfIdle()
        {
            if (Volatile.Read(ref _due) > 0) return;
            if (flaw == Flaw.LooksThenStops) Thread.SpinWait(200); // a look at a table takes its time
            if (flaw != Flaw.SilencesItsTimerLast) Volatile.Write(ref _isSet, 0);
            Volatile.Write(ref _isRunning, 0);
            if (flaw != Flaw.ForgetsTheBarrier) Interlocked.MemoryBarrierProcessWide();
            if (flaw == Flaw.SilencesItsTimerLast) Volatile.Write(ref _isSet, 0);
            if (flaw != Flaw.LooksThenStops && Volatile.Read(ref _due) > 0) Start();
        }

        private void Start()
        {
            if (Interlocked.CompareExchange(ref _isRunning, 1, 0) == 0) Volatile.Write(ref _isSet, 1);
        }
    }

    [Fact]
    public void No_arming_is_lost_when_the_scanner_stops_at_that_moment() => FindsALoss(() => new Ours(), 150_000).Should().BeFalse();

    [Fact]
    public void No_arming_is_lost_by_the_protocol_alone() => FindsALoss(() => new Copy(Flaw.None), 200_000).Should().BeFalse();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_check_finds_a_scanner_that_stops_in_the_wrong_order(int flaw) => FindsALoss(() => new Copy((Flaw)flaw), 5_000_000).Should().BeTrue();

    private static int Moment;

    private static bool FindsALoss(Func<IStopping> make, int rounds)
    {
        IStopping scanner = null!;
        bool lost = false;
        Together.Run(2, rounds, _ => scanner = make(), (thread, round) =>
        {
            if (thread == 0)
            {
                scanner.StopIfIdle();
                return;
            }

            for (int i = round % 2 * (round % 128); i > 0; i--) Volatile.Write(ref Moment, i); // so that the two meet at every moment of the stop
            scanner.Arm();
        }, _ => lost |= scanner.IsLost, () => lost);
        return lost;
    }
}
