using Microsoft.Coyote.Specifications;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;

namespace Resilience.Verification.Coyote;

/// <summary>A container's pipelines in every order: built at once by several threads, reloaded, asked for and disposed of at the same time. Nothing waits for
/// ever, a pipeline is built once, and what is told to be is.</summary>
public sealed class ReloadScheduleTests(ITestOutputHelper output)
{
    [CoyoteFact]
    public void Threads_that_ask_at_once_get_one_pipeline_that_was_built_once() => Explore(() =>
    {
        int built = 0;
        using Provider provider = new(("a", _ => built++));
        ResiliencePipeline? one = null, other = null;
        Threads.Run(() => one = provider.Get("a"), () => other = provider.Get("a"));
        Specification.Assert(ReferenceEquals(one, other) && one is not null, "two pipelines of one name");
        Specification.Assert(built == 1, "built {0} times", built);
    });

    [CoyoteFact]
    public void Who_waited_for_a_build_that_failed_builds_itself() => Explore(() =>
    {
        int tries = 0;
        using Provider provider = new(("a", _ =>
        {
            if (Interlocked.Increment(ref tries) == 1) throw new NotSupportedException();
        }
        ));
        int found = 0;
        void Ask()
        {
            try
            {
                if (provider.Get("a") is not null) Interlocked.Increment(ref found);
            }
            catch (NotSupportedException)
            {
            }
        }

        Threads.Run(Ask, Ask);
        Specification.Assert(found == 1 && tries == 2, "{0} found one, after {1} tries", found, tries);
    });

    [CoyoteFact]
    public void Factories_that_need_each_other_across_threads_hear_of_it_and_no_thread_waits_for_ever() => Explore(() =>
    {
        Provider provider = null!;
        provider = new(("a", _ => provider.Get("b")), ("b", _ => provider.Get("a")));
        int told = 0;
        void Ask(string name)
        {
            try
            {
                provider.Get(name);
            }
            catch (InvalidOperationException circle) when (circle.Message.Contains("needs itself", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref told);
            }
        }

        Threads.Run(() => Ask("a"), () => Ask("b"));
        Specification.Assert(told == 2, "{0} were told", told);
        provider.Dispose();
    });

    [CoyoteFact]
    public void A_pipeline_that_two_others_need_is_no_circle() => Explore(() =>
    {
        Provider provider = null!;
        provider = new(("a", _ => provider.Get("c")), ("b", _ => provider.Get("c")), ("c", _ => { }));
        Threads.Run(() => provider.Get("a"), () => provider.Get("b"));
        Specification.Assert(provider.Built == 3, "{0} pipelines", provider.Built);
        provider.Dispose();
    });

    /// <summary>The reload asks for a pipeline while the provider is being disposed of.</summary>
    [CoyoteFact]
    public void A_reload_beside_the_disposal_and_a_first_call_ends_and_is_whole() => Explore(() =>
    {
        Source source = new();
        Provider provider = null!;
        provider = new(source, ("other", _ => { }
        ))
        {
            OnConfigure = () => provider.TryGet("other"),
        };
        ResiliencePipeline pipeline = provider.Get("reloaded");
        Threads.Run(() => source.Set("7"), provider.Dispose, () => pipeline.TryExecuteAsync<int>(_ => new ValueTask<int>(1)).GetAwaiter().GetResult());
        int limit = pipeline.Find<ConcurrencyLimit>()!.Limit;
        Specification.Assert(limit is 1 or 7, "the limit is {0}", limit);
        source.Set("9");
        Specification.Assert(pipeline.Find<ConcurrencyLimit>()!.Limit == limit, "a change after the disposal took effect");
    });

    [CoyoteFact]
    public void Of_two_reloads_the_last_one_stays_and_they_do_not_overlap() => Explore(() =>
    {
        Source source = new();
        int inside = 0;
        using Provider provider = new(source)
        {
            OnConfigure = () =>
            {
                Specification.Assert(Interlocked.Increment(ref inside) == 1, "two reloads at once");
                Interlocked.Decrement(ref inside);
            },
        };
        ResiliencePipeline pipeline = provider.Get("reloaded");
        Threads.Run(() => source.Set("7"), () => source.Set("8"));
        int limit = pipeline.Find<ConcurrencyLimit>()!.Limit;
        Specification.Assert(limit == int.Parse(source.Limit, System.Globalization.CultureInfo.InvariantCulture), "the limit is {0}, the source says {1}", limit, source.Limit);
    });

    [CoyoteFact]
    public void An_update_of_a_client_beside_a_first_request_to_an_authority_reaches_it() => Explore(() =>
    {
        HttpResilience resilience = HttpResilience.Standard(Limited(1));
        HttpAuthority? made = null;
        Threads.Run(() => resilience.Update(Limited(2)), () => made = resilience.For(new("https://a.test/")));
        int limit = made!.ConcurrencyLimit!.Limit;
        Specification.Assert(limit == 2, "the update has returned, and an authority goes by {0}", limit);
    });

    [CoyoteFact]
    public void However_many_authorities_come_at_once_no_more_are_kept_than_allowed() => Explore(() =>
    {
        StandardResilienceOptions options = Limited(1);
        options.MaxAuthorities = 1;
        HttpResilience resilience = HttpResilience.Standard(options);
        Threads.Run(() => resilience.For(new("https://a.test/")), () => resilience.For(new("https://b.test/")));
        Specification.Assert(resilience.Authorities.Count == 1, "{0} are kept", resilience.Authorities.Count);
    });

    /// <summary>An authority that is built outside of the lock, and put in without a second look at what it was built by.</summary>
    [CoyoteFact]
    public void An_authority_that_comes_in_by_a_former_recipe_is_found()
    {
        Exploration found = Explorer.Exhaust(
            () =>
            {
                Unchecked client = new();
                Threads.Run(() => client.Update(2), () => client.Make());
                Specification.Assert(client.Made == 2, "the update has returned, and an authority goes by {0}", client.Made);
            },
            Grain.Atomics,
            1000);
        output.WriteLine($"found after {found.Schedules} schedules");
        found.Flaw.Should().Contain("the update has returned");
    }

    private sealed class Unchecked
    {
        private readonly object _changing = new();
        private int _recipe = 1;

        internal int Made { get; private set; }

        internal void Update(int next)
        {
            lock (_changing)
            {
                if (Made > 0) Made = next;
                _recipe = next;
            }
        }

        internal void Make()
        {
            int recipe;
            lock (_changing) recipe = _recipe;
            lock (_changing) Made = recipe;
        }
    }

    private static StandardResilienceOptions Limited(int limit) => new() { ConcurrencyLimit = new() { MaxConcurrent = limit }, Retry = null, CircuitBreaker = null };

    private void Explore(Action scenario)
    {
        Exploration sampled = Explorer.Sample(scenario, Grain.Atomics, Bounds.Of(150, 20_000), flows: true);
        output.WriteLine($"{sampled.Schedules:N0} schedules at random");
        sampled.Flaw.Should().BeNull();
        Exploration found = Explorer.Exhaust(scenario, Grain.Atomics, Bounds.Of(150, 20_000), flows: true);
        output.WriteLine($"{found.Schedules:N0} orders of the atomic steps{(found.IsComplete ? ", no other exists" : "")}");
        found.Flaw.Should().BeNull();
    }

    /// <summary>A container with pipelines by code, and one, "reloaded", by configuration.</summary>
    private sealed class Provider : IDisposable
    {
        private readonly ServiceProvider _container;
        private readonly ResiliencePipelineProvider _provider;

        internal Provider(params (string Name, Action<ResiliencePipelineBuilder> Configure)[] pipelines)
            : this(null, pipelines)
        {
        }

        internal Provider(Source? source, params (string Name, Action<ResiliencePipelineBuilder> Configure)[] pipelines)
        {
            ServiceCollection services = new();
            services.AddLogging();
            IResilienceBuilder builder = services.AddResilience();
            foreach ((string name, Action<ResiliencePipelineBuilder> configure) in pipelines) builder.AddPipeline(name, configure);
            if (source is not null)
            {
                builder.AddPipeline("reloaded", source, (pipeline, settings, _) =>
                {
                    OnConfigure();
                    pipeline.AddPolicies(settings);
                });
            }

            _container = services.BuildServiceProvider();
            _provider = _container.GetRequiredService<ResiliencePipelineProvider>();
        }

        internal Action OnConfigure { get; init; } = static () => { };

        internal int Built => _provider.Built.Count;

        internal ResiliencePipeline Get(string name) => _provider.GetPipeline(name);

        internal bool TryGet(string name) => _provider.TryGetPipeline(name, out _);

        /// <summary>Of the provider first, as the container does it; the container itself is foreign code without scheduling points.</summary>
        public void Dispose() => _provider.Dispose();
    }

    /// <summary>A section whose token calls back on the thread that changes it, and whose registrations wait when they are disposed of, as those of a
    /// cancellation token do. Its values are in a configuration of the framework's, which the schedules do not stop in.</summary>
    private sealed class Source : IConfigurationSection
    {
        private const string Key = "ConcurrencyLimit:MaxConcurrent";

        private readonly IConfigurationRoot _values = new ConfigurationBuilder().AddInMemoryCollection([new(Key, "1")]).Build();
        private readonly object _gate = new();
        private Token _token = new();

        internal string Limit
        {
            get
            {
                lock (_gate) return _values[Key]!;
            }
        }

        string IConfigurationSection.Key => "Reloaded";

        string IConfigurationSection.Path => "Reloaded";

        string? IConfigurationSection.Value { get => null; set => throw new NotSupportedException(); }

        string? IConfiguration.this[string key] { get => _values[key]; set => throw new NotSupportedException(); }

        internal void Set(string limit)
        {
            Token former;
            lock (_gate)
            {
                _values[Key] = limit;
                (former, _token) = (_token, new());
            }

            former.Fire();
        }

        public IConfigurationSection GetSection(string key) => _values.GetSection(key);

        public IEnumerable<IConfigurationSection> GetChildren() => _values.GetChildren();

        public IChangeToken GetReloadToken()
        {
            lock (_gate) return _token;
        }

        private sealed class Token : IChangeToken
        {
            private readonly object _calling = new(); // held while callbacks run
            private readonly List<Registration> _registrations = [];

            public bool HasChanged { get; private set; }

            public bool ActiveChangeCallbacks => true;

            public IDisposable RegisterChangeCallback(Action<object?> callback, object? state)
            {
                Registration one = new(this, callback, state);
                bool isLate;
                lock (_registrations)
                {
                    _registrations.Add(one);
                    isLate = HasChanged;
                }

                if (isLate) one.Call(); // as a token that was cancelled does
                return one;
            }

            internal void Fire()
            {
                lock (_calling)
                {
                    Registration[] all;
                    lock (_registrations)
                    {
                        HasChanged = true;
                        all = [.. _registrations];
                    }

                    foreach (Registration one in all) one.Call();
                }
            }

            private sealed class Registration(Token token, Action<object?> callback, object? state) : IDisposable
            {
                private bool _isGone;

                internal void Call()
                {
                    if (!_isGone) callback(state);
                }

                public void Dispose()
                {
                    _isGone = true;
                    lock (token._calling)
                    {
                    }
                }
            }
        }
    }
}
