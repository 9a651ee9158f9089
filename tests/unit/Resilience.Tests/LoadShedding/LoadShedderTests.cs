using Microsoft.Extensions.Time.Testing;
using Resilience.Events;

namespace Resilience.Tests.LoadShedding;

/// <summary>A load shedder that is used alone.</summary>
public sealed class LoadShedderTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly TestReadings _readings = new();
    private readonly List<ResilienceEvent> _events = [];

    private LoadShedder Make(Action<LoadShedderOptions>? configure = null, double drawn = 0.5)
    {
        LoadShedderOptions options = new() { Cpu = null, Memory = null, ThreadPoolDelay = null };
        configure?.Invoke(options);
        return new(options, PolicyEnvironment.Standalone(options.GetName(), _time, new Drawn(drawn), _events.Add), _readings);
    }

    private static void Bound(LoadShedderOptions options, int places, int queued = 0)
    {
        options.Limit.MinLimit = options.Limit.InitialLimit = places;
        options.Limit.QueueFollowsLimit = false;
        options.Limit.MaxQueued = queued;
    }

    private static ShedAdmission Enter(LoadShedder shedder, Criticality criticality = Criticality.Critical, string? key = null, bool isRepeated = false)
    {
        ValueTask<ShedAdmission> entering = shedder.EnterAsync(new(criticality) { FairnessKey = key, IsRepeated = isRepeated });
        entering.IsCompletedSuccessfully.Should().BeTrue();
        return entering.Result;
    }

    [Fact]
    public void Only_so_many_run_at_once_and_the_sentence_says_why_another_does_not()
    {
        using LoadShedder shedder = Make(o => Bound(o, places: 4));
        ShedAdmission[] admitted = [.. Enumerable.Range(0, 4).Select(_ => Enter(shedder, Criticality.CriticalPlus))];
        admitted.Should().OnlyContain(a => a.IsAdmitted);
        ShedAdmission rejected = Enter(shedder, Criticality.CriticalPlus);
        rejected.IsAdmitted.Should().BeFalse();
        rejected.Rejection!.Why.Should().Be(ShedReason.Limit);
        rejected.Rejection.Reason.Should().Be(
            "load-shedding: a request of criticality 'critical-plus' was rejected: all places for its class are taken (limit 4, adapted).");
        rejected.Rejection.ToException().Should().BeOfType<LoadShedException>().Which.Why.Should().Be(ShedReason.Limit);
        shedder.Leave(admitted[0], Verdict.Success);
        Enter(shedder, Criticality.CriticalPlus).IsAdmitted.Should().BeTrue();
        ((Action)(() => shedder.Leave(rejected, Verdict.Success))).Should().Throw<ArgumentException>();
    }

    [Fact]
    public async Task A_request_that_waits_gets_the_place_of_one_that_ends()
    {
        using LoadShedder shedder = Make(o => Bound(o, places: 4, queued: 2));
        ShedAdmission[] admitted = [.. Enumerable.Range(0, 4).Select(_ => Enter(shedder))];
        Task<ShedAdmission> waits = shedder.EnterAsync(new(Criticality.Critical)).AsTask();
        waits.IsCompleted.Should().BeFalse();
        shedder.Leave(admitted[0], Verdict.Success);
        (await waits).IsAdmitted.Should().BeTrue();
        Task<ShedAdmission> late = shedder.EnterAsync(new(Criticality.Critical) { TimeLeft = TimeSpan.FromMilliseconds(30) }).AsTask();
        _time.Advance(TimeSpan.FromMilliseconds(30));
        (await late).Rejection!.Why.Should().Be(ShedReason.WaitedTooLong);
    }

    [Theory]
    [InlineData(0.51, Criticality.Sheddable, false)] // the cut-off is 87.5, and it stands at 87.75
    [InlineData(0.4, Criticality.Sheddable, true)]
    [InlineData(0.5, Criticality.SheddablePlus, true)]
    public void A_signal_rejects_the_least_important_first(double drawn, Criticality criticality, bool isServed)
    {
        using LoadShedder shedder = Make(o => o.Memory = new(0.9, 1), drawn);
        _readings.Memory = 0.95;
        _time.Advance(OverloadSampler.Interval);
        shedder.Level.Should().BeApproximately(0.5, 1e-9);
        ShedAdmission admission = Enter(shedder, criticality);
        admission.IsAdmitted.Should().Be(isServed);
        if (isServed) return;
        admission.Rejection!.Reason.Should().Be("load-shedding: a request of criticality 'sheddable' was rejected: memory is at 95 % of the load that is high, "
            + "so the least important work is not served (12.5 % of the scale of criticality).");
        shedder.Limit.Running.Should().Be(0, "it was rejected before it took a place");
    }

    [Fact]
    public void Requests_of_one_user_are_served_or_rejected_together()
    {
        using LoadShedder shedder = Make(o => o.Memory = new(0.9, 1));
        _readings.Memory = 0.98;
        _time.Advance(OverloadSampler.Interval);
        int served = 0;
        for (int user = 0; user < 200; user++)
        {
            bool[] answers = [.. Enumerable.Range(0, 5).Select(_ =>
            {
                ShedAdmission admission = Enter(shedder, key: $"user-{user}");
                if (admission.IsAdmitted) shedder.Leave(admission, Verdict.Ignored);
                return admission.IsAdmitted;
            })];
            answers.Distinct().Should().ContainSingle();
            if (answers[0]) served++;
        }

        double expected = (SheddingRules.CutOff(0.8) - 10) / 40; // of the band from 10 to 50
        ((double)served / 200).Should().BeApproximately(expected, 0.1);
    }

    [Fact]
    public void When_many_requests_are_repeated_ones_a_rejection_says_that_the_overload_is_everywhere()
    {
        using LoadShedder shedder = Make(o => Bound(o, places: 1));
        ShedAdmission only = Enter(shedder);
        for (int i = 0; i < 40; i++)
            Enter(shedder, isRepeated: i % 20 == 19).Rejection!.IsEverywhere.Should().BeFalse("one in twenty is not more than one in ten");
        for (int i = 0; i < 10; i++) Enter(shedder, isRepeated: true);
        Enter(shedder).Rejection!.IsEverywhere.Should().BeTrue();
        _time.Advance(TimeSpan.FromSeconds(12));
        Enter(shedder).Rejection!.IsEverywhere.Should().BeFalse("that was long ago");
        shedder.Leave(only, Verdict.Success);
    }

    [Fact]
    public void A_dry_run_serves_all_and_tells_what_it_would_have_rejected()
    {
        using LoadShedder shedder = Make(o =>
        {
            Bound(o, places: 1, queued: 5);
            o.DryRun = true;
        });
        ShedAdmission[] all = [.. Enumerable.Range(0, 4).Select(_ => Enter(shedder))];
        all.Should().OnlyContain(a => a.IsAdmitted);
        _events.OfType<RequestShed>().Should().HaveCount(3).And.OnlyContain(e => e.IsDryRun);
        foreach (ShedAdmission one in all) shedder.Leave(one, Verdict.Success);
        shedder.Limit.Running.Should().Be(0);
        ((IPolicyStatus)shedder).GetStatus().Text.Should().EndWith("dry run");
    }

    [Fact]
    public void Its_beginning_and_its_end_are_told_once()
    {
        using LoadShedder shedder = Make(o => Bound(o, places: 1));
        ShedAdmission only = Enter(shedder);
        for (int i = 0; i < 5; i++)
        {
            Enter(shedder).IsAdmitted.Should().BeFalse();
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        _time.Advance(TimeSpan.FromSeconds(8.9));
        _events.OfType<SheddingEnded>().Should().BeEmpty();
        _time.Advance(TimeSpan.FromSeconds(0.2));
        _events.OfType<SheddingBegan>().Should().ContainSingle().Which.Rejection.Why.Should().Be(ShedReason.Limit);
        _events.OfType<SheddingEnded>().Should().ContainSingle()
            .Which.Should().Match<SheddingEnded>(e => e.Rejected == 5 && e.Lasted == TimeSpan.FromSeconds(4));
        Enter(shedder);
        _events.OfType<SheddingBegan>().Should().HaveCount(2);
        shedder.Leave(only, Verdict.Success);
    }

    [Fact]
    public void A_rejection_is_one_object_while_its_cause_is_the_same()
    {
        using LoadShedder shedder = Make(o => Bound(o, places: 1));
        ShedAdmission only = Enter(shedder);
        ShedRejection first = Enter(shedder).Rejection!;
        Enter(shedder).Rejection.Should().BeSameAs(first);
        Enter(shedder, Criticality.Sheddable).Rejection.Should().NotBeSameAs(first);
        shedder.Leave(only, Verdict.Success);
    }

    [Fact]
    public void All_problems_of_the_options_stand_in_one_message()
    {
        LoadShedderOptions options = new() { Cpu = new(0.9, 0.8), Memory = new(double.NaN, 1), DoNotRetryAbove = 0, MinRetryAfter = TimeSpan.FromSeconds(9) };
        options.Limit.MaxQueued = -1;
        options.Signals.Add(new("", () => 0, new(-1, 1)) { Smoothing = 2 });
        options.Signals.Add(new("pool", null!, new(0, 1)));
        options.Signals.Add(new("pool", () => 0, new(0, 1)));
        options.Signals.Add(null!);
        string message = options.Invoking(o => new LoadShedder(o)).Should().Throw<ResilienceOptionsException>().Which.Message;
        message.Should().ContainAll(
            "Cpu", "Memory", "DoNotRetryAbove", "MaxRetryAfter", "MaxQueued", "Name", "Smoothing", "Range", "Read", "names that differ", "none of them null");
    }

    [Fact]
    public void Later_changes_of_the_options_do_not_reach_it()
    {
        LoadShedderOptions options = new() { Cpu = null, Memory = null, ThreadPoolDelay = null };
        Bound(options, places: 1);
        using LoadShedder shedder = new(options, _time);
        options.Limit.InitialLimit = 10;
        options.DryRun = true;
        options.Signals.Add(new("pool", () => 1, new(0, 1)));
        _time.Advance(OverloadSampler.Interval);
        shedder.Level.Should().Be(0);
        Enter(shedder).IsAdmitted.Should().BeTrue();
        Enter(shedder).IsAdmitted.Should().BeFalse();
    }

    [Fact]
    public void Times_to_come_back_are_whole_seconds_from_the_least_to_the_greatest()
    {
        double[] drawn = [0, 0.34, 0.67, 0.999999, double.NaN];
        drawn.Select(d => Make(drawn: d).DrawRetryAfter().TotalSeconds).Should().Equal(1, 2, 3, 3, 1);
        using LoadShedder between = Make(o => (o.MinRetryAfter, o.MaxRetryAfter) = (TimeSpan.FromSeconds(1.2), TimeSpan.FromSeconds(1.9)), drawn: 0.9);
        between.DrawRetryAfter().Should().Be(TimeSpan.FromSeconds(2), "no whole second lies between, and none is earlier than the least");
    }

    [Fact]
    public void An_undefined_class_is_an_error_of_the_caller()
    {
        using LoadShedder shedder = Make();
        shedder.Invoking(s => _ = s.EnterAsync(new((Criticality)7))).Should().Throw<ArgumentOutOfRangeException>();
    }

    private sealed class Drawn(double value) : Randomness
    {
        public override double NextDouble() => value;
    }
}
