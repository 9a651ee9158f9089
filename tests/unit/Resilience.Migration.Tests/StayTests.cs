using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;

namespace Resilience.Migration.Tests;

/// <summary>What is not certain stays on Polly, with one sentence that says what to decide, and what hangs together with it stays too. The rest moves, beside
/// it in the same file.</summary>
public sealed partial class StayTests
{
    private const string Movable = "private static readonly ResiliencePipeline Movable = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero }).Build();";

    private static string Beside(string members, string body, string others = "") => $$"""
        using Microsoft.Extensions.Http.Resilience; using Polly; using Polly.CircuitBreaker; using Polly.Hedging; using Polly.Registry; using Polly.Retry; using Polly.Timeout;

        //namespace

        {{others}}
        public static class Shape
        {
            private static Dependency D = null!;
            {{Movable}}
            {{members}}

            public static async Task RunAsync(Dependency dependency)
            {
                D = dependency;
                D.Tell(await Movable.ExecuteAsync(async ct => await D.CallAsync(ct)));
                {{body}}
            }
        }
        """;

    private const string Run = "D.Tell(await p.ExecuteAsync(async ct => await D.CallAsync(ct)));";

    private static readonly Dictionary<string, (string Id, string Says, string Source)> Cases = new()
    {
        ["control by hand"] = ("RES202", "Isolate() and Close()", Beside("", "CircuitBreakerManualControl control = new(); var p = new ResiliencePipelineBuilder().AddCircuitBreaker(new CircuitBreakerStrategyOptions { ManualControl = control }).Build();" + Run)),
        ["provider of the state"] = ("RES202", "State", Beside("", "var p = new ResiliencePipelineBuilder().AddCircuitBreaker(new CircuitBreakerStrategyOptions { StateProvider = new() }).Build();" + Run)),
        ["computed break"] = ("RES202", "BreakGrowth", Beside("", "var p = new ResiliencePipelineBuilder().AddCircuitBreaker(new CircuitBreakerStrategyOptions { BreakDurationGenerator = static _ => new ValueTask<TimeSpan>(TimeSpan.FromSeconds(1)) }).Build();" + Run)),
        ["callbacks of two timeouts"] = ("RES202", "CallTimedOut", Beside("", "var p = new ResiliencePipelineBuilder().AddTimeout(new TimeoutStrategyOptions { OnTimeout = static _ => default }).AddTimeout(TimeSpan.FromSeconds(1)).Build();" + Run)),
        ["callback that throws"] = ("RES202", "cannot fail the call", Beside("", "var p = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { OnRetry = args => { if (args.AttemptNumber > 1) throw new IOException(); return default; } }).Build();" + Run)),
        ["old callback that throws"] = ("RES204", "what it throws", Beside(
            "",
            "var p = Policy.Handle<IOException>().RetryAsync(2, (error, n) => { if (n > 1) "
            + "throw new InvalidOperationException(\"no\", error); }); D.Tell(await p.ExecuteAsync(() "
            + "=> D.CallAsync()));")),
        ["condition that may change"] = ("RES204", "Classify", Beside("private static Func<string, bool> IsBad { get; set; } = r => r.Length == 1;", "var p = Policy.HandleResult<string>(IsBad).RetryAsync(2); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["pipeline from elsewhere inside"] = ("RES201", "pipeline inside", Beside("private static async Task GoAsync(ResiliencePipeline inside) { var p = new ResiliencePipelineBuilder().AddPipeline(inside).AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero }).Build(); D.Tell(await p.ExecuteAsync(async ct => await D.CallAsync(ct))); }", "await GoAsync(ResiliencePipeline.Empty);")),
        ["callback that reads more"] = ("RES202", "callback", Beside("", "var p = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { OnRetry = args => { D.Tell(args.Duration.ToString()); return default; } }).Build();" + Run)),
        ["predicate over the context"] = ("RES202", "Classify", Beside("", "var p = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { ShouldHandle = args => new ValueTask<bool>(args.AttemptNumber < 2) }).Build();" + Run)),
        ["asynchronous predicate"] = ("RES202", "Classify", Beside("", "var p = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { ShouldHandle = async args => { await Task.Yield(); return args.Outcome.Exception is not null; } }).Build();" + Run)),
        ["handled rejection"] = ("RES202", "Classify", Beside("", "var p = new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { BackoffType = DelayBackoffType.Linear, ShouldHandle = new PredicateBuilder().Handle<BrokenCircuitException>() }).Build();" + Run)),
        ["predicate in a variable"] = ("RES201", "Classify", Beside("", "var options = new RetryStrategyOptions(); options.ShouldHandle = new PredicateBuilder().Handle<IOException>(); var p = new ResiliencePipelineBuilder().AddRetry(options).Build();" + Run)),
        ["hedging of something else"] = ("RES202", "Route selects", Beside(
            "",
            "var p = new ResiliencePipelineBuilder<string>().AddHedging(new HedgingStrategyOptions<string> { "
            + "ActionGenerator = static args => () => args.Callback(args.ActionContext) }).Build();" + Run)),
        ["context that is read after the call"] = ("RES203", "stays with the call", Beside(
            "private static readonly ResiliencePropertyKey<int> Key = new(\"n\");",
            "var p = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(1)).Build(); "
            + "ResilienceContext c = ResilienceContextPool.Shared.Get(); D.Tell(await p.ExecuteAsync(async x => { "
            + "x.Properties.Set(Key, 1); return await D.CallAsync(x.CancellationToken); }, c)); "
            + "D.Tell($\"{c.Properties.GetValue(Key, 0)}\"); ResilienceContextPool.Shared.Return(c);")),
        ["property by its name"] = ("RES203", "two of the same name", Beside(
            "",
            "var p = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(1)).Build(); "
            + "ResilienceContext c = ResilienceContextPool.Shared.Get(); "
            + "c.Properties.Set(new ResiliencePropertyKey<int>(\"n\"), 1); "
            + "D.Tell(await p.ExecuteAsync(async x => await D.CallAsync(x.CancellationToken), c));")),
        ["options for a builder that is not seen"] = ("RES202", "which builder", Beside(
            "private static RetryStrategyOptions Make() => new() { "
            + "ShouldHandle = new PredicateBuilder().Handle<IOException>() };",
            "var made = Make(); D.Tell($\"{made.MaxRetryAttempts}\"); await Task.Yield();")),
        ["options from elsewhere"] = ("RES201", "where these options are made", Beside(
            "private static async Task GoAsync(RetryStrategyOptions options) { "
            + "var p = new ResiliencePipelineBuilder().AddRetry(options).Build(); "
            + "D.Tell(await p.ExecuteAsync(async ct => await D.CallAsync(ct))); }",
            "await GoAsync(new() { Delay = TimeSpan.Zero });")),
        ["registry that gives one by its name alone"] = ("RES204", "does not compile here", Beside(
            "",
            "PolicyRegistry r = new(); r[\"a\"] = Policy.NoOpAsync(); "
            + "D.Tell(await ((IAsyncPolicy)r[\"a\"]).ExecuteAsync(() => D.CallAsync()));")),
        ["outcome by hand"] = ("RES203", "TryExecuteAsync", Beside("", "var p = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(1)).Build(); var o = await p.ExecuteOutcomeAsync(static (x, s) => Outcome.FromResultAsValueTask(\"a\"), ResilienceContextPool.Shared.Get(), 1); D.Tell(o.Result!);")),
        ["asynchronous delegate in a synchronous call"] = ("RES203", "ExecuteAsync", Beside("", "var p = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(1)).Build(); Task<string> t = p.Execute(async () => await D.CallAsync()); D.Tell(await t);")),
        ["registry"] = ("RES203", "ResiliencePipelineRegistry", Beside("", "ResiliencePipelineRegistry<int> r = new(); r.TryAddBuilder(7, (b, _) => b.AddTimeout(TimeSpan.FromSeconds(1))); var p = r.GetPipeline(7);" + Run)),
        ["registry that reads its context"] = ("RES203", "context of the registry", Beside("", "ResiliencePipelineRegistry<string> r = new(); r.TryAddBuilder(\"a\", (b, c) => { D.Tell(c.PipelineKey); b.AddTimeout(TimeSpan.FromSeconds(1)); }); var p = r.GetPipeline(\"a\");" + Run)),
        ["strategy of one's own"] = ("RES201", "base class", Beside("", "var p = new ResiliencePipelineBuilder().AddStrategy(_ => new Mine(), new MineOptions()).Build();" + Run, "public sealed class MineOptions : ResilienceStrategyOptions; public sealed class Mine : ResilienceStrategy { protected override ValueTask<Outcome<TResult>> ExecuteCore<TResult, TState>(Func<ResilienceContext, TState, ValueTask<Outcome<TResult>>> callback, ResilienceContext context, TState state) => callback(context, state); }")),
        ["wrapped from elsewhere, for one type of result"] = ("RES204", "outermost first", Beside(
            "private static async Task GoAsync(IAsyncPolicy<string> inside) { "
            + "var p = Policy.WrapAsync(Policy<string>.Handle<IOException>().RetryAsync(), inside); "
            + "D.Tell(await p.ExecuteAsync(() => D.CallAsync())); }",
            "await GoAsync(Policy.NoOpAsync<string>());")),
        ["captured"] = ("RES204", "Outcome", Beside("", "var p = Policy.Handle<IOException>().RetryAsync(); var r = await p.ExecuteAndCaptureAsync(() => D.CallAsync()); D.Tell(r.Result);")),
        ["pessimistic"] = ("RES204", "token", Beside("", "var p = Policy.Timeout(5, TimeoutStrategy.Pessimistic); D.Tell(p.Execute(() => D.Call()));")),
        ["context of v7"] = ("RES204", "CallOptions", Beside("", "var p = Policy.Handle<IOException>().RetryAsync(); D.Tell(await p.ExecuteAsync(c => D.CallAsync(), new Context(\"a\")));")),
        ["waits from elsewhere"] = ("RES204", "RetryAfter", Beside("private static IEnumerable<TimeSpan> Waits() { yield return TimeSpan.Zero; }", "var p = Policy.Handle<IOException>().WaitAndRetryAsync(Waits()); D.Tell(await p.ExecuteAsync(() => D.CallAsync()));")),
        ["a section"] = ("RES205", "path", Beside("", "await Task.Yield(); void Register(IServiceCollection s, Microsoft.Extensions.Configuration.IConfigurationSection section) => s.AddHttpClient(\"a\").AddStandardResilienceHandler(section);")),
        ["standard hedging"] = ("RES205", "AddStandardHedgingHandler", Beside("", "ServiceCollection s = new(); s.AddHttpClient(\"a\").AddStandardHedgingHandler(); await Task.Yield();")),
        ["policy from elsewhere"] = ("RES205", "AddResilience", Beside("private static void Add(IServiceCollection s, IAsyncPolicy<HttpResponseMessage> policy) => s.AddHttpClient(\"a\").AddPolicyHandler(policy);", "Add(new ServiceCollection(), Policy.HandleResult<HttpResponseMessage>(m => !m.IsSuccessStatusCode).RetryAsync()); await Task.Yield();")),
        ["several policies of a client"] = ("RES205", "all policies", Beside("", "ServiceCollection s = new(); s.AddTransient<HttpClientHandler>(); s.AddHttpClient(\"a\").AddTransientHttpErrorPolicy(p => p.RetryAsync(2)).SetHandlerLifetime(TimeSpan.FromMinutes(1)).AddTransientHttpErrorPolicy(p => p.CircuitBreakerAsync(5, TimeSpan.FromSeconds(1))); await Task.Yield();")),
        ["reloads"] = ("RES206", "settings", Beside("", "ServiceCollection s = new(); s.AddResiliencePipeline(\"a\", (b, c) => { c.EnableReloads<RetryStrategyOptions>(); b.AddRetry(new RetryStrategyOptions()); }); await Task.Yield();")),
        ["keys of another type"] = ("RES206", "strings", Beside("", "ServiceCollection s = new(); s.AddResiliencePipeline(7, b => b.AddTimeout(TimeSpan.FromSeconds(1))); await Task.Yield();")),
        ["both exceptions"] = ("RES203", "both exceptions", Beside("private static readonly CircuitBreakerManualControl Control = new(); private static readonly ResiliencePipeline Stays = new ResiliencePipelineBuilder().AddCircuitBreaker(new CircuitBreakerStrategyOptions { ManualControl = Control }).Build();", "try { D.Tell(await Stays.ExecuteAsync(async ct => await D.CallAsync(ct))); } catch (BrokenCircuitException) { }")),
    };

    private static readonly Batch Stays = new(Cases.Select(c => KeyValuePair.Create(c.Key, c.Value.Source)));

    public static TheoryData<string> Names() => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task What_is_not_certain_stays_with_a_sentence_and_the_rest_moves(string name)
    {
        (string id, string says, _) = Cases[name];
        (_, _, _, string text, string again) = await Stays.OfAsync(name);
        string[] comments = [.. Comment().Matches(text).Select(m => m.Value)];
        comments.Should().Contain(c => c.Contains(id + ":", StringComparison.Ordinal) && c.Contains(says, StringComparison.Ordinal), text);
        comments.Should().OnlyContain(c => c.Contains(". (docs/moving-from-", StringComparison.Ordinal));
        text.Should().Contain("Resilience.ResiliencePipeline Movable", "what does not hang together with it moves");
        again.Should().Be(text, "a second run changes nothing");
        (IReadOnlyList<string> before, IReadOnlyList<string> after) = await Stays.RunAsync(name, "io ok");
        after.Should().Equal(before);
    }

    /// <summary>In the other file the same pipeline is called: it stays as well, since it is one of Polly.</summary>
    [Fact]
    public async Task What_hangs_together_over_files_moves_or_stays_together()
    {
        const string Maker = "using Polly; public static class Maker { public static ResiliencePipeline Make(bool control) => new ResiliencePipelineBuilder().AddTimeout(new Polly.Timeout.TimeoutStrategyOptions { TimeoutGenerator = OPTION }).Build(); }";
        const string User = "using Polly; public static class User { static readonly ResiliencePipeline P = Maker.Make(true); public static async Task GoAsync(Dependency d) => await P.ExecuteAsync(async ct => await d.CallAsync(ct)); }";
        Compilation stays = await Moving.MoveAsync(Moving.Compile(Maker.Replace("OPTION", "static async _ => { await Task.Yield(); return TimeSpan.FromSeconds(1); }", StringComparison.Ordinal), User));
        Moving.TextOf(stays).Should().Contain(User).And.Contain("TODO");
        Compilation moves = await Moving.MoveAsync(Moving.Compile(Maker.Replace("TimeoutGenerator = OPTION", "Timeout = TimeSpan.FromSeconds(1)", StringComparison.Ordinal), User));
        Moving.TextOf(moves).Should().NotContain("Polly");
        Moving.ErrorsOf(moves).Should().BeEmpty();
    }

    /// <summary>What compiles there and not here is found by compiling it, and stays.</summary>
    [Fact]
    public async Task What_would_not_compile_stays()
    {
        string source = Beside("", "IAsyncPolicy<string> typed = Policy.NoOpAsync<string>(); IsPolicy any = typed; D.Tell(await typed.ExecuteAsync(() => D.CallAsync())); D.Tell(any is null ? \"\" : \"any\");");
        Compilation after = await Moving.MoveAsync(Moving.Compile(source));
        Moving.ErrorsOf(after).Should().BeEmpty();
        Moving.TextOf(after).Should().Contain("does not compile here (CS");
    }

    [Fact]
    public async Task A_type_parameter_that_is_constrained_by_itself_is_no_trap()
    {
        const string Source = "using Polly; public interface INode<T> where T : INode<T>; public class Tree<T> where T : INode<Tree<T>>, INode<T> { T? root; public T? Of(T t) => root = t; } "
            + "public static class U { public static ResiliencePipeline Of<T>(T t) where T : IComparable<T> => ResiliencePipeline.Empty; }";
        (await Moving.FindAsync(Moving.Compile(Source))).Should().NotContain(d => d.Id == "AD0001").And.NotBeEmpty();
        Moving.TextOf(await Moving.MoveAsync(Moving.Compile(Source))).Should().NotContain("Polly");
    }

    [Fact]
    public async Task A_translation_that_does_something_else_would_be_seen()
    {
        string source = Beside("", "await Task.Yield();");
        Compilation before = Moving.Compile(source), after = await Moving.MoveAsync(before);
        IReadOnlyList<string> expected = await Moving.RunAsync(before, "io io io ok");
        (await Moving.RunAsync(after, "io io io ok")).Should().Equal(expected);
        string planted = Moving.TextOf(after).Replace("BaseDelay =", "MaxRetries = 4, BaseDelay =", StringComparison.Ordinal);
        (await Moving.RunAsync(Moving.Compile(planted), "io io io io ok")).Should().NotEqual(expected);
        Func<Task> wrong = async () => await Moving.RunAsync(Moving.Compile(Moving.TextOf(after).Replace("BaseDelay =", "MaxRetries = 1, BaseDelay =", StringComparison.Ordinal)), "io io io ok");
        await wrong.Should().ThrowAsync<IOException>();
    }

    [Fact]
    public async Task Without_the_library_or_without_Polly_there_is_nothing_to_say()
    {
        Compilation compilation = Moving.Compile("using Polly; public class A { ResiliencePipeline p = ResiliencePipeline.Empty; }");
        (await Moving.FindAsync(compilation)).Should().ContainSingle().Which.Id.Should().Be("RES201");
        (await Moving.FindAsync(compilation.WithReferences(compilation.References.Where(r => !r.Display!.Contains("Resilience.Core", StringComparison.Ordinal))))).Should().BeEmpty();
        (await Moving.FindAsync(compilation.WithReferences(compilation.References.Where(r => !r.Display!.Contains("Polly", StringComparison.Ordinal) && !r.Display!.Contains("Http.Resilience", StringComparison.Ordinal) && !r.Display!.Contains("Microsoft.Extensions.Resilience", StringComparison.Ordinal))))).Should().BeEmpty();
    }

    [GeneratedRegex("// TODO Resilience RES2[^\n]*")]
    private static partial Regex Comment();
}
