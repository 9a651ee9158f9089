using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Threading.RateLimiting;
using Npgsql;
using Resilience.Chaos;

namespace Resilience.Tests.Options;

/// <summary>Nothing that outlives the call which it got options from keeps them: what a caller changes in the object afterwards would take effect
/// unchecked, in some places and not in others. Every kind of options of every package, and everything that is made of them.</summary>
public sealed class OptionsOwnershipTests
{
    private static readonly Assembly[] Packages =
    [
        typeof(ResiliencePipeline).Assembly, typeof(HttpResilience).Assembly, typeof(IdempotencyEndpointOptions).Assembly,
        typeof(SqliteIdempotencyStore).Assembly, typeof(PostgresIdempotencyStore).Assembly, typeof(RedisIdempotencyStore).Assembly,
        typeof(ResilienceHealthOptions).Assembly, typeof(EntityFrameworkIdempotencyStore).Assembly,
    ];

    // Meant to be shared: what they are given to is to see their changes.
    private static readonly Type[] Shared = [typeof(RetryBudget), typeof(ChaosSwitch), typeof(LastGood<int>), typeof(Randomness)];

    /// <summary>What is made of each kind of options, in every way. The options of endpoints and of the live page are looked at where they can be asked
    /// for: <c>Resilience.AspNetCore.Tests</c>.</summary>
    private static readonly Dictionary<Type, Func<PolicyOptions, object>[]> Made = new()
    {
        [typeof(RetryOptions)] =
        [
            o => new ResiliencePipelineBuilder().AddRetry((RetryOptions)o).Build(),
            o => Updated(new ResiliencePipelineBuilder().AddRetry((RetryOptions)o)),
        ],
        [typeof(RetryBudgetOptions)] =
        [
            o => new RetryBudget((RetryBudgetOptions)o),
            o =>
            {
                RetryBudget budget = new();
                budget.Update((RetryBudgetOptions)o);
                return budget;
            },
        ],
        [typeof(CircuitBreakerOptions)] =
        [
            o => new ResiliencePipelineBuilder().AddCircuitBreaker((CircuitBreakerOptions)o).Build(),
            o => Updated(new ResiliencePipelineBuilder().AddCircuitBreaker((CircuitBreakerOptions)o)),
            o => new CircuitBreaker((CircuitBreakerOptions)o),
            o => new CircuitBreakerPartitions((CircuitBreakerOptions)o),
            o =>
            {
                CircuitBreaker breaker = new(new());
                breaker.Update((CircuitBreakerOptions)o);
                return breaker;
            },
        ],
        [typeof(ConcurrencyLimitOptions)] =
        [
            o => new ResiliencePipelineBuilder().AddConcurrencyLimit((ConcurrencyLimitOptions)o).Build(),
            o => Updated(new ResiliencePipelineBuilder().AddConcurrencyLimit((ConcurrencyLimitOptions)o)),
            o => new ConcurrencyLimit((ConcurrencyLimitOptions)o),
            o =>
            {
                ConcurrencyLimit limit = new(new());
                limit.Update((ConcurrencyLimitOptions)o);
                return limit;
            },
        ],
        [typeof(EndpointSetOptions)] =
        [
            o => new ResiliencePipelineBuilder().AddEndpoints((EndpointSetOptions)o).Build(),
            o => Updated(new ResiliencePipelineBuilder().AddEndpoints((EndpointSetOptions)o)),
            o => new EndpointSet((EndpointSetOptions)o),
            o =>
            {
                EndpointSet set = new(new EndpointSetOptions());
                set.Update((EndpointSetOptions)o);
                return set;
            },
        ],
        [typeof(EndpointEjectionOptions)] = [o => new EndpointSet(new EndpointSetOptions { Ejection = (EndpointEjectionOptions)o })],
        [typeof(AdaptiveThrottleOptions)] =
        [
            o => new ResiliencePipelineBuilder().AddAdaptiveThrottle((AdaptiveThrottleOptions)o).Build(),
            o => Updated(new ResiliencePipelineBuilder().AddAdaptiveThrottle((AdaptiveThrottleOptions)o)),
            o => new AdaptiveThrottle((AdaptiveThrottleOptions)o),
            o =>
            {
                AdaptiveThrottle throttle = new(new());
                throttle.Update((AdaptiveThrottleOptions)o);
                return throttle;
            },
        ],
        [typeof(AdaptiveConcurrencyLimitOptions)] =
        [
            o => new ResiliencePipelineBuilder().AddAdaptiveConcurrencyLimit((AdaptiveConcurrencyLimitOptions)o).Build(),
            o => Updated(new ResiliencePipelineBuilder().AddAdaptiveConcurrencyLimit((AdaptiveConcurrencyLimitOptions)o)),
            o => new AdaptiveConcurrencyLimit((AdaptiveConcurrencyLimitOptions)o),
            o =>
            {
                AdaptiveConcurrencyLimit limit = new(new());
                limit.Update((AdaptiveConcurrencyLimitOptions)o);
                return limit;
            },
        ],
        [typeof(TimeoutOptions)] = [o => new ResiliencePipelineBuilder().AddTimeout((TimeoutOptions)o).Build()],
        [typeof(HedgingOptions)] =
        [
            o => new ResiliencePipelineBuilder().AddHedging((HedgingOptions)o).Build(),
            o => Updated(new ResiliencePipelineBuilder().AddHedging((HedgingOptions)o)),
        ],
        [typeof(FallbackOptions<int>)] = [o => new ResiliencePipelineBuilder().AddFallback((FallbackOptions<int>)o).Build()],
        [typeof(ChaosOptions)] = [o => new ResiliencePipelineBuilder().AddChaos((ChaosOptions)o).Build()],
        [typeof(IdempotencyPolicyOptions)] =
            [o => new ResiliencePipelineBuilder().AddIdempotency(new IdempotencyGate(), (IdempotencyPolicyOptions)o).Build()],
        [typeof(IdempotencyOptions)] = [o => new IdempotencyGate(options: (IdempotencyOptions)o)],
        [typeof(InMemoryIdempotencyOptions)] = [o => new InMemoryIdempotencyStore((InMemoryIdempotencyOptions)o)],
        [typeof(RateLimiterOptions)] =
        [
            _ => // given to a delegate, which may keep them
            {
                RateLimiterOptions? given = null;
                ResiliencePipeline made = new ResiliencePipelineBuilder()
                    .AddRateLimiter(new ConcurrencyLimiter(new() { PermitLimit = 1, QueueLimit = 0 }), o => given = o).Build();
                ObjectGraph.PathTo(made, [given!]).Should().BeNull();
                return made;
            },
        ],
        [typeof(StandardResilienceOptions)] =
        [
            o => WithAuthority(HttpResilience.Standard((StandardResilienceOptions)o)),
            o =>
            {
                HttpResilience resilience = WithAuthority(HttpResilience.Standard());
                resilience.Update((StandardResilienceOptions)o);
                return WithAuthority(resilience, "https://later.test/");
            },
        ],
        [typeof(CustomResilienceOptions)] = [o => WithAuthority(HttpResilience.Custom(p => p.AddTimeout(TimeSpan.FromSeconds(1)), (CustomResilienceOptions)o))],
        [typeof(IdempotencyKeyOptions)] = [o => new IdempotencyKeyHandler((IdempotencyKeyOptions)o),
            o => new IdempotencyKeyHandler((IdempotencyKeyOptions)o, new SocketsHttpHandler())],
        [typeof(SqliteIdempotencyOptions)] = [o => new SqliteIdempotencyStore((SqliteIdempotencyOptions)o)],
        [typeof(PostgresIdempotencyOptions)] = [o => new PostgresIdempotencyStore(NpgsqlDataSource.Create("Host=127.0.0.1"), (PostgresIdempotencyOptions)o)],
        [typeof(RedisIdempotencyOptions)] = [o => new RedisIdempotencyStore(
            DispatchProxy.Create<StackExchange.Redis.IConnectionMultiplexer, Nothing>(), (RedisIdempotencyOptions)o)],
        [typeof(EntityFrameworkIdempotencyOptions)] =
            [o => new EntityFrameworkIdempotencyStore(static () => throw new NotSupportedException(), (EntityFrameworkIdempotencyOptions)o)],
        [typeof(IdempotencyEndpointOptions)] = [],
        [typeof(EndpointTransactionOptions)] = [],
        [typeof(ResilienceDashboardOptions)] = [],
        [typeof(Overload.RequestDeadlineOptions)] = [],
        [typeof(LoadShedderOptions)] = [o => new LoadShedder((LoadShedderOptions)o)],
        [typeof(Overload.LoadSheddingOptions)] = [],
    };

    public static TheoryData<Type> Kinds => [.. Packages.SelectMany(p => p.GetExportedTypes())
        .Where(t => typeof(PolicyOptions).IsAssignableFrom(t) && !t.IsAbstract).Select(t => t.IsGenericTypeDefinition ? t.MakeGenericType(typeof(int)) : t)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_copy_shares_nothing_that_can_be_changed(Type kind)
    {
        PolicyOptions options = Filled(kind), copy = options.Copy();
        copy.Should().NotBeSameAs(options).And.BeOfType(kind);
        ObjectGraph.PathTo(copy, MutablePartsOf(options)).Should().BeNull();
        foreach (PropertyInfo property in kind.GetProperties().Where(p => p.PropertyType.IsValueType || p.PropertyType == typeof(string)))
            property.GetValue(copy).Should().Be(property.GetValue(options), property.Name);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_made_of_options_does_not_keep_them(Type kind)
    {
        Made.Should().ContainKey(kind, "a new kind of options belongs into this table");
        foreach (Func<PolicyOptions, object> make in Made[kind])
        {
            PolicyOptions options = Filled(kind);
            ObjectGraph.PathTo(make(options), MutablePartsOf(options)).Should().BeNull();
        }
    }

    [Fact]
    public void What_keeps_them_is_found()
    {
        TimeoutOptions options = new();
        ObjectGraph.PathTo(new ResiliencePipelineBuilder().AddPolicy(options, _ => new Keeps(options)).Build(), [options]).Should().Contain("options");
        ObjectGraph.PathTo(new ResiliencePipelineBuilder().AddPolicy(options, (copy, _) => new Keeps(copy)).Build(), [options]).Should().BeNull();

        SharesItsList shallow = new();
        ObjectGraph.PathTo(shallow.Copy(), MutablePartsOf(shallow)).Should().Contain("Names");
    }

    private sealed class SharesItsList : PolicyOptions
    {
        public IList<string> Names { get; } = [];

        protected internal override string Kind => "planted";

        protected internal override void Check(OptionsCheck check)
        {
        }
    }

    private sealed class Keeps(TimeoutOptions options) : SimplePolicy
    {
        public override string ToString() => $"{options.Timeout}";

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }

    private static ResiliencePipeline Updated(ResiliencePipelineBuilder builder)
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().Build();
        pipeline.Update(builder);
        return pipeline;
    }

    private static HttpResilience WithAuthority(HttpResilience resilience, string address = "https://first.test/")
    {
        resilience.For(new(address));
        return resilience;
    }

    /// <summary>Options in order, with everything set that holds something changeable.</summary>
    private static PolicyOptions Filled(Type kind)
    {
        PolicyOptions options = (PolicyOptions)Activator.CreateInstance(kind)!;
        foreach (PropertyInfo property in kind.GetProperties().Where(p => IsSettable(p) && p.GetValue(options) is null))
        {
            if (property.PropertyType == typeof(ChaosSchedule)) property.SetValue(options, new ChaosSchedule().Window(TimeSpan.Zero, TimeSpan.FromSeconds(1)));
            else if (typeof(PolicyOptions).IsAssignableFrom(property.PropertyType)) property.SetValue(options, Activator.CreateInstance(property.PropertyType));
        }

        switch (options)
        {
            case ChaosOptions chaos: chaos.EnvironmentName = "Development"; break;
            case FallbackOptions<int> fallback: fallback.Value = 1; break;
            case SqliteIdempotencyOptions sqlite: sqlite.ConnectionString = "Data Source=:memory:"; break;
            case RetryOptions retry: retry.Rules.Add(RetryRule.On<IOException>(1)); break;
            case HttpResilienceOptions http: http.LongPolls.Paths.Add("/poll"); break;
        }

        options.FindProblems().ShouldBeNone();
        return options;
    }

    /// <summary>The options, and what they hold that can be changed.</summary>
    private static List<object> MutablePartsOf(object options)
    {
        List<object> parts = [options];
        foreach (PropertyInfo property in options.GetType().GetProperties().Where(p => p.GetIndexParameters().Length == 0 && !p.PropertyType.IsValueType))
        {
            if (property.GetValue(options) is not { } value || value is string or Delegate || Shared.Contains(value.GetType())) continue;
            if (value is IEnumerable) parts.Add(value);
            else if (value.GetType().GetProperties()
                .Any(p => IsSettable(p) || typeof(IEnumerable).IsAssignableFrom(p.PropertyType) && p.PropertyType != typeof(string)))
                parts.AddRange(MutablePartsOf(value));
        }

        return parts;
    }

    private static bool IsSettable(PropertyInfo property) => property.SetMethod is { IsPublic: true } set
        && !set.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));

    /// <summary>A connection of which nothing is asked.</summary>
    public class Nothing : DispatchProxy
    {
        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => null;
    }
}
