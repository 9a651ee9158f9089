namespace Resilience.Tests.Seams;

/// <summary>What chaos and a circuit that opens, probes and closes call of others: each call-out throws at each of its places, one after the other. No
/// probe is lost, no call is without an outcome, and the circuit closes when the dependency is well again.</summary>
public sealed class ProbeCallOutTests
{
    private static readonly string[] CallOuts =
    [
        "chaos Filter", "chaos Fault", "chaos LostReply", "chaos Behaviour", "chaos Result", "circuit OnChange", "circuit ShouldCount", "circuit key", "event",
        "randomness", "rule", "retry-after of a result",
    ];

    /// <summary>Throws at one of the calls of one call-out, or at all of them (0).</summary>
    private sealed class Bomb(string where, int at)
    {
        public int Calls { get; private set; }

        public int Blasts { get; private set; }

        public void Pass(string here)
        {
            if (here != where) return;
            Calls++;
            if (at != 0 && at != Calls) return;
            Blasts++;
            throw new NotFiniteNumberException($"{here} {Calls}");
        }

        public TResult Asked<TResult>(string here, TResult answer)
        {
            Pass(here);
            return answer;
        }
    }

    private sealed class Chances(Bomb bomb) : Randomness
    {
        private readonly Randomness _drawn = Seeded(3);

        public override double NextDouble() => bomb.Asked("randomness", _drawn.NextDouble());
    }

    /// <summary>A planted flaw: a policy outside of the circuit that asks what is not guarded after the probe has gone in.</summary>
    private sealed class Leaky(CircuitBreaker breaker, Bomb bomb) : ResiliencePolicy
    {
        internal override bool NeverThrows => true; // as if it were ours

        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>(breaker, bomb, next);

        private sealed class Link<T>(CircuitBreaker breaker, Bomb bomb, PolicyLink<T> next) : PolicyLink<T>
        {
            public override async ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
            {
                if (breaker.TryEnter(out CircuitPermit permit) is not (CircuitAdmission.Admitted or CircuitAdmission.AdmittedAsProbe))
                    return Outcome.Failure<T>(new IOException("rejected"));
                bomb.Pass("rule");
                Outcome<T> outcome = await next.ExecuteAsync(context);
                breaker.Exit(permit, outcome.Verdict);
                return outcome;
            }
        }
    }

    private sealed record Lived(int Calls, int Blasts, int Errors, int ProbesOut, CircuitState State, int Probed);

    /// <summary>Sixty calls through chaos and a circuit that opens at each failure, then calls that are well.</summary>
    private static Lived Live(string where, int at, bool isFlawed)
    {
        Bomb bomb = new(where, at);
        SteppedTime time = new();
        using CallbackErrors errors = new();
        CircuitBreakerOptions options = new()
        {
            FailureRatio = null,
            ConsecutiveFailures = 1,
            BreakDuration = TimeSpan.FromSeconds(2),
            MaxBreakDuration = TimeSpan.FromSeconds(3),
            Probes = 2,
            SuccessThreshold = 2,
            ProbeLease = TimeSpan.FromHours(20), // a lost probe stays lost
            BreakFollowsRetryAfter = true,
            OnChange = _ => bomb.Pass("circuit OnChange"),
            ShouldCount = _ => bomb.Asked("circuit ShouldCount", true),
        };
        CircuitBreakerPartitions circuits = new(options, timeProvider: time, randomness: new Chances(bomb));
        CircuitBreaker breaker = circuits.Get("key"), byDefault = circuits.Get("");
        ResiliencePipelineBuilder builder = new() { Name = "p", TimeProvider = time, Randomness = new Chances(bomb), EnvironmentName = "Development" };
        builder.Classify(rules => rules
            .OnResult<int>(r => bomb.Asked("rule", r == 77 ? Verdict.Failure : default(Verdict?)))
            .RetryAfterResult<int>((_, _) => bomb.Asked<TimeSpan?>("retry-after of a result", TimeSpan.FromSeconds(1))));
        builder.OnEvent(_ => bomb.Pass("event"));
        if (isFlawed) builder.AddPolicy(new Leaky(breaker, bomb));
        else builder.AddCircuitBreaker(circuits, _ => bomb.Asked<string?>("circuit key", "key"));
        builder.AddChaos(o =>
        {
            (o.IsOn, o.Seed, o.Latency) = (true, 7, TimeSpan.FromMilliseconds(10));
            o.Rates = new() { Fault = 0.15, LostReply = 0.15, Latency = 0.2, Behaviour = 0.3, Result = 0.15 };
            o.Filter = _ => bomb.Asked("chaos Filter", true);
            o.Fault = _ => bomb.Asked<Exception?>("chaos Fault", new IOException());
            o.LostReply = _ => bomb.Asked<Exception?>("chaos LostReply", new IOException());
            o.Behaviour = _ => bomb.Asked("chaos Behaviour", default(ValueTask));
            o.Result(_ => bomb.Asked("chaos Result", 77));
        });
        ResiliencePipeline pipeline = builder.Build();
        int probed = 0;
        for (int i = 0; i < 60; i++)
        {
            if (breaker.State == CircuitState.HalfOpen) probed++;
            End(pipeline.TryExecuteAsync(_ => new ValueTask<int>(1)));
            time.Advance(TimeSpan.FromSeconds(4));
        }

        pipeline.Find<ChaosSwitch>()!.TurnOff();
        for (int i = 0; i < 20; i++)
        {
            End(pipeline.TryExecuteAsync(_ => new ValueTask<int>(1)));
            time.Advance(TimeSpan.FromSeconds(4));
        }

        int probesOut = breaker.TakeSnapshot().ProbesOut + byDefault.TakeSnapshot().ProbesOut;
        return new(bomb.Calls, bomb.Blasts, errors.Count, probesOut, breaker.State, probed);

        void End(ValueTask<Outcome<int>> call)
        {
            Task<Outcome<int>> running = call.AsTask();
            time.RunUntil(running);
            running.Result.Verdict.Should().NotBe(Verdict.None);
        }
    }

    /// <summary>What is wrong after a life in which one call-out threw; null: nothing.</summary>
    private static string? Wrong(string where, int at, bool isFlawed = false)
    {
        Lived lived = Live(where, at, isFlawed);
        bool isElsewhere = at == 0 && where is ("circuit key" or "chaos Filter"); // every call goes to the circuit without a key, or has no chaos
        if (lived.Probed == 0 && !isElsewhere && !isFlawed) return "the circuit never probed";
        if (lived.ProbesOut != 0) return $"{where} {at}: {lived.ProbesOut} probes were lost";
        if (lived.State != CircuitState.Closed && (where, at) != ("rule", 0)) return $"{where} {at}: the circuit is {lived.State}";
        if (where == "chaos Behaviour") return null; // what it throws is the outcome of the attempt, and no error of a call-out
        return lived.Blasts > lived.Errors ? $"{where} {at}: {lived.Blasts} errors, {lived.Errors} counted" : null;
    }

    public static TheoryData<string> All() => [.. CallOuts];

    [Theory]
    [MemberData(nameof(All))]
    public Task Whatever_throws_in_chaos_or_at_a_probe_loses_no_probe_and_no_call(string where) => Task.Run(() =>
    {
        int calls = Live(where, int.MaxValue, isFlawed: false).Calls;
        calls.Should().BeGreaterThan(1, "the calls make this call-out");
        for (int at = 0; at <= calls; at++) Wrong(where, at).Should().BeNull();
    });

    [Fact]
    public Task The_walk_of_probes_finds_a_probe_that_is_lost() => Task.Run(() =>
        Enumerable.Range(1, 60).Select(at => Wrong("rule", at, isFlawed: true)).Should().Contain(wrong => wrong != null));
}
