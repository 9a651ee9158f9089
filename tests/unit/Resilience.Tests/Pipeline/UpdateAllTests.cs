namespace Resilience.Tests.Pipeline;

/// <summary>Several pipelines are updated as one: wherever something is wrong, nothing has changed anywhere.</summary>
public sealed class UpdateAllTests
{
    private const int Pipelines = 4;

    private sealed class Unbindable : ResiliencePolicy
    {
        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => throw new InvalidDataException("bind");
    }

    private readonly ResiliencePipeline<int>[] _pipelines = [.. Enumerable.Range(0, Pipelines).Select(i => Builder(i, 1).Build())];

    private static ResiliencePipelineBuilder<int> Builder(int number, int limit) =>
        new ResiliencePipelineBuilder<int> { Name = $"p{number}" }.AddConcurrencyLimit(new ConcurrencyLimitOptions { Name = "limit", MaxConcurrent = limit });

    private int[] Limits() => [.. _pipelines.Select(p => p.Find<ConcurrencyLimit>()!.Limit)];

    private static void Break(string how, ResiliencePipelineBuilder<int> builder)
    {
        if (how == "an option") builder.AddTimeout(TimeSpan.Zero);
        else if (how == "a factory") builder.AddPolicy(new TimeoutOptions { Name = "mine" }, static _ => throw new InvalidDataException("factory"));
        else builder.AddPolicy(new Unbindable());
    }

    private delegate void Update(IEnumerable<KeyValuePair<ResiliencePipeline<int>, ResiliencePipelineBuilder<int>>> updates);

    /// <summary>The first case in which something has changed though something was wrong.</summary>
    private string? FindHalf(Update update)
    {
        foreach (string how in (string[])["an option", "a factory", "a binding"])
        {
            for (int broken = 0; broken < Pipelines; broken++)
            {
                ResiliencePipelineBuilder<int>[] builders = [.. Enumerable.Range(0, Pipelines).Select(i => Builder(i, 2))];
                Break(how, builders[broken]);
                bool threw = false;
                try
                {
                    update(_pipelines.Zip(builders, KeyValuePair.Create));
                }
                catch (Exception error) when (error is InvalidDataException or ResilienceOptionsException)
                {
                    threw = true;
                }

                if (!threw || Limits().Any(limit => limit != 1)) return $"{how} of number {broken}: {string.Join(", ", Limits())}";
            }
        }

        return null;
    }

    [Fact]
    public void Whatever_is_wrong_with_one_pipeline_none_has_changed() => FindHalf(ResiliencePipeline<int>.UpdateAll).Should().BeNull();

    /// <summary>The same for pipelines for any result type, of which two have passed: each of them may be what cannot be bound.</summary>
    [Theory]
    [InlineData("an option")]
    [InlineData("a factory")]
    [InlineData("a binding")]
    public async Task Whatever_is_wrong_with_one_pipeline_for_any_type_none_has_changed(string how)
    {
        static ResiliencePipelineBuilder Of(int limit) =>
            new ResiliencePipelineBuilder().AddConcurrencyLimit(new ConcurrencyLimitOptions { Name = "limit", MaxConcurrent = limit });
        ResiliencePipeline[] pipelines = [.. Enumerable.Range(0, Pipelines).Select(_ => Of(1).Build())];
        foreach (ResiliencePipeline pipeline in pipelines)
        {
            await pipeline.ExecuteAsync(static _ => new ValueTask<int>(1));
            await pipeline.ExecuteAsync(static _ => new ValueTask<string>(""));
        }

        int[] Limits() => [.. pipelines.Select(p => p.Find<ConcurrencyLimit>()!.Limit)];
        for (int broken = 0; broken < Pipelines; broken++)
        {
            ResiliencePipelineBuilder[] builders = [.. pipelines.Select(_ => Of(2))];
            if (how == "an option") builders[broken].AddTimeout(TimeSpan.Zero);
            else if (how == "a factory")
                builders[broken].AddPolicy(new TimeoutOptions { Name = "mine" }, static _ => throw new InvalidDataException("factory"));
            else builders[broken].AddPolicy(new Unbindable());
            FluentActions.Invoking(() => ResiliencePipeline.UpdateAll(pipelines.Zip(builders, KeyValuePair.Create))).Should().Throw<Exception>();
            Limits().Should().OnlyContain(limit => limit == 1, "number {0} is broken", broken);
        }

        ResiliencePipeline.UpdateAll(pipelines.Select(p => KeyValuePair.Create(p, Of(3))));
        Limits().Should().OnlyContain(limit => limit == 3);
        FluentActions.Invoking(() => ResiliencePipeline.UpdateAll([new(pipelines[0], Of(4)), new(pipelines[0], Of(5))])).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => ResiliencePipeline.UpdateAll([new(null!, Of(4))])).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void The_check_finds_updates_one_by_one() => FindHalf(updates =>
    {
        foreach ((ResiliencePipeline<int> pipeline, ResiliencePipelineBuilder<int> builder) in updates) pipeline.Update(builder);
    }).Should().NotBeNull();

    [Fact]
    public void All_pipelines_change_and_keep_their_state()
    {
        ConcurrencyLimit[] limits = [.. _pipelines.Select(p => p.Find<ConcurrencyLimit>()!)];
        ResiliencePipeline<int>.UpdateAll(_pipelines.Select((p, i) => KeyValuePair.Create(p, Builder(i, 3 + i))));
        Limits().Should().Equal(3, 4, 5, 6);
        _pipelines.Select(p => p.Find<ConcurrencyLimit>()).Should().Equal(limits);
        ResiliencePipeline<int>.UpdateAll([]);
    }

    [Fact]
    public void A_factory_that_updates_one_of_the_pipelines_is_found_before_anything_has_changed()
    {
        ResiliencePipelineBuilder<int>[] builders = [.. Enumerable.Range(0, Pipelines).Select(i => Builder(i, 2))];
        builders[^1].AddPolicy(new TimeoutOptions { Name = "mine" }, _ =>
        {
            _pipelines[1].Update(Builder(1, 7));
            return new Passes();
        });
        FluentActions.Invoking(() => ResiliencePipeline<int>.UpdateAll(_pipelines.Zip(builders, KeyValuePair.Create)))
            .Should().Throw<InvalidOperationException>();
        Limits().Should().Equal(1, 7, 1, 1);
    }

    private sealed class Passes : ResiliencePolicy
    {
        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => next;
    }

    [Fact]
    public void What_is_null_or_there_twice_is_rejected()
    {
        FluentActions.Invoking(() => ResiliencePipeline<int>.UpdateAll(null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => ResiliencePipeline<int>.UpdateAll([new(null!, Builder(0, 2))])).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => ResiliencePipeline<int>.UpdateAll([new(_pipelines[0], Builder(0, 2)), new(_pipelines[0], Builder(0, 3))]))
            .Should().Throw<ArgumentException>();
        Limits().Should().Equal(1, 1, 1, 1);
    }

    /// <summary>Two threads update the same pipelines in opposite orders, and neither waits for ever.</summary>
    [Fact]
    public async Task Updates_of_the_same_pipelines_in_opposite_orders_end()
    {
        Task[] threads = [.. Enumerable.Range(0, 2).Select(thread => Task.Run(() =>
        {
            for (int i = 0; i < 300; i++)
            {
                IEnumerable<KeyValuePair<ResiliencePipeline<int>, ResiliencePipelineBuilder<int>>> updates =
                    _pipelines.Select((p, n) => KeyValuePair.Create(p, Builder(n, 1 + thread)));
                ResiliencePipeline<int>.UpdateAll(thread == 0 ? updates : updates.Reverse());
            }
        }))];
        await Task.WhenAll(threads).WaitAsync(TimeSpan.FromSeconds(60));
        Limits().Distinct().Should().ContainSingle("the last update is whole");
    }
}
