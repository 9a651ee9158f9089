using Resilience.Tests.Allocation;

namespace Resilience.Tests.Endpoints;

/// <summary>The choice, the ejection and the return of endpoints, on a clock that the test moves.</summary>
public sealed class EndpointSetTests
{
    private readonly WatchedTime _time = new();
    private readonly List<ResilienceEvent> _events = [];

    private EndpointSet New(int endpoints, Action<EndpointSetOptions>? change = null, EndpointTerms? terms = null)
    {
        EndpointSetOptions options = new();
        for (int i = 0; i < endpoints; i++) options.Addresses.Add(new($"http://10.0.0.{i}"));
        change?.Invoke(options);
        return new(options, PolicyEnvironment.Standalone("endpoints", _time, Randomness.Seeded(7), _events.Add), terms, "test");
    }

    private void Call(EndpointSet set, TargetEndpoint endpoint, EndpointEnd end, double ms = 10)
    {
        TargetEndpoint[] others = [.. set.Endpoints.Where(e => e != endpoint)];
        EndpointPick pick = set.TryPick(others)!.Value;
        pick.Endpoint.Should().BeSameAs(endpoint);
        _time.Advance(TimeSpan.FromMilliseconds(ms));
        set.Release(pick, end);
    }

    private void Fail(EndpointSet set, int index, int times = 5)
    {
        for (int i = 0; i < times; i++) Call(set, set.Endpoints[index], EndpointEnd.Failed, 1);
    }

    [Fact]
    public void Of_two_the_less_loaded_is_chosen_and_a_fast_failure_is_no_low_latency()
    {
        EndpointSet set = New(2);
        Call(set, set.Endpoints[0], EndpointEnd.Answered, 10);
        Call(set, set.Endpoints[1], EndpointEnd.Failed, 1);
        set.Endpoints[1].CostMs.Should().BeApproximately(1000, 1);
        for (int i = 0; i < 50; i++) CallAny(set).Should().BeSameAs(set.Endpoints[0]);
    }

    private static TargetEndpoint CallAny(EndpointSet set)
    {
        EndpointPick pick = set.TryPick()!.Value;
        set.Release(pick, EndpointEnd.Answered);
        return pick.Endpoint;
    }

    [Fact]
    public void Calls_under_way_count_and_an_unknown_endpoint_gets_one_call_first()
    {
        EndpointSet set = New(2);
        EndpointPick first = set.TryPick()!.Value, second = set.TryPick()!.Value;
        second.Endpoint.Should().NotBeSameAs(first.Endpoint);
        (first.Endpoint.Pending, first.Endpoint.Load).Should().Be((1, double.PositiveInfinity));
        _time.Advance(TimeSpan.FromMilliseconds(10));
        set.Release(first, EndpointEnd.Answered);
        (first.Endpoint.Pending, first.Endpoint.Load).Should().Be((0, 10));
        set.Release(second, EndpointEnd.NotSent);
        second.Endpoint.Load.Should().Be(0, "nothing was sent, and nothing is known");
    }

    [Fact]
    public void Each_in_its_turn_and_the_first_that_may_be_used()
    {
        EndpointSet turns = New(3, o => o.Choice = EndpointChoice.RoundRobin);
        Enumerable.Range(0, 6).Select(_ => Array.IndexOf([.. turns.Endpoints], CallAny(turns))).Should().Equal(1, 2, 0, 1, 2, 0);
        EndpointSet ordered = New(3, o => o.Choice = EndpointChoice.Ordered);
        CallAny(ordered).Should().BeSameAs(ordered.Endpoints[0]);
        Fail(ordered, 0);
        CallAny(ordered).Should().BeSameAs(ordered.Endpoints[1]);
    }

    [Fact]
    public void What_was_tried_is_chosen_only_where_there_is_no_other()
    {
        EndpointSet set = New(3);
        for (int i = 0; i < 20; i++)
        {
            EndpointPick pick = set.TryPick(set.Endpoints[0], set.Endpoints[1])!.Value;
            pick.Endpoint.Should().BeSameAs(set.Endpoints[2]);
            set.Release(pick, EndpointEnd.Answered);
        }

        set.TryPick([.. set.Endpoints]).Should().NotBeNull();
        New(0).TryPick().Should().BeNull();
    }

    [Fact]
    public void Five_failures_in_a_row_leave_an_endpoint_out_and_it_comes_back_by_three_single_calls()
    {
        EndpointSet set = New(4);
        TargetEndpoint bad = set.Endpoints[2];
        Fail(set, 2, 4);
        bad.IsEjected.Should().BeFalse();
        Fail(set, 2, 1);
        bad.IsEjected.Should().BeTrue();
        EndpointEjected ejected = _events.OfType<EndpointEjected>().Single();
        (ejected.Index, ejected.Reason, ejected.Duration, ejected.Address)
            .Should().Be((2, EjectionReason.ConsecutiveFailures, TimeSpan.FromSeconds(30), bad.Address));
        for (int i = 0; i < 100; i++) CallAny(set).Should().NotBeSameAs(bad);
        _time.Advance(TimeSpan.FromSeconds(30));
        for (int good = 0; good < 3; good++)
        {
            EndpointPick probe = set.TryPick()!.Value;
            (probe.Endpoint, probe.IsProbe).Should().Be((bad, true));
            EndpointPick beside = set.TryPick()!.Value;
            beside.Endpoint.Should().NotBeSameAs(bad, "one call at a time");
            set.Release(beside, EndpointEnd.Answered);
            set.Release(probe, EndpointEnd.Answered);
        }

        (bad.IsEjected, set.Ejected).Should().Be((false, 0));
        _events.OfType<EndpointReadmitted>().Single().Index.Should().Be(2);
    }

    [Fact]
    public void A_call_that_finds_it_still_bad_leaves_it_out_for_longer_and_one_that_says_nothing_decides_nothing()
    {
        EndpointSet set = New(4);
        Fail(set, 1);
        _time.Advance(TimeSpan.FromSeconds(30));
        set.Release(set.TryPick()!.Value, EndpointEnd.Cut);
        EndpointPick again = set.TryPick()!.Value;
        again.IsProbe.Should().BeTrue("the one before said nothing");
        set.Release(again, EndpointEnd.Failed);
        _events.OfType<EndpointEjected>().Select(e => (e.Reason, e.Duration)).Should().Equal(
            (EjectionReason.ConsecutiveFailures, TimeSpan.FromSeconds(30)), (EjectionReason.FailedAgain, TimeSpan.FromSeconds(60)));
        _time.Advance(TimeSpan.FromSeconds(59));
        for (int i = 0; i < 20; i++) CallAny(set).Should().NotBeSameAs(set.Endpoints[1]);
    }

    [Fact]
    public void No_more_than_the_share_are_left_out_and_when_most_fail_all_are_used()
    {
        EndpointSet set = New(10);
        for (int i = 0; i < 5; i++) Fail(set, i);
        (set.Ejected, set.IsPanic).Should().Be((3, false));
        for (int i = 5; i < 7; i++) Fail(set, i);
        _time.Advance(TimeSpan.FromSeconds(2));
        CallAny(set);
        (set.Ejected, set.IsPanic).Should().Be((3, true), "seven of ten fail");
        int before = _events.Count;
        for (int round = 0; round < 3; round++) Fail(set, 6);
        _events.Count.Should().Be(before, "nothing is left out, and no time grows, while all are used");
        set.Endpoints.Max(e => e.Health.Level).Should().Be(1);
    }

    [Fact]
    public void An_endpoint_that_is_slow_in_two_intervals_is_left_out()
    {
        EndpointSet set = New(4, o => o.Ejection!.ConsecutiveFailures = 1000);
        for (int interval = 0; interval < 3; interval++)
        {
            for (int i = 0; i < 40; i++) Call(set, set.Endpoints[i % 4], EndpointEnd.Answered, i % 4 == 3 ? 100 : 5);
            _time.Advance(TimeSpan.FromSeconds(2));
            CallAny(set);
            set.Endpoints[3].IsEjected.Should().Be(interval >= 1);
            if (set.Endpoints[3].IsEjected) break;
        }

        _events.OfType<EndpointEjected>().Single().Reason.Should().Be(EjectionReason.Slow);
    }

    [Fact]
    public void An_endpoint_of_whose_calls_half_fail_is_left_out()
    {
        EndpointSet set = New(4);
        for (int i = 0; i < 12; i++) Call(set, set.Endpoints[0], i % 2 == 0 ? EndpointEnd.Failed : EndpointEnd.Answered, 1);
        _time.Advance(TimeSpan.FromSeconds(2));
        CallAny(set);
        _events.OfType<EndpointEjected>().Single().Reason.Should().Be(EjectionReason.FailureShare);
    }

    [Fact]
    public void One_that_asks_for_patience_is_asked_less_and_not_left_out()
    {
        EndpointSet set = New(4);
        for (int i = 0; i < 50; i++) Call(set, set.Endpoints[0], EndpointEnd.Throttled, 1);
        (set.Endpoints[0].IsEjected, set.Endpoints[0].CostMs > 900).Should().Be((false, true));
    }

    [Fact]
    public void Another_list_keeps_what_is_known_and_frees_the_places_of_those_that_are_gone()
    {
        EndpointSet set = New(4);
        Fail(set, 0);
        TargetEndpoint kept = set.Endpoints[1], gone = set.Endpoints[0];
        set.SetAddresses([new("http://10.0.0.1"), new("http://10.0.0.9"), new("http://10.0.0.9")]);
        set.Endpoints.Select(e => e.Address.Host).Should().Equal("10.0.0.1", "10.0.0.9");
        (set.Endpoints[0], set.Ejected, gone.IsEjected).Should().Be((kept, 0, false));
        set.Invoking(s => s.SetAddresses([new("x", UriKind.Relative)])).Should().Throw<ArgumentException>();
        set.Endpoints.Should().HaveCount(2);
    }

    [Fact]
    public void A_load_of_the_users_decides_and_what_throws_counts_as_ours()
    {
        EndpointSet set = New(2, o => o.Load = new ByPort());
        for (int i = 0; i < 20; i++) CallAny(set).Should().BeSameAs(set.Endpoints[1]);
        EndpointSet broken = New(2, o => o.Load = new Broken());
        CallAny(broken).Should().NotBeNull();
    }

    private sealed class ByPort : IEndpointLoad
    {
        public double LoadOf(TargetEndpoint endpoint) => endpoint.Address.Host.EndsWith('1') ? 1 : 2;
    }

    private sealed class Broken : IEndpointLoad
    {
        public double LoadOf(TargetEndpoint endpoint) => throw new InvalidOperationException("planted");
    }

    [Fact]
    public void A_choice_allocates_nothing()
    {
        EndpointSet set = new(new EndpointSetOptions { Addresses = { new("http://a"), new("http://b"), new("http://c") } });
        Allocated.BytesPerRun(() => set.Release(set.TryPick()!.Value, EndpointEnd.Answered)).Should().Be(0);
    }

    /// <summary>Threads that fail and succeed at all endpoints at once: never more are left out than may be, and at rest nothing is under way.</summary>
    [Fact]
    public async Task Threads_leave_out_no_more_than_the_share()
    {
        EndpointSet set = New(10, o =>
        {
            o.Ejection!.Base = o.Ejection.Max = TimeSpan.FromMilliseconds(100);
            o.Ejection.Interval = TimeSpan.FromMilliseconds(100);
            o.Ejection.PanicBelow = 0;
        });
        int most = 0, ejections = 0;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            Randomness randomness = Randomness.Seeded(thread);
            for (int i = 0; i < 20_000; i++)
            {
                EndpointPick pick = set.TryPick()!.Value;
                if (randomness.NextDouble() < 0.01) _time.Advance(TimeSpan.FromMilliseconds(5));
                set.Release(pick, randomness.NextDouble() < 0.8 ? EndpointEnd.Failed : EndpointEnd.Answered);
                int now = set.Ejected;
                if (now > Volatile.Read(ref most)) Volatile.Write(ref most, now);
                if (now > 0) Interlocked.Increment(ref ejections);
            }
        })));
        (most, ejections > 1000).Should().Be((3, true));
        set.Endpoints.Sum(e => e.Pending).Should().Be(0);
        set.Ejected.Should().Be(set.Endpoints.Count(e => e.IsEjected));
    }
}
