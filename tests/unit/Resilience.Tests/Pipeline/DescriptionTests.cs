using System.Collections;
using System.Diagnostics.Metrics;
using System.Reflection;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Pipeline;

/// <summary>What a pipeline says of itself is complete: to change an option changes the text, or it stands below with the reason why not.</summary>
public sealed class DescriptionTests
{
    private static readonly Dictionary<string, string> Excused = new()
    {
        ["RetryOptions.OnRetry"] = "it listens and changes nothing",
        ["RetryOptions.OnRetryAsync"] = "it prepares the next attempt and changes nothing of the policy",
        ["CircuitBreakerOptions.OnChange"] = "it listens and changes nothing",
        ["CircuitBreakerOptions.OnChangeAsync"] = "it listens and changes nothing",
        ["EndpointEjectionOptions.Name"] = "the ejection of a set bears the set's name",
        ["RetryBudgetOptions.Name"] = "a budget of a policy bears the policy's name",
    };

    /// <summary>What must be set besides, so that an option means something.</summary>
    private static readonly Dictionary<string, Action<object>> Needs = new()
    {
        ["RetryOptions.Factor"] = o => ((RetryOptions)o).BackoffKind = BackoffKind.Exponential,
        ["CircuitBreakerOptions.ConsecutiveFailuresWithin"] = o => ((CircuitBreakerOptions)o).ConsecutiveFailures = 3,
        ["CircuitBreakerOptions.SlowCallRatio"] = o => ((CircuitBreakerOptions)o).SlowCallThreshold = TimeSpan.FromSeconds(1),
        ["CircuitBreakerOptions.RampFrom"] = o => ((CircuitBreakerOptions)o).RampDuration = TimeSpan.FromSeconds(9),
        ["HedgingOptions.MinDelay"] = Measured,
        ["HedgingOptions.MaxDelay"] = Measured,
        ["HedgingOptions.MinSamples"] = Measured,
        ["AdaptiveConcurrencyLimitOptions.SlowShare"] = o => ((AdaptiveConcurrencyLimitOptions)o).LatencyTarget = TimeSpan.FromSeconds(1),
        ["AdaptiveConcurrencyLimitOptions.Tolerance"] = Gradient,
        ["AdaptiveConcurrencyLimitOptions.ProbeFraction"] = Gradient,
        ["AdaptiveConcurrencyLimitOptions.ProbeInterval"] = Gradient,
        ["AdaptiveConcurrencyLimitOptions.QueueFollowsLimit"] = Queueing,
        ["AdaptiveConcurrencyLimitOptions.MaxWait"] = Queueing,
        ["AdaptiveConcurrencyLimitOptions.StandingAfter"] = Queueing,
        ["AdaptiveConcurrencyLimitOptions.StandingWait"] = Queueing,
        ["ConcurrencyLimitOptions.MaxWait"] = o => ((ConcurrencyLimitOptions)o).MaxQueued = 3,
        ["IdempotencyOptions.MaxWait"] = Waiting,
        ["IdempotencyOptions.MaxWaiters"] = Waiting,
        ["IdempotencyOptions.MaxWaitersPerKey"] = Waiting,
    };

    private static void Measured(object options) => ((HedgingOptions)options).DelayQuantile = 0.95;

    private static void Gradient(object options) => ((AdaptiveConcurrencyLimitOptions)options).Algorithm = LimitAlgorithm.Gradient;

    private static void Queueing(object options) => ((AdaptiveConcurrencyLimitOptions)options).MaxQueued = 3;

    private static void Waiting(object options) => ((IdempotencyOptions)options).WhenInFlight = WhenInFlight.Wait;

    /// <summary>Another value than the default, where one by the type alone would not do.</summary>
    private static readonly Dictionary<string, object> Others = new()
    {
        ["RetryOptions.Budget"] = RetryBudget.Unlimited,
        ["RetryOptions.BudgetOptions"] = new RetryBudgetOptions { Ratio = 0.33 },
        ["HedgingOptions.DelayQuantile"] = 0.9,
        ["HedgingOptions.MaxDelay"] = TimeSpan.FromSeconds(9),
        ["HedgingOptions.Budget"] = RetryBudget.Unlimited,
        ["HedgingOptions.BudgetOptions"] = new RetryBudgetOptions { Ratio = 0.33 },
        ["EndpointSetOptions.Ejection"] = new EndpointEjectionOptions { Base = TimeSpan.FromSeconds(40) },
        ["EndpointSetOptions.Load"] = new NoLoad(),
        ["RetryBudgetOptions.Ratio"] = 0.33,
        ["CircuitBreakerOptions.SamplingCalls"] = 40,
        ["CircuitBreakerOptions.BreakJitter"] = 0.07,
        ["CircuitBreakerOptions.SuccessThreshold"] = 2,
        ["CircuitBreakerOptions.RampDuration"] = TimeSpan.FromSeconds(9),
        ["CircuitBreakerOptions.BreakGrowth"] = 3.0,
        ["CircuitBreakerOptions.Probes"] = 3,
        ["CircuitBreakerOptions.MinimumCalls"] = 21,
        ["CircuitBreakerOptions.Buckets"] = 5,
        ["FallbackOptions`1.Value"] = 41,
        ["AdaptiveConcurrencyLimitOptions.MinSamples"] = 33,
        ["AdaptiveThrottleOptions.K"] = 3.0,
        ["AdaptiveThrottleOptions.MaxRejection"] = 0.5,
        ["FallbackOptions`1.LastGood"] = LastGood<int>.Shared(TimeSpan.FromMinutes(3)),
        ["IdempotencyPolicyOptions.Serializer"] = new OtherSerializer(),
        ["IdempotencyPolicyOptions.Outcomes"] = IdempotencyOutcomes.Default.On<IOException>(IdempotencyDisposition.Hold),
        ["IdempotencyOptions.Lease"] = TimeSpan.FromSeconds(31),
        ["IdempotencyOptions.MaxExecution"] = TimeSpan.FromMinutes(11),
        ["IdempotencyOptions.Retention"] = TimeSpan.FromHours(25),
        ["IdempotencyOptions.ReplayCacheTime"] = TimeSpan.FromSeconds(7),
        ["IdempotencyOptions.ReplayCacheBytes"] = 3L << 20,
    };

    private static readonly Dictionary<Type, Func<object, string>> Texts = new()
    {
        [typeof(RetryOptions)] = o => Text(b => b.AddRetry((RetryOptions)o)),
        [typeof(RetryBudgetOptions)] = o => Text(b => b.AddRetry(new RetryOptions { BudgetOptions = (RetryBudgetOptions)o })),
        [typeof(CircuitBreakerOptions)] = o => Text(b => b.AddCircuitBreaker((CircuitBreakerOptions)o)),
        [typeof(HedgingOptions)] = o => Text(b => b.AddHedging((HedgingOptions)o)),
        [typeof(TimeoutOptions)] = o => Text(b => b.AddTimeout((TimeoutOptions)o)),
        [typeof(ConcurrencyLimitOptions)] = o => Text(b => b.AddConcurrencyLimit((ConcurrencyLimitOptions)o)),
        [typeof(AdaptiveConcurrencyLimitOptions)] = o => Text(b => b.AddAdaptiveConcurrencyLimit((AdaptiveConcurrencyLimitOptions)o)),
        [typeof(AdaptiveThrottleOptions)] = o => Text(b => b.AddAdaptiveThrottle((AdaptiveThrottleOptions)o)),
        [typeof(EndpointSetOptions)] = o => Text(b => b.AddEndpoints((EndpointSetOptions)o)),
        [typeof(EndpointEjectionOptions)] = o => Text(b => b.AddEndpoints(new EndpointSetOptions { Ejection = (EndpointEjectionOptions)o })),
        [typeof(FallbackOptions<int>)] = o => Text(b => b.AddFallback((FallbackOptions<int>)o)),
        [typeof(IdempotencyPolicyOptions)] = o => Text(b => b.AddIdempotency(Gate(new()), (IdempotencyPolicyOptions)o)),
        [typeof(IdempotencyOptions)] = o => Text(b => b.AddIdempotency(Gate((IdempotencyOptions)o))),
        [typeof(ResiliencePipelineBuilder)] = o => ((ResiliencePipelineBuilder)o).Build().Describe().ToString(),
    };

    /// <summary>Above a store in another process, so that what is kept of it in memory is an option that matters.</summary>
    private static IdempotencyGate Gate(IdempotencyOptions options) => new(new ThrowingStore(() => new NotSupportedException()), options);

    private static string Text(Action<ResiliencePipelineBuilder> add)
    {
        ResiliencePipelineBuilder builder = new();
        add(builder);
        return builder.Build().Describe().ToString();
    }

    public static TheoryData<string> Kinds() => [.. Texts.Keys.Select(t => t.Name)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_option_is_in_the_description_or_excused(string kind)
    {
        Type type = Texts.Keys.Single(t => t.Name == kind);
        IEnumerable<PropertyInfo> options = type.GetProperties()
            .Where(p => p.SetMethod is { IsPublic: true } || typeof(IEnumerable).IsAssignableFrom(p.PropertyType));
        foreach (PropertyInfo option in options)
        {
            string name = $"{type.Name}.{option.Name}";
            if (Excused.ContainsKey(name)) continue;
            Texts[type](Made(type, name, option, change: true)).Should().NotBe(Texts[type](Made(type, name, option, change: false)), "{0} is an option", name);
        }
    }

    [Fact]
    public void Every_class_of_options_is_looked_at_and_every_excuse_is_needed()
    {
        string[] known = [.. Texts.Keys.Select(t => t.Name)];
        // No policies; and one whose text has a seed that is drawn.
        Type[] apart = [typeof(InMemoryIdempotencyOptions), typeof(LoadShedderOptions), typeof(ChaosOptions)];
        typeof(PolicyOptions).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(PolicyOptions)) && !apart.Contains(t) && t.IsPublic)
            .Select(t => t.Name).Should().BeSubsetOf(known, "a new policy describes its options, and has a line above");
        foreach (string excuse in Excused.Keys)
        {
            Type type = Texts.Keys.Single(t => t.Name == excuse.Split('.')[0]);
            type.GetProperty(excuse.Split('.')[1]).Should().NotBeNull();
        }
    }

    private static object Made(Type type, string name, PropertyInfo option, bool change)
    {
        object made = Activator.CreateInstance(type)!;
        if (made is FallbackOptions<int> fallback) fallback.Value = 40; // it must have something to put in the place of a failure
        if (Needs.TryGetValue(name, out Action<object>? need)) need(made);
        if (change) Change(made, name, option);
        return made;
    }

    private static void Change(object made, string name, PropertyInfo option)
    {
        if (option.SetMethod is not { IsPublic: true })
        {
            Fill(option.GetValue(made)!);
            return;
        }

        object? now = option.GetValue(made);
        option.SetValue(made, Others.TryGetValue(name, out object? other) ? other : Another(option.PropertyType, now));
    }

    private static void Fill(object collection)
    {
        if (collection is ISet<string> codes) codes.Add("RES006");
        else if (collection is IList<Uri> addresses) addresses.Add(new("http://10.0.0.1"));
        else ((IList)collection).Add(RetryRule.On<IOException>(7));
    }

    private static object Another(Type type, object? now)
    {
        Type plain = Nullable.GetUnderlyingType(type) ?? type;
        if (plain == typeof(bool)) return !(bool)(now ?? false);
        if (plain == typeof(int)) return (int)(now ?? 3) + 1;
        if (plain == typeof(double)) return (double)(now ?? 0.2) * 0.9;
        if (plain == typeof(TimeSpan)) return (TimeSpan)(now ?? TimeSpan.FromSeconds(5)) * 1.5;
        if (plain == typeof(string)) return "another";
        if (plain.IsEnum) return Enum.GetValues(plain).Cast<object>().First(v => !v.Equals(now));
        if (plain == typeof(TimeProvider)) return new FakeTimeProvider();
        if (plain == typeof(Randomness)) return Randomness.Seeded(1);
        if (plain == typeof(IMeterFactory)) return new Meters();
        if (plain == typeof(OutcomeClassifier)) return OutcomeClassifier.Default.On<IOException>(Verdict.Ignored);
        return typeof(Delegate).IsAssignableFrom(plain) ? Delegate(plain) : throw new NotSupportedException($"Say above what another {type} is.");
    }

    /// <summary>A delegate of any type; it is never called.</summary>
    private static Delegate Delegate(Type type)
    {
        MethodInfo invoke = type.GetMethod("Invoke")!;
        System.Linq.Expressions.ParameterExpression[] parameters = [.. invoke.GetParameters()
            .Select(p => System.Linq.Expressions.Expression.Parameter(p.ParameterType))];
        return System.Linq.Expressions.Expression.Lambda(type, System.Linq.Expressions.Expression.Default(invoke.ReturnType), parameters).Compile();
    }

    private sealed class Meters : IMeterFactory
    {
        public Meter Create(MeterOptions options) => new(options);

        public void Dispose()
        {
        }
    }

    private sealed class NoLoad : IEndpointLoad
    {
        public double LoadOf(TargetEndpoint endpoint) => 0;
    }

    private sealed class OtherSerializer : IIdempotencySerializer
    {
        public bool CanSerialize(Type type) => true;

        public void Serialize<T>(System.Buffers.IBufferWriter<byte> destination, T value)
        {
        }

        public T? Deserialize<T>(ReadOnlySpan<byte> bytes) => default;
    }
}
