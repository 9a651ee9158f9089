namespace Resilience.Analyzers.Tests;

public sealed class LifetimeTests
{
    [Theory]
    [InlineData("async Task<string> GetAsync() { var p = [|new ResiliencePipelineBuilder().AddRetry().Build()|]; return await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("async Task<string> GetAsync() => await [|new ResiliencePipelineBuilder().AddRetry().Build()|].ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));")]
    [InlineData("async Task<string> GetAsync() { ResiliencePipeline<string> p = [|new ResiliencePipelineBuilder<string>().AddRetry().Build()|]; return await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("async Task GetAsync() { var p = ([|new ResiliencePipelineBuilder().AddRetry().Build()|]); Console.WriteLine(p.Describe()); await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("ResiliencePipeline Mine => [|new ResiliencePipelineBuilder().AddRetry().Build()|];")]
    [InlineData("void Map(WebApplication app) => app.MapGet(\"/\", async () => { var p = [|new ResiliencePipelineBuilder().AddRetry().Build()|]; return await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); });")]
    [InlineData("async Task GetAsync() => await Pipeline.ExecuteAsync(async outer => { var p = [|new ResiliencePipelineBuilder().AddRetry().Build()|]; return await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct), outer); });")]
    [InlineData("async Task GetAsync() { foreach (string url in new[] { \"a\", \"b\" }) { var p = [|new ResiliencePipelineBuilder().AddRetry().Build()|]; await p.ExecuteAsync(ct => Http.GetStringAsync(url, ct)); } }")]
    [InlineData("async Task GetAsync() { var builder = new ResiliencePipelineBuilder(); builder.AddRetry(); var p = [|builder.Build()|]; await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("string Get() { var p = [|new ResiliencePipelineBuilder().AddRetry().Build()|]; return p.Execute(() => \"x\"); }")]
    [InlineData("ResiliencePipeline Mine { get { return [|new ResiliencePipelineBuilder().AddRetry().Build()|]; } }")]
    [InlineData("ResiliencePipeline Mine { get => [|new ResiliencePipelineBuilder().AddRetry().Build()|]; }")]
    [InlineData("ResiliencePipeline Mine { get { var p = [|new ResiliencePipelineBuilder().AddRetry().Build()|]; return p; } }")]
    [InlineData("ResiliencePipeline this[int i] => [|new ResiliencePipelineBuilder().AddRetry().Build()|];")]
    [InlineData("static ResiliencePipeline Make() => new ResiliencePipelineBuilder().AddRetry().Build(); async Task GetAsync() => await [|Make()|].ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));")]
    [InlineData("static ResiliencePipeline Make() { var b = new ResiliencePipelineBuilder(); b.AddRetry(); return b.Build(); } async Task GetAsync() { var p = [|Make()|]; await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("static ResiliencePipeline Make() { var p = new ResiliencePipelineBuilder().AddRetry().Build(); return p; } ResiliencePipeline Mine => [|Make()|];")]
    [InlineData("async Task GetAsync() { ResiliencePipeline Make() => new ResiliencePipelineBuilder().AddRetry().Build(); await [|Make()|].ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    public Task A_pipeline_that_is_built_for_each_call_is_reported(string members) => Analysis.CheckAsync("RES101", Analysis.InClass(members));

    [Theory]
    [InlineData("static readonly ResiliencePipeline Mine = new ResiliencePipelineBuilder().AddRetry().Build(); async Task GetAsync() => await Mine.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));")]
    [InlineData("ResiliencePipeline Mine { get; } = new ResiliencePipelineBuilder().AddRetry().Build();")]
    [InlineData("readonly Lazy<ResiliencePipeline> _mine = new(() => new ResiliencePipelineBuilder().AddRetry().Build());")]
    [InlineData("readonly ResiliencePipeline _mine; Shop() { _mine = new ResiliencePipelineBuilder().AddRetry().Build(); }")]
    [InlineData("ResiliencePipeline Make() => new ResiliencePipelineBuilder().AddRetry().Build();")]
    [InlineData("ResiliencePipeline Make() { var p = new ResiliencePipelineBuilder().AddRetry().Build(); Console.WriteLine(p.Describe()); return p; }")]
    [InlineData("async Task BatchAsync(string[] urls) { var p = new ResiliencePipelineBuilder().AddRetry().Build(); foreach (string url in urls) await p.ExecuteAsync(ct => Http.GetStringAsync(url, ct)); }")]
    [InlineData("async Task BatchAsync(string[] urls) { var p = new ResiliencePipelineBuilder().AddRetry().Build(); await Task.WhenAll(urls.Select(async url => await p.ExecuteAsync(ct => Http.GetStringAsync(url, ct)))); }")]
    [InlineData("async Task TwiceAsync() { var p = new ResiliencePipelineBuilder().AddRetry().Build(); await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); await p.ExecuteAsync(ct => Http.GetStringAsync(\"y\", ct)); }")]
    [InlineData("void Register(IServiceCollection services) => services.AddSingleton(_ => new ResiliencePipelineBuilder().AddRetry().Build());")]
    [InlineData("void Show() { var p = new ResiliencePipelineBuilder().AddRetry().Build(); Console.WriteLine(p.Describe()); }")]
    [InlineData("async Task KeptAsync(List<ResiliencePipeline> all) { var p = new ResiliencePipelineBuilder().AddRetry().Build(); all.Add(p); await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("async Task UpdatedAsync() { var p = new ResiliencePipelineBuilder().AddRetry().Build(); p.Update(new ResiliencePipelineBuilder()); await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("ResiliencePipeline? _mine; ResiliencePipeline Mine { get { return _mine ??= new ResiliencePipelineBuilder().AddRetry().Build(); } }")]
    [InlineData("ResiliencePipeline? _mine; ResiliencePipeline Mine { get { if (_mine is null) { var p = new ResiliencePipelineBuilder().AddRetry().Build(); _mine = p; } return _mine; } }")]
    [InlineData("ResiliencePipeline? _mine; ResiliencePipeline Get() { if (_mine is { } p) return p; _mine = new ResiliencePipelineBuilder().AddRetry().Build(); return _mine; } async Task GetAsync() => await Get().ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));")]
    [InlineData("ResiliencePipeline? _mine; ResiliencePipeline Get() { var p = new ResiliencePipelineBuilder().AddRetry().Build(); _mine = p; return p; } async Task GetAsync() => await Get().ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));")]
    [InlineData("static ResiliencePipeline Make() => new ResiliencePipelineBuilder().AddRetry().Build(); static readonly ResiliencePipeline Mine = Make();")]
    public Task A_pipeline_that_may_live_longer_is_not(string members) => Analysis.CheckAsync("RES101", Analysis.InClass(members));

    private static string PerUser(string register, string members = "private readonly ResiliencePipeline _mine = [|new ResiliencePipelineBuilder().AddRetry().Build()|];", string header = "Prices(string address)") => $$"""
        public interface IPrices;
        public sealed class {{header}} { public override string ToString() => address; {{members}} }
        static class Program { static void Register(IServiceCollection services) { {{register}} } }
        """;

    [Theory]
    [InlineData("services.AddScoped<Prices>();")]
    [InlineData("services.AddTransient<IPrices, Prices>();")]
    [InlineData("services.AddTransient(typeof(Prices));")]
    [InlineData("services.AddScoped<object>(_ => new Prices(\"x\"));")]
    [InlineData("services.AddKeyedTransient<Prices>(\"x\");")]
    [InlineData("services.TryAddScoped<Prices>();")]
    [InlineData("services.Add(ServiceDescriptor.Scoped<Prices, Prices>());")]
    [InlineData("services.AddHttpClient<Prices>();")]
    public Task A_pipeline_of_each_user_is_reported(string register) => Analysis.CheckAsync("RES101", PerUser(register, header: "Prices(string address) : IPrices"));

    [Theory]
    [InlineData("readonly ResiliencePipeline _mine; public Prices() : this(\"\") { _mine = [|new ResiliencePipelineBuilder().AddRetry().Build()|]; }")]
    [InlineData("ResiliencePipeline Mine { get; } = [|new ResiliencePipelineBuilder().AddRetry().Build()|];")]
    [InlineData("readonly ResiliencePipeline _mine = [|Make()|]; static ResiliencePipeline Make() => new ResiliencePipelineBuilder().AddRetry().Build();")]
    public Task However_it_is_set(string members) => Analysis.CheckAsync("RES101", PerUser("services.AddScoped<Prices>();", members));

    [Theory]
    [InlineData("services.AddScoped<Prices>();", "readonly CircuitBreaker _mine = [|new(new CircuitBreakerOptions())|];")]
    [InlineData("services.AddTransient<Prices>();", "readonly RetryBudget _mine = [|new()|];")]
    public Task A_breaker_of_each_user_is_reported(string register, string members) => Analysis.CheckAsync("RES102", PerUser(register, members));

    [Theory]
    [InlineData("Controller", "ControllerBase")]
    [InlineData("Live", "Microsoft.AspNetCore.SignalR.Hub")]
    [InlineData("Page", "Microsoft.AspNetCore.Mvc.RazorPages.PageModel")]
    public Task A_pipeline_of_each_request_is_reported(string name, string of) => Analysis.CheckAsync(
        "RES101", $"public sealed class {name} : {of} {{ readonly ResiliencePipeline _mine = [|new ResiliencePipelineBuilder().AddRetry().Build()|]; }}");

    [Theory]
    [InlineData("services.AddSingleton<Prices>();", "readonly ResiliencePipeline _mine = new ResiliencePipelineBuilder().AddRetry().Build();")]
    [InlineData("services.AddScoped<Prices>(); services.AddSingleton<Prices>();", "readonly ResiliencePipeline _mine = new ResiliencePipelineBuilder().AddRetry().Build();")]
    [InlineData("services.AddScoped<Prices>();", "static readonly ResiliencePipeline Mine = new ResiliencePipelineBuilder().AddRetry().Build();")]
    [InlineData("services.AddScoped<List<Prices>>();", "readonly ResiliencePipeline _mine = new ResiliencePipelineBuilder().AddRetry().Build();")]
    [InlineData("services.AddScoped<Prices>();", "readonly ResiliencePipeline _mine; public Prices(ResiliencePipeline mine) : this(\"\") { _mine = mine; }")]
    public Task A_pipeline_of_one_object_or_of_the_class_is_not(string register, string members) => Analysis.CheckAsync("RES101", PerUser(register, members));

    [Fact]
    public Task A_program_may_build_its_pipeline_where_it_starts() => Analysis.CheckAsync(
        "RES101",
        """
        HttpClient http = new();
        ResiliencePipeline p = new ResiliencePipelineBuilder().AddRetry().Build();
        Console.WriteLine(await p.ExecuteAsync(ct => http.GetStringAsync("x", ct)));
        await TellAsync();

        async Task TellAsync()
        {
            ResiliencePipeline q = new ResiliencePipelineBuilder().AddRetry().Build();
            await q.ExecuteAsync(ct => http.GetStringAsync("x", ct));
        }
        """,
        isProgram: true);

    [Fact]
    public Task But_not_in_a_loop_and_not_in_a_handler() => Analysis.CheckAsync(
        "RES101",
        """
        HttpClient http = new();
        WebApplication app = WebApplication.Create();
        app.MapGet("/", async () => await [|new ResiliencePipelineBuilder().AddRetry().Build()|].ExecuteAsync(ct => http.GetStringAsync("x", ct)));
        while (true)
        {
            ResiliencePipeline p = [|new ResiliencePipelineBuilder().AddRetry().Build()|];
            await p.ExecuteAsync(ct => http.GetStringAsync("x", ct));
        }
        """,
        isProgram: true);

    [Theory]
    [InlineData("xunit.core")]
    [InlineData("nunit.framework")]
    [InlineData("BenchmarkDotNet")]
    public Task A_test_wants_a_fresh_pipeline(string framework) => Analysis.CheckAsync(
        "RES101",
        Analysis.InClass("async Task GetAsync() { var p = new ResiliencePipelineBuilder().AddRetry().Build(); await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }"),
        moreReferences: framework);

    [Theory]
    [InlineData("bool Ask() { var breaker = [|new CircuitBreaker(new CircuitBreakerOptions())|]; if (breaker.TryEnter(out CircuitPermit permit) != CircuitAdmission.Admitted) return false; breaker.Exit(permit, Verdict.Success); return true; }")]
    [InlineData("bool Ask() { RetryBudget budget = [|new()|]; budget.RecordCall(); return budget.TryWithdraw(); }")]
    [InlineData("bool Ask() => [|new RetryBudget()|].TryWithdraw();")]
    [InlineData("async Task AskAsync() { var limit = [|new ConcurrencyLimit(new ConcurrencyLimitOptions())|]; if (await limit.EnterAsync() is null) limit.Release(); }")]
    [InlineData("RetryBudget Budget => [|new()|];")]
    public Task State_that_is_made_for_each_call_is_reported(string members) => Analysis.CheckAsync("RES102", Analysis.InClass(members));

    [Theory]
    [InlineData("static readonly CircuitBreaker Breaker = new(new CircuitBreakerOptions()); bool Ask() => Breaker.TryEnter(out _) == CircuitAdmission.Admitted;")]
    [InlineData("void Fill(RetryBudget[] all) { var budget = new RetryBudget(); all[0] = budget; budget.TryWithdraw(); }")]
    [InlineData("int Drain() { var budget = new RetryBudget(); int n = 0; while (budget.TryWithdraw()) n++; return n; }")]
    [InlineData("ResiliencePipeline Make() { var breaker = new CircuitBreaker(new CircuitBreakerOptions()); return new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build(); }")]
    [InlineData("static readonly ResiliencePipeline Mine = new ResiliencePipelineBuilder().AddRetry(new RetryOptions { Budget = new RetryBudget() }).Build();")]
    [InlineData("bool Ask() { var budget = new RetryBudget(); for (int i = 0; i < 9; i++) budget.RecordCall(); return budget.TryWithdraw(); }")]
    [InlineData("void Run(Action<Func<bool>> run) => run(() => { var budget = new RetryBudget(); budget.RecordCall(); budget.RecordCall(); return budget.TryWithdraw(); });")]
    [InlineData("void Run(Action<Func<bool>> run) => run(() => { var b = new CircuitBreaker(new CircuitBreakerOptions()); b.TryEnter(out CircuitPermit p); b.Exit(p, Verdict.Failure); return b.TryEnter(out p) == CircuitAdmission.Admitted; });")]
    [InlineData("void Run(Action<Func<bool>> run) => run(() => { var b = new CircuitBreaker(new CircuitBreakerOptions()); return Enumerable.Range(0, 9).All(_ => b.TryEnter(out CircuitPermit _) == CircuitAdmission.Admitted); });")]
    public Task State_that_is_shared_is_not(string members) => Analysis.CheckAsync("RES102", Analysis.InClass(members));

    [Theory]
    [InlineData("services.[|AddTransient|](_ => new ResiliencePipelineBuilder().AddCircuitBreaker().Build());")]
    [InlineData("services.[|AddScoped|](_ => { var builder = new ResiliencePipelineBuilder<string>(); builder.AddCircuitBreaker(); return builder.Build(); });")]
    [InlineData("services.[|AddKeyedScoped|](\"a\", (_, _) => new ResiliencePipelineBuilder().AddCircuitBreaker().Build());")]
    [InlineData("services.[|TryAddScoped|](_ => new CircuitBreaker(new CircuitBreakerOptions()));")]
    [InlineData("services.[|AddTransient|]<RetryBudget>();")]
    [InlineData("services.[|AddTransient|](typeof(RetryBudget));")]
    public Task What_is_registered_for_each_user_is_reported(string statement) =>
        Analysis.CheckAsync("RES103", Analysis.InClass($"void Register(IServiceCollection services) {{ {statement} }}"));

    [Theory]
    [InlineData("services.AddSingleton(_ => new ResiliencePipelineBuilder().AddCircuitBreaker().Build());")]
    [InlineData("services.AddSingleton(new CircuitBreaker(new CircuitBreakerOptions()));")]
    [InlineData("services.AddTransient(_ => Pipeline);")]
    [InlineData("services.AddScoped(provider => provider.GetRequiredKeyedService<ResiliencePipeline>(\"a\"));")]
    [InlineData("services.AddTransient<List<ResiliencePipeline>>();")]
    [InlineData("services.AddResilience().AddPipeline(\"a\", builder => builder.AddCircuitBreaker());")]
    public Task What_is_registered_once_is_not(string statement) =>
        Analysis.CheckAsync("RES103", Analysis.InClass($"void Register(IServiceCollection services) {{ {statement} }}"));
}
