using System.Globalization;
using System.Reflection;

namespace Resilience.Tests.Seams;

/// <summary>Every option of every policy, found by reflection: it takes effect by an update, and the object that it was given in is not read after the
/// build. (Those of the circuit breaker have a walk of their own.)</summary>
public sealed partial class OptionWalkTests
{
    /// <summary>A pipeline from options, and calls whose course shows every option.</summary>
    private abstract class Walk(SteppedTime time)
    {
        private readonly List<string> _seen = [];

        protected SteppedTime Time => time;

        public abstract IEnumerable<string> Names { get; }

        /// <summary>Changes that are no option of their own: what stands in an object that an option holds.</summary>
        public abstract IEnumerable<string> Inner { get; }

        public abstract IEnumerable<string> Known { get; }

        protected void Log(string what) => _seen.Add(string.Create(CultureInfo.InvariantCulture, $"{time.NowMs}: {what}"));

        /// <param name="change">The option that has another value; null: none.</param>
        /// <param name="how">Made with it, updated to it, or its object changed after the build.</param>
        public string Trace(string? change, How how)
        {
            try
            {
                Run(change, how);
            }
            catch (Exception error) when (error is ResilienceException or ArgumentException or InvalidOperationException)
            {
                Log($"rejected: {error.Message}");
            }

            return string.Join('\n', _seen);
        }

        private void Run(string? change, How how)
        {
            ResiliencePipeline pipeline = Build(how == How.Made ? change : null, out Action<string> mutate);
            if (how == How.Mutated) mutate(change!);
            if (how == How.Updated) pipeline.Update(Builder(change, out _));
            time.Advance(TimeSpan.FromHours(4)); // balances have come to rest
            Live(pipeline);
        }

        private ResiliencePipeline Build(string? change, out Action<string> mutate) => Builder(change, out mutate).Build();

        protected abstract ResiliencePipelineBuilder Builder(string? change, out Action<string> mutate);

        protected abstract void Live(ResiliencePipeline pipeline);

        protected ResiliencePipelineBuilder NewBuilder() =>
            new() { Name = "walk", TimeProvider = time, Randomness = Randomness.Seeded(5), EnvironmentName = "Development" };

        protected void Call(ResiliencePipeline pipeline, string name, Func<ResilienceContext, ValueTask<int>> attempt)
        {
            Outcome<int> outcome = default;
            Task running = EndAsync();
            time.RunUntil(running);

            async Task EndAsync()
            {
                outcome = await pipeline.TryExecuteAsync(
                    default(CallOptions),
                    (context, _) =>
                    {
                        Log($"{name}, attempt {context.Attempt}");
                        return attempt(context);
                    },
                    0).ConfigureAwait(false);
                Log($"{name} ended {outcome.Verdict} {(outcome.HasResult ? outcome.Value : outcome.Exception?.GetType().Name)}");
            }
        }

        /// <summary>Ends when the token is cancelled.</summary>
        protected static async ValueTask<int> HangAsync(ResilienceContext context)
        {
            TaskCompletionSource<int> end = new();
            CancellationToken token = context.CancellationToken;
            using CancellationTokenRegistration heard = token.Register(() => end.TrySetCanceled(token));
            return await end.Task.ConfigureAwait(false);
        }
    }

    private enum How
    {
        Made,
        Updated,
        Mutated,
    }

    private abstract class Walk<TOptions>(SteppedTime time) : Walk(time)
        where TOptions : PolicyOptions
    {
        /// <summary>Options under which everything is at work.</summary>
        protected abstract TOptions All();

        /// <summary>For each option another value; a name with a dot is something inside of one.</summary>
        protected abstract Dictionary<string, Action<TOptions>> Others();

        protected abstract void Add(ResiliencePipelineBuilder builder, TOptions options);

        public override IEnumerable<string> Names => OptionsOf(typeof(TOptions));

        public override IEnumerable<string> Known => Others().Keys.Where(name => !name.Contains('.'));

        public override IEnumerable<string> Inner => Others().Keys.Where(name => name.Contains('.'));

        protected override ResiliencePipelineBuilder Builder(string? change, out Action<string> mutate)
        {
            TOptions options = All();
            if (change is not null) Others()[change](options);
            ResiliencePipelineBuilder builder = NewBuilder();
            Add(builder, options);
            mutate = name => Others()[name](options);
            return builder;
        }
    }

    /// <summary>What can be set, and collections that can be added to.</summary>
    private static IEnumerable<string> OptionsOf(Type options) =>
        options.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(p => p.SetMethod is { IsPublic: true } || p.PropertyType.IsAssignableTo(typeof(System.Collections.IEnumerable)))
            .Select(p => p.Name);

    private static Walk Make(string policy)
    {
        SteppedTime time = new();
        return policy switch
        {
            "retry" => new RetryWalk(time),
            "retry budget" => new BudgetWalk(time),
            "concurrency limit" => new LimitWalk(time),
            "timeout" => new TimeoutWalk(time),
            "fallback" => new FallbackWalk(time),
            "hedging" => new HedgingWalk(time),
            "adaptive throttle" => new ThrottleWalk(time),
            "late" or "forgetful" or "right" => new PlantedWalk(time, policy),
            _ => new ChaosWalk(time),
        };
    }

    private static readonly string[] Policies = ["retry", "retry budget", "concurrency limit", "timeout", "fallback", "hedging", "chaos", "adaptive throttle"];

    /// <summary>On a thread without a context, where everything goes on at once.</summary>
    private static Task<string> TraceAsync(string policy, string? change, How how) => Task.Run(() => Make(policy).Trace(change, how));

    public static TheoryData<string, string> Options()
    {
        TheoryData<string, string> all = [];
        foreach (string policy in Policies)
        {
            foreach (string option in Make(policy).Names) all.Add(policy, option);
        }

        return all;
    }

    public static TheoryData<string, string> OptionsAndWhatTheyHold()
    {
        TheoryData<string, string> all = Options();
        foreach (string policy in Policies)
        {
            foreach (string inner in Make(policy).Inner) all.Add(policy, inner);
        }

        return all;
    }

    [Fact]
    public void No_option_is_without_an_entry()
    {
        foreach (string policy in Policies) Make(policy).Known.Should().BeEquivalentTo(Make(policy).Names, "the walk of the {0} knows every option", policy);

        Type[] walked =
        [
            typeof(RetryOptions), typeof(RetryBudgetOptions), typeof(ConcurrencyLimitOptions), typeof(TimeoutOptions), typeof(FallbackOptions<>),
            typeof(HedgingOptions), typeof(ChaosOptions), typeof(AdaptiveThrottleOptions),
        ];
        Type[] elsewhere = [typeof(CircuitBreakerOptions), typeof(IdempotencyPolicyOptions), typeof(IdempotencyOptions), typeof(InMemoryIdempotencyOptions),
            typeof(AdaptiveConcurrencyLimitOptions), typeof(EndpointSetOptions), typeof(EndpointEjectionOptions),
            typeof(LoadShedderOptions)];
        typeof(PolicyOptions).Assembly.GetExportedTypes().Where(t => t.IsSubclassOf(typeof(PolicyOptions))).Should().BeSubsetOf([.. walked, .. elsewhere]);
    }

    /// <summary>Updated before the first call, a pipeline goes on exactly as one that was made with the new options; and the same calls go otherwise by the
    /// old ones, or this test would not notice an option that an update forgets. A policy of another name is another policy.</summary>
    [Theory]
    [MemberData(nameof(Options))]
    public async Task Every_option_of_every_policy_takes_effect_by_an_update(string policy, string option)
    {
        string old = await TraceAsync(policy, null, How.Made), made = await TraceAsync(policy, option, How.Made);
        if (policy != "retry budget" || option != nameof(PolicyOptions.Name)) made.Should().NotBe(old, "the calls must show the option");
        (await TraceAsync(policy, option, How.Updated)).Should().Be(made, "the update is as good as the making");
    }

    [Theory]
    [MemberData(nameof(OptionsAndWhatTheyHold))]
    public async Task No_option_of_any_policy_is_read_after_the_build(string policy, string option) =>
        (await TraceAsync(policy, option, How.Mutated)).Should().Be(await TraceAsync(policy, null, How.Made));

    [Theory]
    [InlineData("right", false, false)]
    [InlineData("forgetful", true, false)]
    [InlineData("late", false, true)]
    public async Task The_walks_find_a_policy_that_forgets_an_option_or_reads_it_late(string policy, bool forgets, bool late)
    {
        string old = await TraceAsync(policy, null, How.Made), made = await TraceAsync(policy, nameof(TimeoutOptions.Timeout), How.Made);
        made.Should().NotBe(old);
        (await TraceAsync(policy, nameof(TimeoutOptions.Timeout), How.Updated) != made).Should().Be(forgets);
        (await TraceAsync(policy, nameof(TimeoutOptions.Timeout), How.Mutated) != old).Should().Be(late);
    }
}
