namespace Resilience.Tests.AdaptiveLimiting;

/// <summary>Who waits and who is next, on paper: no threads, no clock.</summary>
public sealed class ClassQueueTests
{
    private const int Max = 4;

    private static readonly QueueTerms Terms = new(Max, false, MaxWait: 1_000, StandingAfter: 100, StandingWait: 5);

    private readonly ClassQueue<string> _queue = new();

    private string? Add(string waiter, Criticality criticality, long now = 0, long until = 1_000)
    {
        _queue.Add(waiter, criticality, now, until, Max, out string? evicted);
        return evicted;
    }

    /// <summary>Who is next, with the reason when it is too late; it is taken out.</summary>
    private string? Take(long now)
    {
        if (_queue.Next(now, Terms, out AdaptiveLimitReason? rejected) is not { } next) return null;
        string said = rejected is null ? next.Value.Waiter : $"{next.Value.Waiter}: {rejected}";
        _queue.Remove(next, now);
        return said;
    }

    [Fact]
    public void The_highest_class_goes_first_and_the_oldest_of_it()
    {
        Add("a", Criticality.Sheddable);
        Add("b", Criticality.Critical);
        Add("c", Criticality.Critical);
        Add("d", Criticality.SheddablePlus);
        new[] { Take(1), Take(2), Take(3), Take(4), Take(5) }.Should().Equal("b", "c", "d", "a", null);
    }

    [Fact]
    public void A_full_queue_lets_the_newest_of_the_lowest_class_go_for_a_higher_one()
    {
        Add("a", Criticality.Sheddable);
        Add("b", Criticality.Sheddable);
        Add("c", Criticality.SheddablePlus);
        Add("d", Criticality.Critical);
        _queue.HasRoom(Criticality.Sheddable, Max).Should().BeFalse("none is of a lower class");
        _queue.HasRoom(Criticality.SheddablePlus, Max).Should().BeTrue();
        Add("e", Criticality.Critical).Should().Be("b");
        Add("f", Criticality.CriticalPlus).Should().Be("a");
        Add("g", Criticality.CriticalPlus).Should().Be("c");
        _queue.HasRoom(Criticality.Critical, Max).Should().BeFalse();
        Add("h", Criticality.CriticalPlus).Should().Be("e", "the newest of its class");
        _queue.HasRoom(Criticality.CriticalPlus, Max).Should().BeTrue();
        (_queue.Count, _queue.CountOf(Criticality.CriticalPlus), _queue.CountOf(Criticality.Critical)).Should().Be((4, 3, 1));
    }

    [Fact]
    public void A_class_that_was_not_empty_for_long_serves_its_newest_and_rejects_the_old()
    {
        Add("old", Criticality.Critical, now: 10);
        Add("middle", Criticality.Critical, now: 60);
        Add("new", Criticality.Critical, now: 109);
        Take(110).Should().Be("old", "100 are not longer than 100");
        Add("newer", Criticality.Critical, now: 111);
        Take(112).Should().Be("newer");
        Take(113).Should().Be("new");
        Take(114).Should().Be("middle: Standing");
        Add("fresh", Criticality.Critical, now: 115);
        Add("fresher", Criticality.Critical, now: 116);
        Take(200).Should().Be("fresh", "it was empty at 114");
    }

    /// <summary>In the first experiments a class counted as standing from the moment of the last wait, however long ago it was.</summary>
    [Fact]
    public void A_class_in_which_no_call_waited_for_a_while_is_not_standing()
    {
        Add("a", Criticality.Critical, now: 1);
        Take(2).Should().Be("a");
        Add("b", Criticality.Critical, now: 900, until: 2_000);
        Add("c", Criticality.Critical, now: 901, until: 2_000);
        Take(920).Should().Be("b");
    }

    [Fact]
    public void Each_class_stands_by_itself()
    {
        Add("low", Criticality.Sheddable, now: 0);
        Add("low, later", Criticality.Sheddable, now: 108);
        Add("high", Criticality.CriticalPlus, now: 105);
        Add("high, later", Criticality.CriticalPlus, now: 108);
        Take(111).Should().Be("high", "the oldest, and it has waited for longer than 5");
        Take(112).Should().Be("high, later");
        Take(112).Should().Be("low, later");
        Take(112).Should().Be("low: Standing");
    }

    [Fact]
    public void One_whose_time_is_up_is_rejected_when_its_turn_comes()
    {
        Add("a", Criticality.Critical, now: 0, until: 50);
        Add("b", Criticality.Critical, now: 1, until: 51);
        Take(50).Should().Be("a: WaitedTooLong");
        Take(50).Should().Be("b");
    }
}
