namespace Resilience.Migration.Tests;

/// <summary>Programs of our own in which pipelines come by a name, from elsewhere, or with a context. As in <see cref="ShapeTests"/> each is run before and
/// after against the same script.</summary>
public sealed class BorderShapeTests
{
    private const string Retry = "new ResiliencePipelineBuilder().AddRetry(new RetryStrategyOptions { Delay = TimeSpan.Zero, "
        + "OnRetry = args => { "
        + "D.Tell($\"retry {args.AttemptNumber} of {args.Context.OperationKey}: {args.Context.Properties.GetValue(Number, "
        + "-1)}\"); return default; } }).Build()";

    private const string Key = "private static readonly ResiliencePropertyKey<int> Number = new(\"number\");";

    private static readonly Dictionary<string, (string Script, string Source)> Programs = new()
    {
        ["old: a registry"] = ("io ok 7 ok", ShapeTests.Polly(
            "private static readonly PolicyRegistry Registry = new PolicyRegistry { { \"a\", "
            + "Policy.Handle<IOException>().RetryAsync(1, (e, n) => D.Tell(\"again\")) }, { \"b\", Policy.NoOpAsync() } };",
            "Registry.Add(\"t\", Policy<string>.HandleResult(r => r == \"7\").RetryAsync(1)); "
                + "D.Tell($\"{Registry.ContainsKey(\"a\")} {Registry.ContainsKey(\"x\")} {Registry.TryGet<IAsyncPolicy>(\"x\", "
                + "out _)}\"); D.Tell(await Registry.Get<IAsyncPolicy>(\"a\").ExecuteAsync(() => D.CallAsync())); "
                + "D.Tell(await Registry.Get<IAsyncPolicy<string>>(\"t\").ExecuteAsync(() => D.CallAsync())); try { "
                + "Registry.Get<IAsyncPolicy>(\"x\"); } catch (KeyNotFoundException) { D.Tell(\"missing\"); } try { "
                + "Registry.Add(\"a\", Policy.NoOpAsync()); } catch (ArgumentException) { D.Tell(\"taken\"); }")),
        ["old: a registry by its interface"] = ("io ok", ShapeTests.Polly(
            "private static async Task GoAsync(IReadOnlyPolicyRegistry<string> policies) { if (policies.TryGet(\"a\", "
            + "out AsyncPolicy found)) D.Tell(await found.ExecuteAsync(() => D.CallAsync())); "
            + "} private static IPolicyRegistry<string> Make() { IPolicyRegistry<string> made = new PolicyRegistry(); "
            + "made.Add(\"a\", Policy.Handle<IOException>().RetryAsync(1)); return made; }",
            "await GoAsync(Make());")),
        ["old: a class that is a registry"] = ("io ok", ShapeTests.Polly(
            "private class Mine : PolicyRegistry { public Mine() => Fill(); private void Fill() { Add(\"a\", "
            + "Policy.Handle<IOException>().Retry(1)); } } private static IPolicyRegistry<string>? Given;",
            "Given ??= new Mine(); D.Tell(Given.Get<ISyncPolicy>(\"a\").Execute(() => D.Call())); await Task.Yield();")),
        ["old: wrapped from elsewhere"] = ("io http io ok bug", ShapeTests.Polly(
            "private static async Task GoAsync(IAsyncPolicy inside) { "
            + "var p = Policy.WrapAsync(Policy.Handle<IOException>().RetryAsync(2, (e, n) => D.Tell(\"outer\")), inside); "
            + "for (int i = 0; i < 2; i++) await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync())); }",
            "await GoAsync(Policy.Handle<HttpRequestException>().RetryAsync(1, (e, n) => D.Tell(\"inner\")));")),
        ["old: a list that is wrapped"] = ("io http ok io io io bug", ShapeTests.Polly(
            "private static readonly List<Policy> Policies = [];",
            "Policies.Add(Policy.Handle<IOException>().Retry(1, (e, n) => D.Tell(\"one\"))); "
            + "Policies.Add(Policy.Handle<HttpRequestException>().Retry(1, (e, n) => D.Tell(\"two\"))); "
            + "Policies.Add(Policy.NoOp()); var wrap = Policies[0].Wrap(Policies[1]); for (int i = 2; i < Policies.Count; "
            + "i++) wrap = wrap.Wrap(Policies[i]); for (int i = 0; i < 3; i++) await D.EndAsync(() => new(wrap.Execute(() "
            + "=> D.Call())));")),
        ["old: a time limit from elsewhere"] = ("hang ok", ShapeTests.Polly(
            "private static async Task GoAsync(IAsyncPolicy inside) { "
            + "var p = Policy.Handle<TimeoutRejectedException>().RetryAsync(1, (e, n) "
            + "=> D.Tell(\"late\")).WrapAsync(inside); await D.EndAsync(async () "
            + "=> await p.ExecuteAsync(ct => D.CallAsync(ct), CancellationToken.None)); }",
            "await GoAsync(Policy.TimeoutAsync(TimeSpan.FromMilliseconds(30)));")),
        ["old: a callback that gives up"] = ("io io io io io ok", ShapeTests.Polly(
            "private const string Until = \"until\"; private static AsyncRetryPolicy Make(int most) "
            + "=> Policy.Handle<IOException>().WaitAndRetryAsync(9, (n, error, context) => TimeSpan.FromMilliseconds(n), "
            + "onRetryAsync: (error, wait, n, context) => { D.Tell($\"{n} after {wait.TotalMilliseconds}\"); "
            + "if (context.TryGetValue(Until, out var last)) { if (n >= (int)last) "
            + "System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error); } else { context.Add(Until, most); "
            + "} return Task.CompletedTask; });",
            "var p = Make(3); await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync())); "
            + "await D.EndAsync(async () => await p.ExecuteAsync(() => D.CallAsync()));")),
        ["old: a synchronous callback that gives up"] = ("io io ok", ShapeTests.Polly(
            "private static bool s_isTired;",
            "var p = Policy.Handle<IOException>().WaitAndRetry(5, _ => TimeSpan.FromMilliseconds(1), (error, wait) => { "
            + "if (s_isTired) throw error; s_isTired = true; D.Tell($\"after {wait.TotalMilliseconds}\"); }); "
            + "await D.EndAsync(() => new(p.Execute(() => D.Call())));")),
        ["a loop that walks through a schedule"] = ("ok", ShapeTests.Polly(
            "",
            "foreach (var wait in Backoff.ConstantBackoff(TimeSpan.FromMilliseconds(2), retryCount: 2)) "
            + "D.Tell($\"{wait.TotalMilliseconds}\"); "
            + "foreach (TimeSpan wait in Backoff.ExponentialBackoff(TimeSpan.FromMilliseconds(2), 4, factor: 3, "
            + "fastFirst: true)) D.Tell($\"{wait.TotalMilliseconds}\"); "
            + "var waits = Backoff.LinearBackoff(TimeSpan.FromMilliseconds(2), 3); foreach (var wait in waits) "
            + "D.Tell($\"{wait.TotalMilliseconds}\"); "
            + "D.Tell($\"{Backoff.DecorrelatedJitterBackoffV2(TimeSpan.FromMilliseconds(5), 7).Count()}\"); "
            + "await Task.Yield();")),
        ["a context"] = ("io io ok", ShapeTests.Polly(
            Key, $"var p = {Retry}; ResilienceContext context = ResilienceContextPool.Shared.Get(\"order\", "
            + $"CancellationToken.None); try {{ context.Properties.Set(Number, 7); D.Tell(await p.ExecuteAsync(async c => {{ "
            + $"D.Tell($\"{{c.OperationKey}} {{c.Properties.GetValue(Number, 0)}} {{c.Properties.TryGetValue(Number, "
            + $"out int n)}} {{n}}\"); c.Properties.Set(Number, n + 1); return await D.CallAsync(c.CancellationToken); }}, "
            + $"context)); }} finally {{ ResilienceContextPool.Shared.Return(context); }}")),
        ["a context that is handed on"] = ("io ok io ok", ShapeTests.Polly(
            Key + " private sealed class Request { public ResilienceContext? Context { get; set; "
            + "} } private static string Go(ResiliencePipeline through, Request request) "
            + "=> request.Context is null ? through.Execute(() => D.Call()) : through.Execute(_ => D.Call(), "
            + "request.Context);",
            $"var p = {Retry}; Request request = new(); D.Tell(Go(p, request)); "
            + $"request.Context = ResilienceContextPool.Shared.Get(CancellationToken.None); "
            + $"request.Context.Properties.Set(Number, 3); D.Tell(Go(p, request)); await Task.Yield();")),
        ["a context for one type of result"] = ("io ok", ShapeTests.Polly(
            "private static readonly ResiliencePipeline<string> Field = new ResiliencePipelineBuilder<string>().AddRetry(new RetryStrategyOptions<string> { "
            + "Delay = TimeSpan.Zero }).Build();",
            "var context = ResilienceContextPool.Shared.Get(); "
            + "D.Tell(await Field.ExecuteAsync(async c => await D.CallAsync(c.CancellationToken), context)); "
            + "ResilienceContextPool.Shared.Return(context);")),
        ["hedging"] = ("7 io 7 ok 7 7 7", ShapeTests.Polly(
            Key + " private static readonly ResiliencePipeline<string> Field = new ResiliencePipelineBuilder<string>().AddHedging(new Polly.Hedging.HedgingStrategyOptions<string> { "
            + "ShouldHandle = new PredicateBuilder<string>().HandleResult(r => r == \"7\").Handle<IOException>(), "
            + "MaxHedgedAttempts = 3, Delay = TimeSpan.FromMilliseconds(-1), OnHedging = args => { "
            + "D.Tell($\"hedge {args.AttemptNumber} of {args.ActionContext.Properties.GetValue(Number, -1)}\"); "
            + "args.ActionContext.Properties.Set(Number, args.AttemptNumber + 10); return default; } }).Build();",
            "ResilienceContext context = ResilienceContextPool.Shared.Get(); try { context.Properties.Set(Number, 5); "
            + "D.Tell(await Field.ExecuteAsync(async c => { D.Tell($\"{c.Properties.GetValue(Number, 0)}\"); "
            + "return await D.CallAsync(c.CancellationToken); }, context)); } finally { "
            + "ResilienceContextPool.Shared.Return(context); }")),
        ["hedging of what is slow"] = ("hang ok ok", ShapeTests.Polly(
            "",
            "var p = new ResiliencePipelineBuilder<string>().AddHedging(new Polly.Hedging.HedgingStrategyOptions<string> { "
            + "Delay = TimeSpan.FromMilliseconds(30) }).Build(); for (int i = 0; i < 2; i++) await D.EndAsync(() "
            + "=> p.ExecuteAsync(async ct => await D.CallAsync(ct)));")),
        ["options by a method"] = ("io http io bug http", ShapeTests.Polly(
            "private static RetryStrategyOptions Make(string name) { return new RetryStrategyOptions { "
            + "ShouldHandle = new PredicateBuilder().Handle<IOException>(), MaxRetryAttempts = 1, Delay = TimeSpan.Zero, "
            + "OnRetry = _ => { D.Tell(name); return default; } }; }",
            "var p = new ResiliencePipelineBuilder().AddRetry(Make(\"p\")).Build(); "
            + "var q = new ResiliencePipelineBuilder().AddRetry(Make(\"q\")).AddCircuitBreaker(new CircuitBreakerStrategyOptions { "
            + "ShouldHandle = new PredicateBuilder().Handle<HttpRequestException>(), MinimumThroughput = 50 }).Build(); "
            + "await D.EndAsync(() => p.ExecuteAsync(async ct => await D.CallAsync(ct))); for (int i = 0; i < 2; i++) "
            + "await D.EndAsync(() => q.ExecuteAsync(async ct => await D.CallAsync(ct)));")),
        ["options in a variable, with a predicate"] = ("io http", ShapeTests.Polly(
            "",
            "var options = new RetryStrategyOptions { ShouldHandle = new PredicateBuilder().Handle<IOException>(), "
            + "Delay = TimeSpan.Zero }; var p = new ResiliencePipelineBuilder().AddRetry(options).Build(); "
            + "await D.EndAsync(() => p.ExecuteAsync(async ct => await D.CallAsync(ct)));")),
        ["nothing, for one type of result"] = ("ok", ShapeTests.Polly(
            "private static readonly ResiliencePipeline<string> None = ResiliencePipeline<string>.Empty;",
            "D.Tell(await None.ExecuteAsync(async ct => await D.CallAsync(ct)));")),
    };

    private static readonly Batch All = new(Programs.Select(p => KeyValuePair.Create(p.Key, p.Value.Source)));

    public static TheoryData<string> Names() => [.. Programs.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public Task A_program_does_the_same_before_and_after(string name) => ShapeTests.CheckAsync(All, name, Programs[name].Script);
}
