namespace Resilience.Migration.Tests;

/// <summary>Programs of our own, one for each shape in which pipelines and policies are written. Each is compiled and run, moved as a whole, compiled and
/// run again against the same script: attempts, waits and how the call ends are equal.</summary>
public sealed class ShapeTests
{
    private const string Told = "OnRetry = args => { D.Tell($\"retry {args.AttemptNumber} after {args.RetryDelay.TotalMilliseconds} ms for {Dependency.NameOf(args.Outcome.Exception)}\"); return default; }";

    /// <summary>Strategies of Polly v8 as they are added to a builder, and the scripts of the calls that are made through them, one after the other.</summary>
    private static readonly (string Name, string Strategies, string Script)[] Rows =
    [
        ("retry", $".AddRetry(new RetryStrategyOptions {{ MaxRetryAttempts = 2, Delay = TimeSpan.FromMilliseconds(2), {Told} }})", "http http ok"),
        ("retry of everything but cancellation", $".AddRetry(new RetryStrategyOptions {{ Delay = TimeSpan.Zero, {Told} }})", "bug io ok cancel"),
        ("retry that gives up", $".AddRetry(new RetryStrategyOptions {{ MaxRetryAttempts = 1, Delay = TimeSpan.FromMilliseconds(1), {Told} }})", "http io"),
        ("exponential", $".AddRetry(new RetryStrategyOptions {{ MaxRetryAttempts = 3, BackoffType = DelayBackoffType.Exponential, Delay = TimeSpan.FromMilliseconds(2), {Told} }})", "io io io ok"),
        ("linear", $".AddRetry(new RetryStrategyOptions {{ MaxRetryAttempts = 3, BackoffType = DelayBackoffType.Linear, Delay = TimeSpan.FromMilliseconds(2), UseJitter = false, {Told} }})", "io io io ok"),
        ("longest wait", $".AddRetry(new RetryStrategyOptions {{ MaxRetryAttempts = 3, BackoffType = DelayBackoffType.Exponential, Delay = TimeSpan.FromMilliseconds(2), MaxDelay = TimeSpan.FromMilliseconds(5), {Told} }})", "io io io ok"),
        ("endless", $".AddRetry(new RetryStrategyOptions {{ MaxRetryAttempts = int.MaxValue, Delay = TimeSpan.Zero, {Told} }})", "io io io io io io io io ok"),
        ("computed wait", $".AddRetry(new RetryStrategyOptions {{ MaxRetryAttempts = 2, DelayGenerator = args => new ValueTask<TimeSpan?>(TimeSpan.FromMilliseconds(args.AttemptNumber + 3)), {Told} }})", "io io ok"),
        ("builder of predicates", $".AddRetry(new RetryStrategyOptions {{ ShouldHandle = new PredicateBuilder().Handle<HttpRequestException>().Handle<IOException>(e => e.Message == \"no\"), Delay = TimeSpan.Zero, {Told} }})", "http io bug"),
        ("inner exceptions", $".AddRetry(new RetryStrategyOptions {{ ShouldHandle = new PredicateBuilder().HandleInner<IOException>(), Delay = TimeSpan.Zero, {Told} }})", "inner io"),
        ("switch over the outcome", $".AddRetry(new RetryStrategyOptions {{ ShouldHandle = args => args.Outcome switch {{ {{ Exception: HttpRequestException }} => PredicateResult.True(), {{ Exception: IOException {{ Message: \"no\" }} }} => PredicateResult.True(), _ => PredicateResult.False() }}, Delay = TimeSpan.Zero, {Told} }})", "http io bug"),
        ("predicate as a lambda", $".AddRetry(new RetryStrategyOptions {{ ShouldHandle = args => ValueTask.FromResult(args.Outcome.Exception is IOException || args.Outcome.Exception is HttpRequestException), Delay = TimeSpan.Zero, {Told} }})", "http io bug"),
        ("callback of one statement", ".AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero, OnRetry = static args => default })", "io ok"),
        ("circuit breaker", ".AddCircuitBreaker(new CircuitBreakerStrategyOptions { FailureRatio = 0.5, MinimumThroughput = 2, BreakDuration = TimeSpan.FromMinutes(5), OnOpened = args => { D.Tell(\"opened\"); return default; } })", "io io ok ok"),
        ("two predicates", $".AddRetry(new RetryStrategyOptions {{ MaxRetryAttempts = 1, ShouldHandle = new PredicateBuilder().Handle<HttpRequestException>(), Delay = TimeSpan.Zero, {Told} }}).AddCircuitBreaker(new CircuitBreakerStrategyOptions {{ FailureRatio = 0.9, MinimumThroughput = 2, ShouldHandle = new PredicateBuilder().Handle<IOException>() }})", "io io http"),
        ("timeout", ".AddTimeout(TimeSpan.FromMilliseconds(30))", "hang ok"),
        ("timeout by options", ".AddTimeout(new TimeoutStrategyOptions { Timeout = TimeSpan.FromMilliseconds(30) })", "hang ok"),
        ("computed timeout", ".AddTimeout(new TimeoutStrategyOptions { TimeoutGenerator = static args => new ValueTask<TimeSpan>(TimeSpan.FromMilliseconds(30)) })", "hang ok"),
        ("retry around a timeout", $".AddRetry(new RetryStrategyOptions {{ MaxRetryAttempts = 1, Delay = TimeSpan.Zero, {Told} }}).AddTimeout(TimeSpan.FromMilliseconds(30))", "hang ok"),
        ("limit", ".AddConcurrencyLimiter(1, 1)", "ok ok"),
        ("retry that leaves timeouts", $".AddRetry(new RetryStrategyOptions {{ ShouldHandle = new PredicateBuilder().Handle<IOException>(), Delay = TimeSpan.Zero, {Told} }}).AddTimeout(TimeSpan.FromMilliseconds(30))", "hang io ok"),
        ("retry of an open circuit", $".AddRetry(new RetryStrategyOptions {{ MaxRetryAttempts = 2, ShouldHandle = new PredicateBuilder().Handle<IOException>().Handle<BrokenCircuitException>(), Delay = TimeSpan.FromMilliseconds(5), {Told} }}).AddCircuitBreaker(new CircuitBreakerStrategyOptions {{ FailureRatio = 0.5, MinimumThroughput = 2, BreakDuration = TimeSpan.FromMinutes(5) }})", "io io ok"),
        ("retry of all but an open circuit", $".AddRetry(new RetryStrategyOptions {{ ShouldHandle = new PredicateBuilder().Handle<Exception>(e => e is not BrokenCircuitException), Delay = TimeSpan.Zero, {Told} }}).AddCircuitBreaker(new CircuitBreakerStrategyOptions {{ FailureRatio = 0.5, MinimumThroughput = 2, BreakDuration = TimeSpan.FromMinutes(5) }})", "io bug ok"),
        ("callbacks of a circuit", ".AddCircuitBreaker(new CircuitBreakerStrategyOptions { FailureRatio = 0.5, MinimumThroughput = 2, BreakDuration = TimeSpan.FromMinutes(5), OnOpened = args => { D.Tell($\"opened for {args.BreakDuration} by {Dependency.NameOf(args.Outcome.Exception)}\"); return default; }, OnClosed = _ => { D.Tell(\"closed\"); return default; } })", "io io ok"),
        ("callback that awaits", ".AddRetry(new RetryStrategyOptions { MaxRetryAttempts = 2, Delay = TimeSpan.FromMilliseconds(1), OnRetry = async args => { await Task.Yield(); D.Tell($\"retry {args.AttemptNumber}\"); } })", "io io ok"),
        ("callback of a timeout", ".AddTimeout(new TimeoutStrategyOptions { Timeout = TimeSpan.FromMilliseconds(30), OnTimeout = args => { D.Tell($\"late after {args.Timeout.TotalMilliseconds}\"); return default; } })", "hang ok"),
    ];

    private static readonly Dictionary<string, Func<string, string>> Places = new()
    {
        ["inline"] = s => Program("", $"var pipeline = new ResiliencePipelineBuilder(){s}.Build();"),
        ["in a field"] = s => Program($"private static readonly ResiliencePipeline Field = new ResiliencePipelineBuilder(){s}.Build();", "var pipeline = Field;"),
        ["by a method"] = s => Program($"private static ResiliencePipeline Make() {{ ResiliencePipelineBuilder builder = new(); return builder{s}.Build(); }}", "ResiliencePipeline pipeline = Make();"),
        ["across statements"] = s => Program("", $"var builder = new ResiliencePipelineBuilder(); builder{s}; ResiliencePipeline pipeline = builder.Build();"),
        ["by a helper that fills it"] = s => Program($"private static void Fill(ResiliencePipelineBuilder filled) => filled{s};", "var builder = new ResiliencePipelineBuilder(); Fill(builder); var pipeline = builder.Build();"),
    };

    private static string Program(string members, string make) => $$"""
        using Microsoft.Extensions.Http.Resilience; using Polly; using Polly.CircuitBreaker; using Polly.Retry; using Polly.Timeout; using Polly.Fallback;

        //namespace

        public static class Shape
        {
            private static Dependency D = null!;
            {{members}}

            public static async Task RunAsync(Dependency dependency)
            {
                D = dependency;
                {{make}}
                for (int i = 0; i < 3; i++) await D.EndAsync(() => pipeline.ExecuteAsync(async ct => await D.CallAsync(ct)));
            }
        }
        """;

    public static TheoryData<string, string> OfRows()
    {
        TheoryData<string, string> all = [];
        foreach ((string name, _, _) in Rows)
        {
            foreach (string place in Places.Keys) all.Add(name, place);
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(OfRows))]
    public Task A_pipeline_of_v8_does_the_same_before_and_after(string row, string place) =>
        CheckAsync(Pipelines, NameOf(row, place), Rows.Single(r => r.Name == row).Script);

    private static string NameOf(string row, string place) => row + ", " + place;

    /// <summary>Programs that are no combination of a strategy and a place.</summary>
    private static readonly Dictionary<string, (string Script, string Source)> Singles = new()
    {
        ["typed, with a fallback"] = ("io 7", Typed("new ResiliencePipelineBuilder<string>().AddFallback(new FallbackStrategyOptions<string> { FallbackAction = static args => Outcome.FromResultAsValueTask(\"instead\") }).Build()")),
        ["typed, with results"] = ("7 ok", Typed("new ResiliencePipelineBuilder<string>().AddRetry(new RetryStrategyOptions<string> { ShouldHandle = new PredicateBuilder<string>().HandleResult(r => r == \"7\"), Delay = TimeSpan.Zero, OnRetry = args => { D.Tell(\"again after \" + args.Outcome.Result); return default; } }).Build()")),
        ["typed, a switch over results"] = ("7 io ok", Typed("new ResiliencePipelineBuilder<string>().AddRetry(new() { ShouldHandle = args => args.Outcome switch { { Result: \"7\" } => PredicateResult.True(), { Exception: IOException } => PredicateResult.True(), _ => PredicateResult.False() }, Delay = TimeSpan.Zero }).Build()")),
        ["synchronous"] = ("io ok", Polly("", "var p = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero }).Build(); D.Tell(p.Execute(() => D.Call())); p.Execute(() => { D.Call(); }); D.Tell(p.Execute(ct => D.Call(), CancellationToken.None)); D.Tell(p.Execute(d => d.Call(), D)); await Task.Yield();")),
        ["with a state"] = ("io ok", Polly("", "var p = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero }).Build(); D.Tell(await p.ExecuteAsync(static async (d, ct) => await d.CallAsync(ct), D));")),
        ["exceptions"] = ("hang io io io", Polly("", "var t = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(30)).Build(); try { await t.ExecuteAsync(async ct => await D.CallAsync(ct)); } catch (TimeoutRejectedException) { D.Tell(\"late\"); } catch (BrokenCircuitException) { D.Tell(\"open\"); }")),
        ["through parameters and properties"] = ("io ok", Polly("private static ResiliencePipeline P { get; } = Make(3); private static ResiliencePipeline Make(int n) => new ResiliencePipelineBuilder().AddRetry(new() { MaxRetryAttempts = n, Delay = TimeSpan.Zero }).Build(); private static async Task<string> GoAsync(ResiliencePipeline through) => await through.ExecuteAsync(async ct => await D.CallAsync(ct));", "D.Tell(await GoAsync(P));")),
        ["options in a variable"] = ("io ok", Polly("", "var options = new RetryStrategyOptions { Delay = TimeSpan.Zero }; options.MaxRetryAttempts = 1; var p = new ResiliencePipelineBuilder().AddRetry(options).Build(); D.Tell(await p.ExecuteAsync(async ct => await D.CallAsync(ct)));")),
        ["empty"] = ("ok", Polly("private static readonly ResiliencePipeline None = ResiliencePipeline.Empty;", "D.Tell(await None.ExecuteAsync(async ct => await D.CallAsync(ct)));")),
        ["registered"] = ("io ok", Polly("", "ServiceCollection s = new(); s.AddResiliencePipeline(\"a\", b => b.AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero })); using var provider = s.BuildServiceProvider(); var p = provider.GetRequiredService<Polly.Registry.ResiliencePipelineProvider<string>>().GetPipeline(\"a\"); D.Tell(await p.ExecuteAsync(async ct => await D.CallAsync(ct)));")),
        ["a registry"] = ("io io ok ok", Polly("private static readonly Polly.Registry.ResiliencePipelineRegistry<string> Registry = new(); private static ResiliencePipeline? Find(string name) => Registry.TryGetPipeline(name, out ResiliencePipeline? found) ? found : null;", "D.Tell($\"{Registry.TryAddBuilder(\"a\", (builder, context) => builder.AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero }))} {Registry.TryAddBuilder(\"a\", (b, _) => b.AddTimeout(TimeSpan.FromSeconds(1)))}\"); D.Tell(await Registry.GetPipeline(\"a\").ExecuteAsync(async ct => await D.CallAsync(ct))); D.Tell($\"{Find(\"b\") is null}\"); Registry.TryAddBuilder<string>(\"a\", (b, _) => b.AddTimeout(TimeSpan.FromSeconds(9))); D.Tell(await Registry.GetPipeline<string>(\"a\").ExecuteAsync(async ct => await D.CallAsync(ct))); try { Registry.GetPipeline(\"c\"); } catch (KeyNotFoundException) { D.Tell(\"missing\"); }")),
        ["old: retry"] = ("io http ok", Polly("", "var p = Policy.Handle<IOException>().Or<HttpRequestException>(e => e.Message == \"no\").RetryAsync(2, (error, n) => D.Tell($\"retry {n} for {error.GetType().Name}\")); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: wait and retry"] = ("io io ok", Polly("private static readonly IAsyncPolicy Field = Policy.Handle<IOException>().WaitAndRetryAsync(2, n => TimeSpan.FromMilliseconds(Math.Pow(2, n)), (error, wait, n, context) => D.Tell($\"retry {n} after {wait.TotalMilliseconds}\"));", "D.Tell(await Field.ExecuteAsync(async () => await D.CallAsync()));")),
        ["old: listed waits"] = ("io io ok", Polly("private static AsyncRetryPolicy Make() => Policy.Handle<IOException>().WaitAndRetryAsync(new[] { TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(3) }, (error, wait) => D.Tell($\"after {wait.TotalMilliseconds}\"));", "D.Tell(await Make().ExecuteAsync(ct => D.CallAsync(ct), CancellationToken.None));")),
        ["old: synchronous"] = ("io ok", Polly("", "RetryPolicy p = Policy.Handle<Exception>().WaitAndRetry(1, _ => TimeSpan.FromMilliseconds(1)); D.Tell(p.Execute(() => D.Call())); await Task.Yield();")),
        ["old: endless"] = ("io io io io io ok", Polly("", "var p = Policy.Handle<IOException>().WaitAndRetryForeverAsync(n => TimeSpan.Zero); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: results"] = ("7 ok", Polly("", "var p = Policy<string>.Handle<IOException>().OrResult(r => r == \"7\").RetryAsync(1); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: results first"] = ("7 ok", Polly("", "var p = Policy.HandleResult<string>(r => r == \"7\").RetryAsync(1, (outcome, n) => D.Tell($\"{outcome.Result} {n}\")); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: inner"] = ("inner ok", Polly("", "var p = Policy.Handle<HttpRequestException>().OrInner<IOException>().RetryAsync(1); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: breaker"] = ("io io ok", Polly("private static readonly AsyncCircuitBreakerPolicy Field = Policy.Handle<IOException>().CircuitBreakerAsync(2, TimeSpan.FromMinutes(3));", "for (int i = 0; i < 3; i++) await D.EndAsync(async () => await Field.ExecuteAsync(() => D.CallAsync()));")),
        ["old: advanced breaker"] = ("io io ok", Polly("", "var p = Policy.Handle<IOException>().AdvancedCircuitBreakerAsync(0.5, TimeSpan.FromSeconds(10), 2, TimeSpan.FromMinutes(1)); for (int i = 0; i < 3; i++) await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: timeout"] = ("hang", Polly("", "var p = Policy.TimeoutAsync(TimeSpan.FromMilliseconds(30)); await D.EndAsync(async () => await p.ExecuteAsync(ct => D.CallAsync(ct), CancellationToken.None));")),
        ["old: bulkhead"] = ("ok", Polly("", "var p = Policy.BulkheadAsync(3, 2); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: nothing"] = ("ok", Polly("private static readonly IAsyncPolicy Field = Policy.NoOpAsync();", "D.Tell(await Field.ExecuteAsync(() => D.CallAsync()));")),
        ["typed, fallbacks that are told"] = ("io 7 bug", Typed("new ResiliencePipelineBuilder<string>().AddFallback(new FallbackStrategyOptions<string> { ShouldHandle = new PredicateBuilder<string>().Handle<Exception>(), FallbackAction = static args => Outcome.FromResultAsValueTask(\"any\"), OnFallback = args => { D.Tell(\"instead of \" + Dependency.NameOf(args.Outcome.Exception)); return default; } }).AddFallback(new FallbackStrategyOptions<string> { ShouldHandle = new PredicateBuilder<string>().Handle<IOException>(), OnFallback = args => { D.Tell(\"inner\"); return default; }, FallbackAction = static args => Outcome.FromResultAsValueTask(\"io\") }).Build()")),
        ["typed, a fallback for an open circuit"] = ("io io ok", Typed("new ResiliencePipelineBuilder<string>().AddFallback(new FallbackStrategyOptions<string> { ShouldHandle = new PredicateBuilder<string>().Handle<BrokenCircuitException>(), FallbackAction = static args => Outcome.FromResultAsValueTask(\"open\") }).AddCircuitBreaker(new CircuitBreakerStrategyOptions<string> { FailureRatio = 0.5, MinimumThroughput = 2, BreakDuration = TimeSpan.FromMinutes(5) }).Build()", 4)),
        ["a pipeline in a pipeline"] = ("http io bug ok", Polly("private static readonly ResiliencePipeline Inner = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { MaxRetryAttempts = 1, ShouldHandle = new PredicateBuilder().Handle<IOException>(), Delay = TimeSpan.Zero, OnRetry = _ => { D.Tell(\"inner\"); return default; } }).Build();", "var outer = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { MaxRetryAttempts = 1, ShouldHandle = new PredicateBuilder().Handle<HttpRequestException>(), Delay = TimeSpan.Zero, OnRetry = _ => { D.Tell(\"outer\"); return default; } }).AddPipeline(Inner).Build(); for (int i = 0; i < 3; i++) await D.EndAsync(() => outer.ExecuteAsync(async ct => await D.CallAsync(ct)));")),
        ["old: waits from the failure"] = ("io http ok", Polly("", "var p = Policy.Handle<Exception>().WaitAndRetryAsync(2, (n, error, context) => TimeSpan.FromMilliseconds(error is IOException ? 2 : n), (error, wait, n, context) => { D.Tell($\"retry {n} after {wait.TotalMilliseconds} for {error.GetType().Name}\"); return Task.CompletedTask; }); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: waits by a method"] = ("io io ok", Polly("private static TimeSpan Wait(int n) => TimeSpan.FromMilliseconds(n + 1); private static void Told(Exception error, TimeSpan wait) => D.Tell($\"after {wait.TotalMilliseconds} for {error.GetType().Name}\");", "var p = Policy.Handle<IOException>().WaitAndRetryAsync(2, Wait, Told); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: arguments in another order"] = ("io io ok", Polly("", "var p = Policy.Handle<IOException>().WaitAndRetryAsync(sleepDurationProvider: n => TimeSpan.FromMilliseconds(n), retryCount: 1); await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: a callback that awaits"] = ("io ok", Polly("", "var p = Policy.Handle<IOException>().RetryAsync(1, onRetryAsync: async (error, n) => { await Task.Yield(); D.Tell($\"retry {n}\"); }); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: a callback with a result"] = ("7 io ok", Polly("", "var p = Policy<string>.Handle<IOException>().OrResult(r => r == \"7\").WaitAndRetryAsync(3, n => TimeSpan.FromMilliseconds(n), (result, wait, n, _) => D.Tell($\"{n} {result?.Result?.Length} {result?.Exception?.Message}\")); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: an array of waits"] = ("io io ok", Polly("private static readonly TimeSpan[] Waits = [TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(3)];", "var p = Policy.Handle<IOException>().WaitAndRetryAsync(Waits, (error, wait) => D.Tell($\"after {wait.TotalMilliseconds}\")); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: a schedule of contributors"] = ("io io io io", Polly("", "var p = Policy.Handle<IOException>().WaitAndRetryAsync(Backoff.ExponentialBackoff(TimeSpan.FromMilliseconds(1), retryCount: 3), (error, wait) => D.Tell($\"after {wait.TotalMilliseconds}\")); await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync())); var q = Policy.Handle<IOException>().WaitAndRetry(Backoff.LinearBackoff(TimeSpan.FromMilliseconds(1), 2), (error, wait) => D.Tell($\"after {wait.TotalMilliseconds}\")); await D.EndAsync(() => new(q.Execute(() => D.Call())));")),
        ["old: a schedule whose first is at once"] = ("io io io io io io", Polly("", "var waits = Backoff.ExponentialBackoff(TimeSpan.FromMilliseconds(1), retryCount: 3, fastFirst: true); var p = Policy.Handle<IOException>().WaitAndRetryAsync(waits, (error, wait) => D.Tell($\"after {wait.TotalMilliseconds}\")); await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync())); var q = Policy.Handle<IOException>().WaitAndRetry(Backoff.ConstantBackoff(TimeSpan.FromMilliseconds(2), 2, true), (error, wait) => D.Tell($\"after {wait.TotalMilliseconds}\")); await D.EndAsync(() => new(q.Execute(() => D.Call())));")),
        ["old: a schedule in a variable"] = ("io io ok", Polly("", "var waits = Backoff.ConstantBackoff(TimeSpan.FromMilliseconds(2), 2); var p = Policy.Handle<IOException>().WaitAndRetryAsync(waits, (error, wait) => D.Tell($\"after {wait.TotalMilliseconds}\")); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: a schedule with jitter"] = ("io io io ok", Polly("", "var p = Policy.Handle<IOException>().WaitAndRetryAsync(Backoff.DecorrelatedJitterBackoffV2(TimeSpan.FromMilliseconds(1), 2)); await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: callbacks of a circuit"] = ("io io ok", Polly("", "var p = Policy.Handle<IOException>().CircuitBreakerAsync(2, TimeSpan.FromMinutes(3), onBreak: (error, span) => D.Tell($\"open for {span} by {error.GetType().Name}\"), onReset: () => D.Tell(\"closed\")); for (int i = 0; i < 3; i++) await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: a condition in a block"] = ("io http", Polly("private static bool IsBad(HttpRequestException e) => e.Message == \"yes\";", "var p = Policy.Handle<IOException>(e => { string text = e.Message; return text == \"no\"; }).Or<HttpRequestException>(IsBad).RetryAsync(2); await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: left alone"] = ("hang", Polly("", "var p = Policy.TimeoutAsync(TimeSpan.FromMilliseconds(30), TimeoutStrategy.Pessimistic); await D.EndAsync(async () => await p.ExecuteAsync(ct => D.CallAsync(ct), CancellationToken.None));")),
        ["old: a fallback"] = ("io bug", Polly("", "var p = Policy<string>.Handle<IOException>().FallbackAsync(\"instead\"); for (int i = 0; i < 2; i++) await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync())); var q = Policy<string>.Handle<HttpRequestException>().FallbackAsync(async ct => { await Task.Yield(); return \"made\"; }); await D.EndAsync(async () => await q.ExecuteAsync(() => throw new HttpRequestException()));")),
        ["old: wrapped in place"] = ("io http io bug", Polly("", "var p = Policy.Handle<IOException>().RetryAsync(1, (e, n) => D.Tell(\"outer\")).WrapAsync(Policy.Handle<HttpRequestException>().RetryAsync(1, (e, n) => D.Tell(\"inner\"))); for (int i = 0; i < 2; i++) await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: wrapped from fields"] = ("io http io bug", Polly("private static readonly AsyncPolicy Outer = Policy.Handle<IOException>().RetryAsync(1, (e, n) => D.Tell(\"outer\")); private static readonly AsyncPolicy Inner = Policy.Handle<HttpRequestException>().RetryAsync(1, (e, n) => D.Tell(\"inner\")); private static readonly AsyncPolicy Both = Policy.WrapAsync(Outer, Inner);", "for (int i = 0; i < 2; i++) await D.EndAsync(async () => await Both.ExecuteAsync(() => D.CallAsync()));")),
        ["old: a circuit that others count too"] = ("http io io io", Polly("private static readonly AsyncPolicy Circuit = Policy.Handle<IOException>().CircuitBreakerAsync(2, TimeSpan.FromMinutes(1)); private static AsyncPolicy Around() => Policy.Handle<HttpRequestException>().RetryAsync(1);", "var p = Around().WrapAsync(Circuit); for (int i = 0; i < 4; i++) await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: a retry that leaves timeouts"] = ("hang io ok", Polly("", "var p = Policy.WrapAsync(Policy.Handle<IOException>().RetryAsync(1), Policy.TimeoutAsync(TimeSpan.FromMilliseconds(30))); for (int i = 0; i < 2; i++) await D.EndAsync(async () => await p.ExecuteAsync(ct => D.CallAsync(ct), CancellationToken.None));")),
        ["old: a retry of timeouts"] = ("hang ok", Polly("", "var limit = Policy.TimeoutAsync<string>(TimeSpan.FromMilliseconds(30)); var p = Policy<string>.Handle<IOException>().Or<TimeoutRejectedException>().RetryAsync(1, (r, n) => D.Tell(Dependency.NameOf(r.Exception))).WrapAsync(limit); await D.EndAsync(async () => await p.ExecuteAsync(ct => D.CallAsync(ct), CancellationToken.None));")),
        ["old: a retry of an open circuit"] = ("io io ok", Polly("", "var p = Policy.Handle<IOException>().Or<BrokenCircuitException>().WaitAndRetryAsync(3, n => TimeSpan.FromMilliseconds(n), (e, wait) => D.Tell($\"{Dependency.NameOf(e)} {wait.TotalMilliseconds}\")).WrapAsync(Policy.Handle<IOException>().CircuitBreakerAsync(2, TimeSpan.FromMinutes(3))); await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: a task is given on"] = ("io ok", Polly("private static readonly IAsyncPolicy Field = Policy.Handle<IOException>().RetryAsync(); private static Task<string> GoAsync() => Field.ExecuteAsync(() => D.CallAsync());", "D.Tell(await GoAsync());")),
        ["old: a method in place of a delegate"] = ("io ok", Polly("private static readonly IAsyncPolicy Field = Policy.Handle<IOException>().RetryAsync(); private static Task<string> OneAsync() => D.CallAsync();", "D.Tell(await Field.ExecuteAsync(OneAsync));")),
        ["a client, standard"] = ("503 http 200", Client("services.AddHttpClient(\"a\").ConfigurePrimaryHttpMessageHandler(() => D).AddStandardResilienceHandler(o => o.Retry.Delay = TimeSpan.Zero);")),
        ["a client, standard by more options"] = ("503 404", Client("services.AddHttpClient(\"a\").ConfigurePrimaryHttpMessageHandler(() => D).AddStandardResilienceHandler(o => { o.Retry.MaxRetryAttempts = 1; o.Retry.Delay = TimeSpan.FromMilliseconds(1); o.CircuitBreaker.MinimumThroughput = 50; o.AttemptTimeout.Timeout = TimeSpan.FromSeconds(5); o.TotalRequestTimeout.Timeout = TimeSpan.FromSeconds(20); o.Retry.DisableForUnsafeHttpMethods(); });")),
        ["a client, by authority"] = ("200", Client("services.AddHttpClient(\"a\").ConfigurePrimaryHttpMessageHandler(() => D).AddStandardResilienceHandler().SelectPipelineByAuthority();")),
        ["a client with its own pipeline"] = ("503 429 http 200", Client("services.AddHttpClient(\"a\").ConfigurePrimaryHttpMessageHandler(() => D).AddResilienceHandler(\"mine\", b => b.AddRetry(new Microsoft.Extensions.Http.Resilience.HttpRetryStrategyOptions { Delay = TimeSpan.Zero }));")),
        ["a client with an old policy"] = ("503 408 200", Client("services.AddHttpClient(\"a\").ConfigurePrimaryHttpMessageHandler(() => D).AddTransientHttpErrorPolicy(p => p.WaitAndRetryAsync(3, n => TimeSpan.FromMilliseconds(n)));")),
        ["a client with several old policies"] = ("503 http 503 200", Client("services.AddHttpClient(\"a\").ConfigurePrimaryHttpMessageHandler(() => D).AddTransientHttpErrorPolicy(p => p.RetryAsync(3)).AddPolicyHandler(Policy.TimeoutAsync<HttpResponseMessage>(5)).AddTransientHttpErrorPolicy(p => p.CircuitBreakerAsync(20, TimeSpan.FromMinutes(1)));")),
        ["a client with a policy from a variable"] = ("503 404 200", Client("var policy = Polly.Extensions.Http.HttpPolicyExtensions.HandleTransientHttpError().Or<TimeoutRejectedException>().WaitAndRetryAsync(2, n => TimeSpan.FromMilliseconds(n)).WrapAsync(Policy.TimeoutAsync<HttpResponseMessage>(TimeSpan.FromSeconds(5))); services.AddHttpClient(\"a\").ConfigurePrimaryHttpMessageHandler(() => D).AddPolicyHandler(policy);")),
        ["a client with an old policy of its own"] = ("404 503 200", Client("services.AddHttpClient(\"a\").ConfigurePrimaryHttpMessageHandler(() => D).AddPolicyHandler(Polly.Extensions.Http.HttpPolicyExtensions.HandleTransientHttpError().OrResult(m => m.StatusCode == HttpStatusCode.NotFound).RetryAsync(3));")),
    };

    internal static string Polly(string members, string body) => $$"""
        using Microsoft.Extensions.Http.Resilience; using Polly; using Polly.CircuitBreaker; using Polly.Retry; using Polly.Timeout; using Polly.Fallback; using Polly.Contrib.WaitAndRetry; using Polly.Registry;

        //namespace

        public static class Shape
        {
            private static Dependency D = null!;
            {{members}}

            public static async Task RunAsync(Dependency dependency)
            {
                D = dependency;
                {{body}}
            }
        }
        """;

    private static string Typed(string pipeline, int calls = 2) =>
        Polly($"private static readonly ResiliencePipeline<string> Field = {pipeline};", $"for (int i = 0; i < {calls}; i++) await D.EndAsync(() => Field.ExecuteAsync(async ct => await D.CallAsync(ct)));");

    private static string Client(string register) => Polly("", $$"""
        ServiceCollection services = new();
        services.AddLogging();
        {{register}}
        using var provider = services.BuildServiceProvider();
        HttpClient http = provider.GetRequiredService<IHttpClientFactory>().CreateClient("a");
        await D.EndAsync(async () => ((int)(await http.GetAsync("https://a.example/")).StatusCode).ToString());
        """);

    public static TheoryData<string> OfSingles() => [.. Singles.Keys];

    private static readonly Batch Pipelines = new(
        (from r in Rows from p in Places select KeyValuePair.Create(NameOf(r.Name, p.Key), p.Value(r.Strategies)))
            .Concat(Singles.Where(s => !IsClient(s.Key)).Select(s => KeyValuePair.Create(s.Key, s.Value.Source))));

    private static readonly Batch Clients = new(Singles.Where(s => IsClient(s.Key)).Select(s => KeyValuePair.Create(s.Key, s.Value.Source)));

    private static bool IsClient(string name) => name.StartsWith("a client", StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(OfSingles))]
    public Task A_program_does_the_same_before_and_after(string name) => CheckAsync(IsClient(name) ? Clients : Pipelines, name, Singles[name].Script);

    internal static async Task CheckAsync(Batch batch, string name, string script)
    {
        (_, _, _, string text, string again) = await batch.OfAsync(name);
        text.Should().NotContain("Polly").And.NotContain("TODO").And.NotContain("StrategyOptions");
        again.Should().Be(text, "a second run changes nothing");
        (IReadOnlyList<string> before, IReadOnlyList<string> after) = await batch.RunAsync(name, script);
        before.Should().NotBeEmpty();
        after.Should().Equal(before, text);
    }
}
