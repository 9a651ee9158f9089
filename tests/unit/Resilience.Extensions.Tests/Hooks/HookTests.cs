using System.Net;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Tests.Http;

namespace Resilience.Tests.Hooks;

/// <summary>Every public hook, set in every place where it may be set, changes something. The hooks are found by reflection: a new one without an entry
/// here fails, and so does a place that lets one fall on the floor.</summary>
public sealed class HookTests
{
    /// <summary>What happened to a call: what there was of it with and without the hook must differ.</summary>
    private sealed class Trace
    {
        public int Attempts;
        public int Heard;
        public string End = "";
        public int Failures;
        public List<string> Reasons { get; } = [];

        public string Effect => $"{Attempts} attempts, {End}, {Failures} counted, {Heard} heard, {string.Join(' ', Reasons)}";
    }

    /// <summary>A call ends thrice so, then well.</summary>
    private enum Script
    {
        Throws,
        NotFound,
        Unavailable,
    }

    /// <summary>A hook, on a builder and on the options of the standard pipeline (null: it cannot be set there).</summary>
    private sealed record Hook(
        string Member, Script Script, Action<ResiliencePipelineBuilderBase, Trace, bool> OnBuilder, Action<StandardResilienceOptions, Trace, bool>? OnStandard)
    {
        /// <summary>On the options of the handler that gives keys.</summary>
        public Action<IdempotencyKeyOptions, Trace>? OnKeys { get; init; }

        public bool IsForBuilders =>
            OnKeys is null && !Member.StartsWith("HttpResilienceOptions", StringComparison.Ordinal) && !Member.StartsWith("LongPoll", StringComparison.Ordinal);
    }

    private static readonly Hook[] Hooks =
    [
        Retry("ShouldRetry", (o, _) => o.ShouldRetry = _ => false),
        Retry("RetryAfter", (o, _) => o.RetryAfter = _ => TimeSpan.FromDays(1)),
        Retry("OnRetry", (o, t) => o.OnRetry = (_, _) => t.Heard++),
        Retry("OnRetryAsync", (o, t) => o.OnRetryAsync = (_, _, _) => new(Task.FromResult(t.Heard++))),
        Breaker("ShouldCount", (o, _) => o.ShouldCount = _ => false),
        Breaker("BreakDurationFor", (o, t) => (o.BreakDurationFor, o.FailureRatio, o.MinimumCalls) = (_ => Count(t, default(TimeSpan?)), 0.01, 1)),
        Breaker("OnChange", (o, t) => (o.OnChange, o.FailureRatio, o.MinimumCalls) = (_ => t.Heard++, 0.01, 1)),
        Hedging("ShouldHedge", (o, _) => o.ShouldHedge = _ => false),
        Hedging("DelayFor", (o, _) => o.DelayFor = _ => TimeSpan.FromMilliseconds(1), r => r.On<IOException>(Classification.Throttled())), // waits
        Hedging("CanHedge", (o, t) => o.CanHedge = _ => Count(t, false)),
        Hedging("Route", (o, t) => o.Route = (_, _) => Count(t, true)),
        new("AdaptiveThrottleOptions.IsOverload", Script.Throws, (b, t, on) => b.AddRetry(AtOnce).AddAdaptiveThrottle(o =>
            o.IsOverload = on ? _ => Count(t, true) : null), null),
        new("AdaptiveConcurrencyLimitOptions.IsOverload", Script.Throws, (b, t, on) => b.AddRetry(AtOnce).AddAdaptiveConcurrencyLimit(o =>
            o.IsOverload = on ? _ => Count(t, true) : null), null),
        new("TimeoutOptions.TimeoutFor", Script.Throws, (b, t, on) => b.AddTimeout(new TimeoutOptions
        {
            Timeout = TimeSpan.FromMinutes(1), TimeoutFor = on ? _ => Count<TimeSpan?>(t, TimeSpan.FromMinutes(2)) : null,
        }), null),
        Rules("On(Verdict)", Script.Throws, (r, _) => r.On<IOException>(Verdict.Ignored)),
        Rules("On(Classification)", Script.Throws, (r, _) => r.On<IOException>(Classification.Permanent)),
        Rules("On(Func`2)", Script.Throws, (r, _) => r.On<IOException>(_ => Verdict.Ignored).On<IOException>(_ => Classification.Permanent)),
        Rules("OnResult(Func`2)", Script.NotFound,
            (r, _) => r.OnResult<HttpResponseMessage>(x => x.StatusCode == HttpStatusCode.NotFound ? Verdict.Failure : null)),
        Rules("OnResult(Func`2)", Script.NotFound, (r, _) => r.OnResult<object>(_ => Classification.Untouched)),
        Rules("NameResult(Func`2)", Script.Unavailable, (r, t) => Bad(r).NameResult<HttpResponseMessage>(_ => Count(t, "bad"))),
        Rules("NameException(Func`2)", Script.Throws, (r, t) => r.NameException<IOException>(_ => Count(t, "cable"))),
        Rules("RetryAfterResult(Func`3)", Script.Unavailable, (r, _) => Bad(r).RetryAfterResult<HttpResponseMessage>((_, _) => TimeSpan.FromDays(1))),
        Rules("Table(String,Func`2)", Script.Throws, (r, _) => r.Table("mine", t => t.On<IOException>(Verdict.Ignored))),
        new("Builder.Classify", Script.Throws, (b, _, on) => Base(b, on, x => x.Classify(r => r.On<IOException>(Verdict.Ignored))), null),
        new("Builder.OnEvent", Script.Throws, (b, t, on) => Base(b, on, x => x.OnEvent(_ => t.Heard++)), null),
        new("HttpResilienceOptions.Classify", Script.Throws, (_, _, _) => { }, (o, _, on) => o.Classify = on ? r => r.On<IOException>(Verdict.Ignored) : null),
        new("HttpResilienceOptions.PartitionBy", Script.Throws, (_, _, _) => { }, (o, t, on) => o.PartitionBy = on ? _ => Count(t, "all") : null),
        new("HttpResilienceOptions.PropagateTo", Script.Throws, (_, _, _) => { }, (o, t, on) => o.PropagateTo = on ? _ => Count(t, true) : null),
        new("HttpResilienceOptions.HonorDoNotRetryFrom", Script.NotFound, (_, _, _) => { },
            (o, t, on) => o.HonorDoNotRetryFrom = on ? _ => Count(t, true) : null),
        new("LongPollOptions.Matches", Script.Throws, (_, _, _) => { }, (o, t, on) => o.LongPolls.Matches = on ? _ => Count(t, true) : null),
        Chaos("Fault", new() { Fault = 1 }, o => o.Fault = _ => new FormatException()),
        Chaos("LostReply", new() { LostReply = 1 }, o => o.LostReply = _ => new FormatException(), Script.NotFound),
        Chaos("Behaviour", new() { Behaviour = 1 }, o => o.Behaviour = _ => throw new FormatException()),
        Chaos("Filter", new() { Fault = 1 }, o => o.Filter = _ => false),
        Chaos("Result(Func`2)", new() { Result = 1 }, o => o.Result(_ => new HttpResponseMessage(HttpStatusCode.Accepted))),
        Fallback("Call", o => o.Call = _ => new(new HttpResponseMessage(HttpStatusCode.Accepted))),
        Fallback("ShouldHandle", o => o.ShouldHandle = _ => false),
        Keyed("KeyFor", (o, _) => o.KeyFor = _ => new IdempotencyKey("shop", "1")),
        Keyed("FingerprintFor", (o, t) => (o.KeyFor, o.FingerprintFor) = (_ => new("shop", "1"), _ => Count(t, default(Fingerprint)))),
        Keyed("ReconcileWith(Func`3)", (o, _) =>
        {
            o.KeyFor = _ => new IdempotencyKey("shop", "taken over");
            o.ReconcileWith<HttpResponseMessage>((_, _) => new(Reconciliation<HttpResponseMessage>.Done(new(HttpStatusCode.Accepted))));
        }),
        Disposed("On(IdempotencyDisposition)", Script.Throws, (r, _) => r.On<IOException>(IdempotencyDisposition.Release)),
        Disposed("On(Func`2)", Script.Throws, (r, t) => r.On<IOException>(_ => Count<IdempotencyDisposition?>(t, IdempotencyDisposition.Release))),
        Disposed("OnResult(Func`2)", Script.NotFound, (r, t) =>
            r.OnResult<HttpResponseMessage>(_ => Count<IdempotencyDisposition?>(t, IdempotencyDisposition.Release))),
        Keys("Generate", (o, t) => o.Generate = _ => Count(t, "a-key-of-mine-1")),
        Keys("FromInbound", (o, t) => o.FromInbound = _ => Count(t, new IdempotencyKey("shop", "1"))),
    ];

    private static Hook Chaos(string member, ChaosRates rates, Action<ChaosOptions> set, Script script = Script.Throws) => new(
        $"ChaosOptions.{member}",
        script,
        (b, _, on) =>
        {
            b.EnvironmentName = "Development";
            b.AddRetry(AtOnce).AddChaos(o =>
            {
                (o.IsOn, o.Rates, o.Seed, o.Behaviour) = (true, rates, 1, _ => default);
                o.Result(new HttpResponseMessage(HttpStatusCode.Created));
                if (on) set(o);
            });
        },
        null);

    private static Hook Fallback(string member, Action<FallbackOptions<HttpResponseMessage>> set) => new(
        $"FallbackOptions`1.{member}",
        Script.Throws,
        (b, _, on) =>
        {
            FallbackOptions<HttpResponseMessage> options = new() { Value = new(HttpStatusCode.Created) };
            if (on) set(options);
            if (b is ResiliencePipelineBuilder plain) plain.AddFallback(options);
            else ((ResiliencePipelineBuilder<HttpResponseMessage>)b).AddFallback(options);
        },
        null);

    /// <summary>Behind a gate whose record "taken over" was begun by a dead process. Without the hook a call has no key, and none is asked for.</summary>
    private static Hook Keyed(string member, Action<IdempotencyPolicyOptions, Trace> set) => new(
        $"IdempotencyPolicyOptions.{member}",
        Script.Throws,
        (b, t, on) =>
        {
            Microsoft.Extensions.Time.Testing.FakeTimeProvider time = new();
            InMemoryIdempotencyStore store = new(timeProvider: time);
            using (IdempotencyGate gone = new(store, timeProvider: time))
            {
                IdempotencyResult entry = gone.EnterAsync(new IdempotencyKey("shop", "taken over").ToId(), default).AsTask().GetAwaiter().GetResult();
                entry.Status.Should().Be(IdempotencyStatus.Claimed);
            }

            time.Advance(TimeSpan.FromHours(1));
            IdempotencyPolicyOptions options = new() { WhenKeyIsMissing = WhenKeyIsMissing.Reject, Serializer = new Statuses() };
            if (on) set(options, t);
            b.AddIdempotency(new IdempotencyGate(store, timeProvider: time), options);
        },
        null);

    /// <summary>With a key, inside a retry: whether the next attempt begins is the rule's to say.</summary>
    private static Hook Disposed(string member, Script script, Func<IdempotencyOutcomes, Trace, IdempotencyOutcomes> rules) => new(
        $"IdempotencyOutcomes.{member}",
        script,
        (b, t, on) =>
        {
            IdempotencyPolicyOptions options = new() { KeyFor = _ => new IdempotencyKey("shop", "1"), Serializer = new Statuses() };
            if (on) options.Outcomes = rules(options.Outcomes, t);
            b.AddRetry(AtOnce).AddIdempotency(new IdempotencyGate(new InMemoryIdempotencyStore(), new() { MaxWait = TimeSpan.FromMilliseconds(1) }), options);
        },
        null);

    private static Hook Keys(string member, Action<IdempotencyKeyOptions, Trace> set) =>
        new($"IdempotencyKeyOptions.{member}", Script.Throws, (_, _, _) => { }, null) { OnKeys = set };

    private sealed class Statuses : IIdempotencySerializer
    {
        public bool CanSerialize(Type type) => type == typeof(HttpResponseMessage);

        public void Serialize<T>(System.Buffers.IBufferWriter<byte> destination, T value) =>
            System.Buffers.BuffersExtensions.Write(destination, BitConverter.GetBytes((int)((HttpResponseMessage)(object)value!).StatusCode));

        public T? Deserialize<T>(ReadOnlySpan<byte> bytes) => (T)(object)new HttpResponseMessage((HttpStatusCode)BitConverter.ToInt32(bytes));
    }

    private static OutcomeClassifier Bad(OutcomeClassifier rules) =>
        rules.OnResult<HttpResponseMessage>(r => (int)r.StatusCode >= 500 ? Verdict.Failure : null);

    private static T Count<T>(Trace trace, T answer)
    {
        trace.Heard++;
        return answer;
    }

    private static void AtOnce(RetryOptions options) =>
        (options.BaseDelay, options.Budget, options.Jitter) = (TimeSpan.Zero, RetryBudget.Unlimited, BackoffJitter.None);

    private static ResiliencePipelineBuilderBase Base(ResiliencePipelineBuilderBase builder, bool isOn, Action<ResiliencePipelineBuilderBase> set)
    {
        builder.AddRetry(AtOnce).AddCircuitBreaker(o => o.MinimumCalls = 1000);
        if (isOn) set(builder);
        return builder;
    }

    private static Hook Retry(string member, Action<RetryOptions, Trace> set) => new(
        $"RetryOptions.{member}",
        Script.Throws,
        (b, t, on) => b.AddRetry(o =>
        {
            AtOnce(o);
            if (on) set(o, t);
        }),
        (o, t, on) =>
        {
            if (on) set(o.Retry!, t);
        });

    private static Hook Breaker(string member, Action<CircuitBreakerOptions, Trace> set) => new(
        $"CircuitBreakerOptions.{member}",
        Script.Throws,
        (b, t, on) => b.AddRetry(AtOnce).AddCircuitBreaker(o =>
        {
            o.MinimumCalls = 1000;
            if (on) set(o, t);
        }),
        (o, t, on) =>
        {
            if (on) set(o.CircuitBreaker!, t);
        });

    private static Hook Hedging(string member, Action<HedgingOptions, Trace> set, Func<OutcomeClassifier, OutcomeClassifier>? rules = null) => new(
        $"HedgingOptions.{member}",
        Script.Throws,
        (b, t, on) => b.Classify(rules ?? (r => r)).AddHedging(o =>
        {
            (o.Delay, o.MaxAttempts, o.Budget) = (Timeout.InfiniteTimeSpan, 4, RetryBudget.Unlimited);
            if (on) set(o, t);
        }),
        null);

    private static Hook Rules(string member, Script script, Func<OutcomeClassifier, Trace, OutcomeClassifier> rules) => new(
        $"OutcomeClassifier.{member}",
        script,
        (b, t, on) =>
        {
            // After the policies, as people do: the place among the words of the builder must not matter.
            b.AddRetry(AtOnce).AddCircuitBreaker(o => o.MinimumCalls = 1000).Classify(script == Script.Unavailable ? Bad : r => r);
            if (on) b.Classify(r => rules(r, t));
        },
        (o, t, on) => o.Classify = on ? r => rules(r, t) : null);

    private delegate Task Place(Hook hook, bool isOn, Trace trace);

    private static readonly (string Name, Place Run, bool IsHttp, bool IsStandard)[] Places =
    [
        ("core pipeline", (h, on, t) => CallAsync(Built(new ResiliencePipelineBuilder(), h, on, t).Build(), h, t), false, false),
        ("generic pipeline", (h, on, t) => CallAsync(Built(new ResiliencePipelineBuilder<HttpResponseMessage>(), h, on, t).Build(), h, t), false, false),
        ("AddPipeline", (h, on, t) => InContainerAsync(r => r.AddPipeline("p", b => Built(b, h, on, t)), h, t), false, false),
        ("ConfigureAllPipelines", (h, on, t) => InContainerAsync(r => r.ConfigureAllPipelines(b => Built(b, h, on, t)).AddPipeline("p", _ => { }), h, t), false,
            false),
        ("AddResilience", (h, on, t) => OverHttpAsync(c => c.AddResilience(b => Built(b, h, on, t)), null, h, t), true, false),
        ("hedged AddResilience", (h, on, t) => OverHttpAsync(
            c => c.AddResilience(b => Built(b.AddHedging(o => o.MaxAttempts = 1), h, on, t)), null, h, t), true, false),
        ("ConfigureAllPipelines, AddResilience", (h, on, t) => OverHttpAsync(
            c => c.AddResilience(_ => { }), b => Built(b, h, on, t), h, t), true, false),
        ("AddStandardResilience", (h, on, t) => OverHttpAsync(c => c.AddStandardResilience(o => OnStandard(o, h, on, t)), null, h, t), true, true),
        ("HttpResilience.Standard", async (h, on, t) =>
        {
            StandardResilienceOptions options = new();
            OnStandard(options, h, on, t);
            HttpResilience resilience = HttpResilience.Standard(options, "x", b => Listen(b, t));
            await SendAsync(new HttpClient(new ResilienceHttpHandler(resilience, Network(h, t))), t);
            t.Failures = FailuresOf(resilience);
        }, true, true),
        ("AddIdempotencyKey", (h, on, t) => OverHttpAsync(
            c => c.AddIdempotencyKey(o =>
            {
                if (on) h.OnKeys!(o, t);
            }).AddStandardResilience(o => AtOnce(o.Retry!)), null, h, t), true, false),
    ];

    public static TheoryData<int> AllHooks() => [.. Enumerable.Range(0, Hooks.Length)];

    [Theory]
    [MemberData(nameof(AllHooks))]
    public async Task A_hook_changes_something_in_each_place_where_it_may_be_set(int index)
    {
        Hook hook = Hooks[index];
        int places = 0;
        foreach ((string name, Place run, bool isHttp, bool isStandard) in Places)
        {
            if (name == "AddIdempotencyKey" ? hook.OnKeys is null : isStandard ? hook.OnStandard is null : !hook.IsForBuilders) continue;
            places++;
            (await DiffersAsync(run, hook)).Should().BeTrue("{0} is heard by {1} (HTTP: {2})", hook.Member, name, isHttp);
        }

        places.Should().BeGreaterThan(0);
    }

    private static async Task<bool> DiffersAsync(Place run, Hook hook)
    {
        Trace without = new(), with = new();
        await run(hook, false, without);
        await run(hook, true, with);
        return without.Effect != with.Effect;
    }

    /// <summary>A place that ignores the hook, and a hook that is never called: the check sees both.</summary>
    [Fact]
    public async Task A_place_that_ignores_a_hook_and_a_hook_that_is_never_called_are_found()
    {
        (await DiffersAsync((h, _, t) => CallAsync(Built(new ResiliencePipelineBuilder(), h, false, t).Build(), h, t), Hooks[0])).Should().BeFalse();
        Hook deaf = Rules("On(Verdict)", Script.Throws, (r, _) => r.On<FormatException>(Verdict.Ignored));
        (await DiffersAsync(Places[0].Run, deaf)).Should().BeFalse();
        Missing([typeof(PlantedOptions)]).Should().ContainSingle().Which.Should().Be("PlantedOptions.SilentMeterFactory");
    }

#pragma warning disable CA1812 // looked at by reflection
    private sealed class PlantedOptions : PolicyOptions
    {
        public Func<int>? SilentMeterFactory { get; set; }

        protected internal override string Kind => "planted";

        protected internal override void Check(OptionsCheck check)
        {
        }
    }
#pragma warning restore CA1812

    [Fact]
    public void No_public_hook_is_without_an_entry() =>
        Missing([.. typeof(ResiliencePipeline).Assembly.GetExportedTypes(), .. typeof(HttpResilience).Assembly.GetExportedTypes()]).Should().BeEmpty();

    /// <summary>Called beside the calls, or after a 401 alone: they have tests of their own (BreakDelegatesTests, CredentialTests).</summary>
    private static readonly string[] Elsewhere = ["CircuitBreakerOptions.OnChangeAsync", "HttpResilienceOptions.RefreshCredentials"];

    private static string[] Missing(Type[] types)
    {
        Type[] ofOptions = [.. types.Where(t => t.IsAssignableTo(typeof(PolicyOptions)) || t.Name.Split('`')[0].EndsWith("Options", StringComparison.Ordinal))];
        IEnumerable<string> options = ofOptions.SelectMany(t => t.GetProperties()
            .Where(p => p.SetMethod is { IsPublic: true } && p.PropertyType.IsAssignableTo(typeof(Delegate)) && p.DeclaringType == t)
            .Select(p => $"{t.Name}.{p.Name}"));
        IEnumerable<string> methods = ofOptions.SelectMany(t => t.GetMethods(BindingFlags.Instance | BindingFlags.Public | BindingFlags.DeclaredOnly)
            .Where(m => !m.IsSpecialName && m.GetParameters().Any(p => p.ParameterType.IsAssignableTo(typeof(Delegate))))
            .Select(m => $"{t.Name}.{m.Name}({string.Join(',', m.GetParameters().Select(p => p.ParameterType.Name))})"));
        IEnumerable<string> rules = types.Where(t => t == typeof(OutcomeClassifier) || t == typeof(IdempotencyOutcomes))
            .SelectMany(t => t.GetMethods(BindingFlags.Instance | BindingFlags.Public)
            .Where(m => m.ReturnType == t).Select(m => $"{t.Name}.{m.Name}({string.Join(',', m.GetParameters().Select(p => p.ParameterType.Name))})"));
        return [.. options.Concat(methods).Concat(rules).Distinct().Except(Hooks.Select(h => h.Member)).Except(Elsewhere)];
    }

    private static TBuilder Built<TBuilder>(TBuilder builder, Hook hook, bool isOn, Trace trace)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        hook.OnBuilder(builder, trace, isOn);
        Listen(builder, trace);
        return builder;
    }

    private static void OnStandard(StandardResilienceOptions options, Hook hook, bool isOn, Trace trace)
    {
        AtOnce(options.Retry!);
        options.CircuitBreaker!.MinimumCalls = 1000;
        hook.OnStandard!(options, trace, isOn);
    }

    private static void Listen(ResiliencePipelineBuilderBase builder, Trace trace) =>
        builder.OnEvent(e => trace.Reasons.Add(e is RetryScheduled scheduled ? scheduled.Reason : e.GetType().Name));

    private static HttpResponseMessage Answer(Hook hook, Trace trace)
    {
        if (++trace.Attempts > 2) return new(HttpStatusCode.OK);
        return hook.Script switch
        {
            Script.Throws => throw new IOException("the cable"),
            Script.NotFound => new(HttpStatusCode.NotFound),
            _ => new(HttpStatusCode.ServiceUnavailable),
        };
    }

    private static ScriptedHandler Network(Hook hook, Trace trace) => new((_, _) => Answer(hook, trace));

    private static async Task CallAsync(ResiliencePipeline pipeline, Hook hook, Trace trace)
    {
        Outcome<HttpResponseMessage> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<HttpResponseMessage>(Answer(hook, trace)));
        End(outcome, pipeline.Find<CircuitBreaker>(), trace);
    }

    private static async Task CallAsync(ResiliencePipeline<HttpResponseMessage> pipeline, Hook hook, Trace trace)
    {
        Outcome<HttpResponseMessage> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<HttpResponseMessage>(Answer(hook, trace)));
        End(outcome, pipeline.Find<CircuitBreaker>(), trace);
    }

    private static void End(Outcome<HttpResponseMessage> outcome, CircuitBreaker? breaker, Trace trace)
    {
        trace.End = outcome.TryGetValue(out HttpResponseMessage? response)
            ? $"{(int)response.StatusCode} {outcome.Verdict}" : $"{outcome.Exception!.GetType().Name} {outcome.Verdict}";
        trace.Failures = breaker?.TakeSnapshot().Failures ?? 0;
    }

    private static async Task InContainerAsync(Action<IResilienceBuilder> register, Hook hook, Trace trace)
    {
        ServiceCollection services = new();
        register(services.AddResilience());
        await using ServiceProvider provider = services.BuildServiceProvider();
        await CallAsync(provider.GetRequiredService<ResiliencePipelineProvider>().GetPipeline("p"), hook, trace);
    }

    private static async Task OverHttpAsync(Action<IHttpClientBuilder> register, Action<ResiliencePipelineBuilderBase>? all, Hook hook, Trace trace)
    {
        ServiceCollection services = new();
        if (all is not null) services.AddResilience().ConfigureAllPipelines(all);
        IHttpClientBuilder client = services.AddHttpClient("c").ConfigurePrimaryHttpMessageHandler(() => Network(hook, trace));
        register(client);
        await using ServiceProvider provider = services.BuildServiceProvider();
        await SendAsync(provider.GetRequiredService<IHttpClientFactory>().CreateClient("c"), trace, isPost: hook.OnKeys is not null);
        trace.Failures = FailuresOf(provider.GetRequiredService<HttpResilienceProvider>().GetResilience("c"));
    }

    private static int FailuresOf(HttpResilience resilience) =>
        resilience.Authorities.Sum(a => a.Pipeline.Find<CircuitBreaker>()?.TakeSnapshot().Failures ?? 0);

    private static async Task SendAsync(HttpClient client, Trace trace, bool isPost = false)
    {
        using (client)
        {
            try
            {
                using HttpRequestMessage request = HttpKit.Request(isPost ? HttpMethod.Post : HttpMethod.Get);
                using HttpResponseMessage response = await client.SendAsync(request);
                trace.End = $"{(int)response.StatusCode}";
            }
            catch (Exception error)
            {
                trace.End = error.GetType().Name;
            }
        }
    }
}
