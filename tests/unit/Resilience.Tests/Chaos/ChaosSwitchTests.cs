using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.ChaosPolicies;

/// <summary>The switch, the schedule, and what an update leaves as it is.</summary>
public sealed class ChaosSwitchTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<ResilienceEvent> _events = [];

    private ResiliencePipelineBuilder Builder(Action<ChaosOptions>? configure = null) =>
        new ResiliencePipelineBuilder { TimeProvider = _time, EnvironmentName = "Development" }.OnEvent(_events.Add).AddChaos(o =>
        {
            (o.Rates, o.Seed) = (new() { Fault = 1 }, 1);
            configure?.Invoke(o);
        });

    private static async Task<bool> IsDisturbed(ResiliencePipeline pipeline) => !(await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).IsSuccess;

    private (bool IsOn, TimeSpan? For)[] Switched() => [.. _events.OfType<ChaosSwitched>().Select(e => (e.IsOn, e.For))];

    [Fact]
    public async Task It_is_switched_live_and_each_switch_is_reported()
    {
        ResiliencePipeline pipeline = Builder().Build();
        ChaosSwitch chaos = pipeline.Find<ChaosSwitch>()!;
        (await IsDisturbed(pipeline)).Should().BeFalse();
        chaos.TurnOn();
        (await IsDisturbed(pipeline)).Should().BeTrue();
        chaos.TurnOff();
        chaos.TurnOff();
        (await IsDisturbed(pipeline)).Should().BeFalse();
        Switched().Should().Equal((true, null), (false, null));
        _events.OfType<ChaosSwitched>().First().Should().Be(new ChaosSwitched("", "chaos", true, new() { Fault = 1 }, 1, null, "Development"));
    }

    [Fact]
    public async Task A_forgotten_switch_ends_by_itself_and_the_first_call_after_it_tells()
    {
        ResiliencePipeline pipeline = Builder().Build();
        ChaosSwitch chaos = pipeline.Find<ChaosSwitch>()!;
        chaos.TurnOn(TimeSpan.FromMinutes(1));
        _time.Advance(TimeSpan.FromSeconds(59));
        (await IsDisturbed(pipeline), chaos.TimeLeft).Should().Be((true, TimeSpan.FromSeconds(1)));
        _time.Advance(TimeSpan.FromSeconds(1));
        (chaos.IsOn, chaos.TimeLeft).Should().Be((false, null));
        (await IsDisturbed(pipeline)).Should().BeFalse();
        (await IsDisturbed(pipeline)).Should().BeFalse();
        Switched().Should().Equal((true, TimeSpan.FromMinutes(1)), (false, null));
    }

    [Fact]
    public async Task To_turn_on_again_prolongs_the_run_and_goes_on_numbering()
    {
        ResiliencePipeline pipeline = Builder().Build();
        ChaosSwitch chaos = pipeline.Find<ChaosSwitch>()!;
        chaos.TurnOn(TimeSpan.FromMinutes(1));
        await IsDisturbed(pipeline);
        chaos.TurnOn(TimeSpan.FromMinutes(5));
        _time.Advance(TimeSpan.FromMinutes(2));
        await IsDisturbed(pipeline);
        chaos.TurnOff();
        chaos.TurnOn();
        await IsDisturbed(pipeline);
        _events.OfType<ChaosInjected>().Select(i => i.Number).Should().Equal(0, 1, 0);
    }

    [Fact]
    public async Task Rates_are_changed_live_and_taken_back()
    {
        ResiliencePipeline pipeline = Builder(o => o.IsOn = true).Build();
        ChaosSwitch chaos = pipeline.Find<ChaosSwitch>()!;
        chaos.Rates = new() { LostReply = 1 };
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Exception.Should().BeOfType<ChaosInjectedException>()
            .Which.Kind.Should().Be(ChaosKind.LostReply);
        chaos.Rates = default(ChaosRates);
        (await IsDisturbed(pipeline)).Should().BeFalse();
        chaos.Rates = null;
        (await IsDisturbed(pipeline)).Should().BeTrue();
        chaos.Invoking(c => c.Rates = new() { Fault = 1.5 }).Should().Throw<ResilienceOptionsException>();
        chaos.Rates.Should().BeNull();
    }

    [Fact]
    public async Task One_switch_serves_several_pipelines_that_number_their_calls_each_for_itself()
    {
        ChaosSwitch chaos = new(_time);
        ResiliencePipeline first = Builder(o => o.Switch = chaos).Build(), second = Builder(o => o.Switch = chaos).Build();
        chaos.TurnOn();
        await IsDisturbed(first);
        await IsDisturbed(second);
        _events.OfType<ChaosInjected>().Select(i => i.Number).Should().Equal(0, 0);
        Switched().Should().HaveCount(2);
    }

    [Fact]
    public async Task A_schedule_starts_when_chaos_is_turned_on()
    {
        ResiliencePipeline pipeline = Builder(o => o.Schedule = new ChaosSchedule { RepeatEvery = TimeSpan.FromMinutes(10) }
            .Window(TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(2))).Build();
        _time.Advance(TimeSpan.FromMinutes(1.5));
        (await IsDisturbed(pipeline)).Should().BeFalse("the switch is the master");
        pipeline.Find<ChaosSwitch>()!.TurnOn();
        foreach ((double minutes, bool expected) in new[] { (0, false), (1, true), (1.5, true), (1, false), (7.5, true), (2, false) })
        {
            _time.Advance(TimeSpan.FromMinutes(minutes));
            (await IsDisturbed(pipeline)).Should().Be(expected, "at {0}", _time.GetUtcNow());
        }
    }

    [Fact]
    public async Task A_schedule_can_start_at_a_moment_of_the_wall_clock()
    {
        ResiliencePipeline pipeline = Builder(o =>
        {
            o.IsOn = true;
            o.Schedule = new ChaosSchedule { StartsAt = _time.GetUtcNow() + TimeSpan.FromHours(1) }.Window(TimeSpan.Zero, TimeSpan.FromMinutes(1));
        }).Build();
        (await IsDisturbed(pipeline)).Should().BeFalse();
        _time.Advance(TimeSpan.FromHours(1));
        (await IsDisturbed(pipeline)).Should().BeTrue();
        _time.Advance(TimeSpan.FromMinutes(1));
        (await IsDisturbed(pipeline)).Should().BeFalse();
    }

    [Fact]
    public async Task An_update_keeps_the_switch_as_it_was_set_and_goes_on_numbering()
    {
        ResiliencePipeline pipeline = Builder().Build();
        ChaosSwitch chaos = pipeline.Find<ChaosSwitch>()!;
        chaos.TurnOn();
        await IsDisturbed(pipeline);
        pipeline.Update(Builder(o => o.Rates = new() { LostReply = 1 }));
        pipeline.Find<ChaosSwitch>().Should().BeSameAs(chaos);
        (await IsDisturbed(pipeline)).Should().BeTrue();
        _events.OfType<ChaosInjected>().Select(i => (i.Kind, i.Number)).Should().Equal((ChaosKind.Fault, 0), (ChaosKind.LostReply, 1));
        chaos.TurnOff();
        Switched().Select(s => s.IsOn).Should().Equal([true, true, false], "only the policy in use tells");
    }

    [Fact]
    public void An_update_that_changes_the_setting_flips_the_switch()
    {
        ResiliencePipeline pipeline = Builder().Build();
        ChaosSwitch chaos = pipeline.Find<ChaosSwitch>()!;
        pipeline.Update(Builder(o => o.IsOn = true));
        chaos.IsOn.Should().BeTrue();
        pipeline.Update(Builder(o => o.IsOn = true));
        chaos.IsOn.Should().BeTrue();
        pipeline.Update(Builder());
        chaos.IsOn.Should().BeFalse();
    }

    [Fact]
    public void An_update_that_is_rejected_leaves_everything_as_it_was()
    {
        ResiliencePipeline pipeline = Builder().Build();
        ResiliencePipelineBuilder wrong = Builder(o => (o.IsOn, o.EnvironmentName) = (true, "Production"));
        pipeline.Invoking(p => p.Update(wrong)).Should().Throw<ResilienceOptionsException>();
        pipeline.Find<ChaosSwitch>()!.IsOn.Should().BeFalse();
        _events.Should().BeEmpty();
    }

    [Fact]
    public async Task Flips_and_calls_from_many_threads_do_no_harm_and_number_each_call_of_a_run_once()
    {
        List<(long Run, long Number)> numbered = [];
        ChaosState state = new(new ChaosSwitch(_time), 1);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < 2000; i++)
            {
                ChaosRun run = new(1 + (i / 100), 0, default, Clock.Never, null);
                if (state.TryNumber(run, out long number)) lock (numbered) numbered.Add((run.Number, number));
            }
        })));
        numbered.Should().OnlyHaveUniqueItems();
        numbered.GroupBy(n => n.Run).Should().OnlyContain(g => g.Max(n => n.Number) == g.Count() - 1);
    }

    [Fact]
    public void The_span_of_a_switch_has_bounds()
    {
        ChaosSwitch chaos = new(_time);
        chaos.Invoking(c => c.TurnOn(TimeSpan.Zero)).Should().Throw<ArgumentOutOfRangeException>();
        chaos.Invoking(c => c.TurnOn(TimeSpan.FromDays(366))).Should().Throw<ArgumentOutOfRangeException>();
        chaos.IsOn.Should().BeFalse();
    }
}
