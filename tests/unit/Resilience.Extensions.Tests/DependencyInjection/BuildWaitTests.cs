using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;

namespace Resilience.Tests.DependencyInjection;

/// <summary>Code of the user runs while a pipeline is built or reloaded, and may wait for other threads: nothing of ours is locked meanwhile.</summary>
public sealed class BuildWaitTests
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(2);

    private static ServiceProvider Container(Action<IResilienceBuilder> add, Action<IServiceCollection>? more = null)
    {
        ServiceCollection services = new();
        services.AddLogging();
        more?.Invoke(services);
        add(services.AddResilience());
        return services.BuildServiceProvider();
    }

    /// <summary>On a thread of its own: a pool that is busy proves nothing.</summary>
    private static Task<T> OnThread<T>(Func<T> work) => Task.Factory.StartNew(work, default, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    [Fact]
    public async Task A_factory_may_wait_for_a_thread_that_asks_for_another_pipeline()
    {
        using ServiceProvider container = Container(b => b
            .AddPipeline("a",
                (p, s) => p.AddPipeline(OnThread(() => s.GetRequiredKeyedService<ResiliencePipeline>("b")).WaitAsync(Long).GetAwaiter().GetResult()))
            .AddPipeline("b", p => p.AddConcurrencyLimit(5)));
        ResiliencePipeline outer = await OnThread(() => container.GetRequiredKeyedService<ResiliencePipeline>("a")).WaitAsync(Long);
        outer.Should().NotBeNull();
    }

    /// <summary>The container locks a singleton while it is made. One thread makes the singleton, which needs a pipeline; another builds a pipeline that
    /// needs the singleton.</summary>
    [Fact]
    public async Task A_pipeline_that_needs_a_service_which_needs_another_pipeline_may_be_built_while_the_service_is_made()
    {
        TaskCompletionSource serviceBegun = new(), pipelineBegun = new();
        using ServiceProvider container = Container(
            b => b
                .AddPipeline("needs-service", (p, s) =>
                {
                    pipelineBegun.SetResult();
                    serviceBegun.Task.Wait(Long);
                    p.AddConcurrencyLimit(s.GetRequiredService<NeedsPipeline>().Limit);
                })
                .AddPipeline("plain", p => p.AddConcurrencyLimit(5)),
            services => services.AddSingleton(s =>
            {
                serviceBegun.SetResult();
                pipelineBegun.Task.Wait(Long);
                return new NeedsPipeline(s.GetRequiredKeyedService<ResiliencePipeline>("plain").Find<ConcurrencyLimit>()!.Limit);
            }));
        Task<ResiliencePipeline> pipeline = OnThread(() => container.GetRequiredKeyedService<ResiliencePipeline>("needs-service"));
        Task<NeedsPipeline> service = OnThread(container.GetRequiredService<NeedsPipeline>);
        (await service.WaitAsync(Long)).Limit.Should().Be(5);
        (await pipeline.WaitAsync(Long)).Find<ConcurrencyLimit>()!.Limit.Should().Be(5);
    }

    private sealed record NeedsPipeline(int Limit);

    [Fact]
    public async Task Pipelines_that_need_each_other_on_two_threads_are_told_so()
    {
        using Barrier both = new(2);
        int begun = 0;
        using ServiceProvider container = Container(b => b
            .AddPipeline("a", (p, s) =>
            {
                if (Interlocked.Increment(ref begun) <= 2) both.SignalAndWait(Long);
                p.AddPipeline(s.GetRequiredService<ResiliencePipelineProvider>().GetPipeline("b"));
            })
            .AddPipeline("b", (p, s) =>
            {
                if (Interlocked.Increment(ref begun) <= 2) both.SignalAndWait(Long);
                p.AddPipeline(s.GetRequiredService<ResiliencePipelineProvider>().GetPipeline("a"));
            }));
        ResiliencePipelineProvider provider = container.GetRequiredService<ResiliencePipelineProvider>();
        Task<ResiliencePipeline> a = OnThread(() => provider.GetPipeline("a")), b = OnThread(() => provider.GetPipeline("b"));
        foreach (Task<ResiliencePipeline> one in new[] { a, b })
        {
            // The one that closes the circle is told at once; the other finds out when it tries for itself, where both are one thread's.
            Exception? told = await Record.ExceptionAsync(() => one.WaitAsync(Long));
            told.Should().BeOfType<InvalidOperationException>().Which.Message.Should().Contain("needs itself, by way of");
        }
    }

    [Fact]
    public async Task A_factory_of_one_authority_may_wait_for_a_thread_that_needs_another()
    {
        HttpResilience? resilience = null;
        int built = 0;
        resilience = HttpResilience.Custom(p =>
        {
            if (Interlocked.Increment(ref built) == 2) OnThread(() => resilience!.For(new("https://b.test/"))).WaitAsync(Long).GetAwaiter().GetResult();
            p.AddConcurrencyLimit(5);
        });
        (await OnThread(() => resilience.For(new("https://a.test/"))).WaitAsync(Long)).ConcurrencyLimit!.Limit.Should().Be(5);
        resilience.Authorities.Select(a => a.Name).Should().BeEquivalentTo("https://a.test", "https://b.test");
    }

    [Fact]
    public async Task Code_that_runs_in_an_update_may_wait_for_a_request_to_a_new_authority()
    {
        HttpResilience? resilience = null;
        bool updates = false;
        resilience = HttpResilience.Standard(configure: _ =>
        {
            if (!updates) return;
            updates = false;
            OnThread(() => resilience!.For(new("https://new.test/"))).WaitAsync(Long).GetAwaiter().GetResult();
        });
        resilience.For(new("https://old.test/"));
        updates = true;
        await OnThread(() =>
        {
            resilience.Update(new() { ConcurrencyLimit = new() { MaxConcurrent = 3 } });
            return true;
        }).WaitAsync(Long);
        resilience.Authorities.Should().HaveCount(2).And.OnlyContain(a => a.ConcurrencyLimit!.Limit == 3, "the one that came meanwhile was updated too");
    }

    /// <summary>Disposing of a registration waits for its callback; the callback reloads, and asks for a pipeline.</summary>
    [Fact]
    public async Task A_reload_that_asks_for_a_pipeline_while_the_container_is_disposed_of_ends()
    {
        IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection([new("P:ConcurrencyLimit:MaxConcurrent", "1")]).Build();
        TaskCompletionSource reloading = new(TaskCreationOptions.RunContinuationsAsynchronously), disposing = new();
        bool reloads = false;
        ServiceProvider container = Container(
            b => b
                .AddPipeline("other", p => p.AddConcurrencyLimit(5))
                .AddPipeline("p", "P", (p, settings, s) =>
                {
                    p.AddPolicies(settings);
                    if (!reloads) return;
                    reloading.SetResult();
                    disposing.Task.Wait(Long);
                    s.GetRequiredService<ResiliencePipelineProvider>().TryGetPipeline("other", out _);
                }),
            s => s.AddSingleton<IConfiguration>(new SectionsThatTell(configuration, disposing)));
        ResiliencePipelineProvider provider = container.GetRequiredService<ResiliencePipelineProvider>();
        provider.GetPipeline("p");
        reloads = true;
        configuration["P:ConcurrencyLimit:MaxConcurrent"] = "2";
        Task<bool> reload = OnThread(() =>
        {
            configuration.Reload();
            return true;
        });
        await reloading.Task.WaitAsync(Long);
        Task<bool> disposal = OnThread(() =>
        {
            provider.Dispose();
            return true;
        });
        await Task.WhenAll(reload, disposal).WaitAsync(Long);
        container.Dispose();
    }

    /// <summary>Tells when a registration is about to be disposed of.</summary>
    private sealed class SectionsThatTell(IConfiguration inner, TaskCompletionSource disposing) : IConfiguration
    {
        public string? this[string key] { get => inner[key]; set => inner[key] = value; }

        public IEnumerable<IConfigurationSection> GetChildren() => inner.GetChildren();

        public IChangeToken GetReloadToken() => inner.GetReloadToken();

        public IConfigurationSection GetSection(string key) => new Section(inner.GetSection(key), disposing);

        private sealed class Section(IConfigurationSection inner, TaskCompletionSource disposing) : IConfigurationSection
        {
            public string? this[string key] { get => inner[key]; set => inner[key] = value; }

            public string Key => inner.Key;

            public string Path => inner.Path;

            public string? Value { get => inner.Value; set => inner.Value = value; }

            public IEnumerable<IConfigurationSection> GetChildren() => inner.GetChildren();

            public IConfigurationSection GetSection(string key) => inner.GetSection(key);

            public IChangeToken GetReloadToken() => new Token(inner.GetReloadToken(), disposing);
        }

        private sealed class Token(IChangeToken inner, TaskCompletionSource disposing) : IChangeToken
        {
            public bool HasChanged => inner.HasChanged;

            public bool ActiveChangeCallbacks => inner.ActiveChangeCallbacks;

            public IDisposable RegisterChangeCallback(Action<object?> callback, object? state) =>
                new Registration(inner.RegisterChangeCallback(callback, state), disposing);
        }

        private sealed class Registration(IDisposable inner, TaskCompletionSource disposing) : IDisposable
        {
            public void Dispose()
            {
                disposing.TrySetResult();
                inner.Dispose();
            }
        }
    }
}
