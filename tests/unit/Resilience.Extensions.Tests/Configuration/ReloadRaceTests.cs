using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Tests.Configuration;

/// <summary>Reloads beside first calls, each other, and the disposal of the container: what the log calls applied is what calls go by.</summary>
public sealed class ReloadRaceTests
{
    private const int Pipelines = 500;

    /// <summary>One source for all sections, so that one reload meets the first calls of many pipelines.</summary>
    private static IConfigurationRoot Configuration() => new ConfigurationBuilder()
        .AddInMemoryCollection(Enumerable.Range(0, Pipelines).Select(i => new KeyValuePair<string, string?>($"P{i}:ConcurrencyLimit:MaxConcurrent", "1")))
            .Build();

    private static ServiceProvider Container(IConfiguration configuration)
    {
        ServiceCollection services = new();
        services.AddLogging().AddSingleton(configuration);
        IResilienceBuilder builder = services.AddResilience();
        for (int i = 0; i < Pipelines; i++) builder.AddPipeline($"p{i}", $"P{i}");
        return services.BuildServiceProvider();
    }

    private static void Set(IConfigurationRoot configuration, int limit)
    {
        for (int i = 0; i < Pipelines; i++) configuration[$"P{i}:ConcurrencyLimit:MaxConcurrent"] = $"{limit}";
        configuration.Reload();
    }

    [Fact]
    public async Task Of_reloads_that_race_with_first_calls_none_is_lost()
    {
        IConfigurationRoot configuration = Configuration();
        await using ServiceProvider container = Container(configuration);
        ResiliencePipeline[] pipelines = [.. Enumerable.Range(0, Pipelines).Select(i => container.GetRequiredKeyedService<ResiliencePipeline>($"p{i}"))];
        Thread caller = new(() =>
        {
            foreach (ResiliencePipeline pipeline in pipelines) pipeline.ExecuteAsync(_ => new ValueTask<int>(1)).AsTask().GetAwaiter().GetResult();
        });
        caller.Start();
        Set(configuration, 3);
        caller.Join();
        foreach (ResiliencePipeline pipeline in pipelines)
        {
            pipeline.Find<ConcurrencyLimit>()!.Limit.Should().Be(3);
            (await Inside(pipeline)).Should().Be(3, "calls go by what is described");
        }
    }

    [Fact]
    public async Task Reloads_that_race_with_each_other_and_with_the_disposal_end_and_leave_each_pipeline_whole()
    {
        IConfigurationRoot configuration = Configuration();
        ServiceProvider container = Container(configuration);
        ResiliencePipeline[] pipelines = [.. Enumerable.Range(0, Pipelines).Select(i => container.GetRequiredKeyedService<ResiliencePipeline>($"p{i}"))];
        Thread one = new(() => Set(configuration, 4)), other = new(() => Set(configuration, 5)), disposing = new(container.Dispose);
        foreach (Thread thread in new[] { one, other, disposing }) thread.Start();
        foreach (Thread thread in new[] { one, other, disposing }) thread.Join(TimeSpan.FromMinutes(2)).Should().BeTrue("nothing waits for anything");
        foreach (ResiliencePipeline pipeline in pipelines)
        {
            int limit = pipeline.Find<ConcurrencyLimit>()!.Limit;
            limit.Should().BeOneOf(1, 4, 5);
            (await Inside(pipeline)).Should().Be(limit);
        }
    }

    /// <summary>How many calls get in at once.</summary>
    private static async Task<int> Inside(ResiliencePipeline pipeline)
    {
        TaskCompletionSource<int> gate = new();
        Task<Outcome<int>>[] calls = [.. Enumerable.Range(0, 8).Select(_ => pipeline.TryExecuteAsync(_ => gate.Task).AsTask())];
        int inside = calls.Count(c => !c.IsCompleted);
        gate.SetResult(1);
        await Task.WhenAll(calls);
        return inside;
    }
}
