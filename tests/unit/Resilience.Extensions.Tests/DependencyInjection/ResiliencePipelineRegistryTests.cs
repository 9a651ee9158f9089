namespace Resilience.Tests.DependencyInjection;

public sealed class ResiliencePipelineRegistryTests
{
    private readonly ResiliencePipelineRegistry _registry = new();

    [Fact]
    public void What_is_added_is_built_when_it_is_first_asked_for_and_kept()
    {
        int built = 0;
        _registry.TryAdd("a", builder =>
        {
            built++;
            builder.AddRetry();
        }).Should().BeTrue();
        built.Should().Be(0);
        ResiliencePipeline pipeline = _registry.GetPipeline("a");
        pipeline.Name.Should().Be("a");
        pipeline.Describe().Policies.Should().ContainSingle();
        _registry.GetPipeline("a").Should().BeSameAs(pipeline);
        built.Should().Be(1);
    }

    [Fact]
    public void A_name_that_is_taken_keeps_its_pipeline()
    {
        _registry.TryAdd("a", ResiliencePipeline.Empty).Should().BeTrue();
        _registry.TryAdd("a", builder => builder.AddRetry()).Should().BeFalse();
        _registry.GetPipeline("a").Should().BeSameAs(ResiliencePipeline.Empty);
        _registry.GetOrAdd("a", builder => builder.AddRetry()).Should().BeSameAs(ResiliencePipeline.Empty);
    }

    [Fact]
    public void Pipelines_for_other_types_may_have_the_same_name()
    {
        ResiliencePipeline<int> numbers = new ResiliencePipelineBuilder<int>().Build();
        _registry.TryAdd("a", numbers).Should().BeTrue();
        _registry.TryAdd<string>("a", builder => builder.AddTimeout(TimeSpan.FromSeconds(1))).Should().BeTrue();
        _registry.GetPipeline<int>("a").Should().BeSameAs(numbers);
        _registry.TryGetPipeline("a", out ResiliencePipeline<string>? text).Should().BeTrue();
        text!.Name.Should().Be("a");
        _registry.TryGetPipeline("a", out ResiliencePipeline? _).Should().BeFalse();
        _registry.GetOrAdd<long>("b", builder => builder.AddRetry()).Name.Should().Be("b");
        _registry.Names.Should().BeEquivalentTo("a", "b");
    }

    [Fact]
    public void It_is_filled_where_it_is_made_or_by_a_class_of_ones_own()
    {
        ResiliencePipeline<int> numbers = new ResiliencePipelineBuilder<int>().Build();
        ResiliencePipelineRegistry registry = new() { { "a", ResiliencePipeline.Empty }, { "b", numbers } };
        registry.GetPipeline("a").Should().BeSameAs(ResiliencePipeline.Empty);
        registry.GetPipeline<int>("b").Should().BeSameAs(numbers);
        registry.Should().BeEquivalentTo(registry.Names);
        registry.Contains("b").Should().BeTrue("for whatever type of result");
        registry.Contains("B").Should().BeFalse();
        new Mine().Contains("a").Should().BeTrue();
        registry.Add("c", ResiliencePipeline.Empty).Should().BeSameAs(registry);
    }

    [Fact]
    public void A_name_that_is_added_twice_is_a_mistake()
    {
        _registry.Add("a", ResiliencePipeline.Empty);
        ((Action)(() => _registry.Add("a", ResiliencePipeline.Empty))).Should().Throw<ArgumentException>()
            .WithMessage("There is a pipeline 'a' already; TryAdd leaves it, and gives false.*").And.ParamName.Should().Be("name");
        ((Action)(() => _registry.Add("a", new ResiliencePipelineBuilder<int>().Build()))).Should().NotThrow("it is for another type of result");
    }

    private sealed class Mine : ResiliencePipelineRegistry
    {
        internal Mine() => Add("a", Empty);

        private static ResiliencePipeline Empty => ResiliencePipeline.Empty;
    }

    [Fact]
    public void A_name_that_is_missing_says_which_there_are()
    {
        ((Action)(() => _registry.GetPipeline("a"))).Should().Throw<KeyNotFoundException>().WithMessage("There is no pipeline 'a'; there are none.");
        _registry.TryAdd("b", ResiliencePipeline.Empty);
        _registry.TryAdd<int>("c", builder => builder.AddRetry());
        ((Action)(() => _registry.GetPipeline<int>("b"))).Should().Throw<KeyNotFoundException>()
            .WithMessage("There is no pipeline 'b for Int32'; known are: b, c for Int32.");
    }

    [Fact]
    public void A_delegate_that_throws_is_run_again_for_the_next_who_asks()
    {
        bool fails = true;
        _registry.TryAdd("a", builder =>
        {
            if (fails) throw new InvalidOperationException("not yet");
            builder.AddRetry();
        });
        ((Action)(() => _registry.GetPipeline("a"))).Should().Throw<InvalidOperationException>().WithMessage("not yet");
        fails = false;
        _registry.GetPipeline("a").Describe().Policies.Should().ContainSingle();
    }

    [Fact]
    public void Those_who_ask_first_at_the_same_time_get_one_pipeline()
    {
        using Barrier together = new(2);
        _registry.TryAdd("a", builder =>
        {
            together.SignalAndWait(TimeSpan.FromSeconds(30)).Should().BeTrue("no lock keeps the other out");
            builder.AddRetry();
        });
        ResiliencePipeline?[] got = new ResiliencePipeline?[2];
        Thread[] threads = [.. Enumerable.Range(0, 2).Select(i => new Thread(() => got[i] = _registry.GetPipeline("a")))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join(TimeSpan.FromMinutes(1)).Should().BeTrue();
        got[0].Should().NotBeNull().And.BeSameAs(got[1]);
    }

    [Fact]
    public void Null_is_no_argument()
    {
        foreach (Action call in new Action[]
        {
            () => _registry.TryAdd(null!, ResiliencePipeline.Empty), () => _registry.TryAdd("a", (ResiliencePipeline)null!),
            () => _registry.TryAdd("a", (Action<ResiliencePipelineBuilder>)null!), () => _registry.TryAdd("a", (ResiliencePipeline<int>)null!),
            () => _registry.TryAdd("a", (Action<ResiliencePipelineBuilder<int>>)null!), () => _registry.GetPipeline(null!), () =>
                _registry.GetPipeline<int>(null!),
        }) call.Should().Throw<ArgumentNullException>();
    }
}
