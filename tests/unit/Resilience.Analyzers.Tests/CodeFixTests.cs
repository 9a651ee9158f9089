using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Resilience.CodeFixes;

namespace Resilience.Analyzers.Tests;

/// <summary>Each repair compiles, leaves no report, and does all places of three documents as it does one.</summary>
public sealed class CodeFixTests
{
    private static readonly CodeFixProvider[] Fixes =
    [
        new ShareFix(), new SingletonFix(), new TimeoutFix(), new TokenFix(), new AwaitFix(), new ThrowFix(), new CatchFix(), new KeyFix(),
    ];

    private const string Made = "new ResiliencePipelineBuilder().AddRetry().Build()";

    private const string Connection = "private System.Data.Common.DbConnection _connection = null!; ";

    private const string Again =
        "static readonly ResiliencePipeline Again = new ResiliencePipelineBuilder().Classify(r => r.Http()).AddRetry().Build(); static readonly "
            + "HttpContent Body = new StringContent(\"\"); ";

    private const string Call = "ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))";

    public static TheoryData<string, string, string> Cases() => new()
    {
        { "RES101", $"async Task GetAsync() {{ var again = {Made}; await again.{Call}; }}", $"private static readonly ResiliencePipeline Again = {Made}; async Task GetAsync() {{ await Again.{Call}; }}" },
        { "RES101", $"async Task GetAsync() => await {Made}.{Call}; ", $"private static readonly ResiliencePipeline Pipeline2 = {Made}; async Task GetAsync() => await Pipeline2.{Call};" },
        { "RES101", $"ResiliencePipeline Mine => {Made};", $"ResiliencePipeline Mine {{ get; }} = {Made};" },
        { "RES101", $"ResiliencePipeline Mine {{ get {{ return {Made}; }} }}", $"ResiliencePipeline Mine {{ get; }} = {Made};" },
        { "RES101", $"ResiliencePipeline Mine {{ get => {Made}; }}", $"ResiliencePipeline Mine {{ get; }} = {Made};" },
        { "RES101", $"static ResiliencePipeline Make() => {Made}; async Task GetAsync() => await Make().{Call};", $"private static readonly ResiliencePipeline Pipeline2 = Make(); static ResiliencePipeline Make() => {Made}; async Task GetAsync() => await Pipeline2.{Call};" },
        { "RES101", $"async Task AAsync() {{ var p = {Made}; await p.{Call}; }} async Task BAsync() {{ var p = {Made}; await p.{Call}; }}", $"private static readonly ResiliencePipeline P2 = {Made}; private static readonly ResiliencePipeline P = {Made}; async Task AAsync() {{ await P.{Call}; }} async Task BAsync() {{ await P2.{Call}; }}" },
        { "RES102", "bool Ask() { RetryBudget budget = new(); budget.RecordCall(); return budget.TryWithdraw(); }", "private static readonly RetryBudget Budget = new(); bool Ask() { Budget.RecordCall(); return Budget.TryWithdraw(); }" },
        { "RES102", "bool Ask() => new RetryBudget().TryWithdraw();", "private static readonly RetryBudget Budget = new RetryBudget(); bool Ask() => Budget.TryWithdraw();" },
        { "RES102", "RetryBudget Mine => new();", "RetryBudget Mine { get; } = new();" },
        { "RES103", $"void Register(IServiceCollection services) {{ services.AddTransient(_ => {Made}); }}", $"void Register(IServiceCollection services) {{ services.AddSingleton(_ => {Made}); }}" },
        { "RES103", "void Register(IServiceCollection services) { services.TryAddScoped<RetryBudget>(); }", "void Register(IServiceCollection services) { services.TryAddSingleton<RetryBudget>(); }" },
        { "RES103", $"void Register(IServiceCollection services) {{ services.AddKeyedScoped(\"a\", (_, _) => {Made}); }}", $"void Register(IServiceCollection services) {{ services.AddKeyedSingleton(\"a\", (_, _) => {Made}); }}" },
        { "RES104", "void Register(IServiceCollection services) { services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(10)).AddStandardResilience(); }", "void Register(IServiceCollection services) { services.AddHttpClient(\"a\").AddStandardResilience(options => options.TotalTimeout = TimeSpan.FromSeconds(10)); }" },
        { "RES104", "void Register(IServiceCollection services) { services.AddHttpClient(\"a\", c => { c.MaxResponseContentBufferSize = 1; c.Timeout = TimeSpan.FromSeconds(10); }).AddStandardResilience(); }", "void Register(IServiceCollection services) { services.AddHttpClient(\"a\", c => { c.MaxResponseContentBufferSize = 1; }).AddStandardResilience(options => options.TotalTimeout = TimeSpan.FromSeconds(10)); }" },
        { "RES104", "void Register(IServiceCollection services) { services.AddHttpClient(\"a\").ConfigureHttpClient(c => c.Timeout = TimeSpan.FromSeconds(5)).AddStandardResilience(o => o.TotalTimeout = TimeSpan.FromMinutes(1)); }", "void Register(IServiceCollection services) { services.AddHttpClient(\"a\").AddStandardResilience(o => o.TotalTimeout = TimeSpan.FromSeconds(5)); }" },
        { "RES104", "void Register(IServiceCollection services) { services.AddHttpClient(\"a\").AddStandardResilience().ConfigureHttpClient(c => c.Timeout = TimeSpan.FromSeconds(5)); }", "void Register(IServiceCollection services) { services.AddHttpClient(\"a\").AddStandardResilience(options => options.TotalTimeout = TimeSpan.FromSeconds(5)); }" },
        { "RES104", "void Register(IServiceCollection services) { services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(2)).AddResilience(b => b.AddTimeout(TimeSpan.FromSeconds(3)).AddRetry()); }", "void Register(IServiceCollection services) { services.AddHttpClient(\"a\").AddResilience(b => b.AddTimeout(TimeSpan.FromSeconds(2)).AddRetry()); }" },
        { "RES105", Again + "async Task PayAsync() { await Again.ExecuteAsync(ct => Http.PostAsync(\"x\", Body, ct)); }", Again + "async Task PayAsync() { "
            + "string idempotencyKey = Guid.NewGuid().ToString(); await Again.ExecuteAsync(ct => Http.SendAsync(new HttpRequestMessage(HttpMethod.Post, "
            + "\"x\") { Content = Body, Headers = { { \"Idempotency-Key\", idempotencyKey } } }, ct)); }" },
        { "RES105", Again + "async Task<HttpResponseMessage> PayAsync() => await Again.ExecuteAsync(ct => Http.PatchAsync(\"x\", Body, ct));", Again +
            "async Task<HttpResponseMessage> PayAsync() { string idempotencyKey = Guid.NewGuid().ToString(); return await Again.ExecuteAsync(ct => "
            + "Http.SendAsync(new HttpRequestMessage(HttpMethod.Patch, \"x\") { Content = Body, Headers = { { \"Idempotency-Key\", idempotencyKey } } }, "
            + "ct)); }" },
        { "RES105", Again + "async Task PayAsync() => await Again.ExecuteAsync(async ct => { using var reply = await Http.PostAsJsonAsync(\"x\", 1, ct); "
            + "reply.EnsureSuccessStatusCode(); });", Again + "async Task PayAsync() { string idempotencyKey = Guid.NewGuid().ToString(); await "
            + "Again.ExecuteAsync(async ct => { using var reply = await Http.SendAsync(new HttpRequestMessage(HttpMethod.Post, \"x\") { Content = "
            + "JsonContent.Create(1), Headers = { { \"Idempotency-Key\", idempotencyKey } } }, ct); reply.EnsureSuccessStatusCode(); }); }" },
        { "RES105", Again + "async Task PayAsync() { if (Body != null) { await Again.ExecuteAsync(ct => Http.SendAsync(new "
            + "HttpRequestMessage(HttpMethod.Post, \"x\") { Content = Body }, ct)); } }", Again + "async Task PayAsync() { if (Body != null) { string "
            + "idempotencyKey = Guid.NewGuid().ToString(); await Again.ExecuteAsync(ct => Http.SendAsync(new HttpRequestMessage(HttpMethod.Post, \"x\") { "
            + "Content = Body, Headers = { { \"Idempotency-Key\", idempotencyKey } } }, ct)); } }" },
        { "RES105", Again + "async Task PayAsync() { await Again.ExecuteAsync(async ct => { await Http.PostAsync(\"x\", null, ct); await "
            + "Http.SendAsync(new(HttpMethod.Post, \"y\"), ct); }); }", Again + "async Task PayAsync() { string idempotencyKey = "
            + "Guid.NewGuid().ToString(); string idempotencyKey2 = Guid.NewGuid().ToString(); await Again.ExecuteAsync(async ct => { await "
            + "Http.SendAsync(new HttpRequestMessage(HttpMethod.Post, \"x\") { Content = null, Headers = { { \"Idempotency-Key\", idempotencyKey } } }, "
            + "ct); await Http.SendAsync(new(HttpMethod.Post, \"y\") { Headers = { { \"Idempotency-Key\", idempotencyKey2 } } }, ct); }); }" },
        { "RES105", Again + "async Task PayAsync() => await Again.ExecuteAsync(async ct => { await Http.PostAsync(\"x\", Body, ct); await "
            + "Http.PostAsync(\"y\", Body, ct); });", Again + "async Task PayAsync() { string idempotencyKey2 = Guid.NewGuid().ToString(); string "
            + "idempotencyKey = Guid.NewGuid().ToString(); await Again.ExecuteAsync(async ct => { await Http.SendAsync(new "
            + "HttpRequestMessage(HttpMethod.Post, \"x\") { Content = Body, Headers = { { \"Idempotency-Key\", idempotencyKey } } }, ct); await "
            + "Http.SendAsync(new HttpRequestMessage(HttpMethod.Post, \"y\") { Content = Body, Headers = { { \"Idempotency-Key\", idempotencyKey2 } } }, "
            + "ct); }); }" },
        { "RES106", "async Task GetAsync() => await Pipeline.ExecuteAsync(_ => Http.GetStringAsync(\"x\"));", "async Task GetAsync() => await Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));" },
        { "RES106", "async Task GetAsync(CancellationToken ct) => await Pipeline.ExecuteAsync(_ => Http.GetStringAsync(\"x\", ct), ct);", "async Task GetAsync(CancellationToken ct) => await Pipeline.ExecuteAsync(token => Http.GetStringAsync(\"x\", token), ct);" },
        { "RES106", "async Task GetAsync() => await Pipeline.ExecuteAsync(async ct => { await Task.Delay(1); await Http.GetStringAsync(\"x\", CancellationToken.None); });", "async Task GetAsync() => await Pipeline.ExecuteAsync(async ct => { await Task.Delay(1, ct); await Http.GetStringAsync(\"x\", ct); });" },
        { "RES106", "static Task<int> OfAsync(int a, int b = 1, CancellationToken token = default) => Task.FromResult(a); async Task GetAsync() => await Pipeline.ExecuteAsync(_ => OfAsync(1));", "static Task<int> OfAsync(int a, int b = 1, CancellationToken token = default) => Task.FromResult(a); async Task GetAsync() => await Pipeline.ExecuteAsync(ct => OfAsync(1, token: ct));" },
        { "RES106", "async Task GetAsync() => await Pipeline.ExecuteAsync(new CallOptions(\"a\"), async (context, s) => await Http.GetStringAsync(s), \"x\");", "async Task GetAsync() => await Pipeline.ExecuteAsync(new CallOptions(\"a\"), async (context, s) => await Http.GetStringAsync(s, context.CancellationToken), \"x\");" },
        { "RES107", $"async Task<string> GetAsync() {{ await Task.Yield(); return Typed.{Call}.AsTask().Result; }}", $"async Task<string> GetAsync() {{ await Task.Yield(); return await Typed.{Call}; }}" },
        { "RES107", $"async Task<int> GetAsync() {{ await Task.Yield(); return Typed.{Call}.GetAwaiter().GetResult().Length; }}", $"async Task<int> GetAsync() {{ await Task.Yield(); return (await Typed.{Call}).Length; }}" },
        { "RES107", $"async Task<string> GetAsync() {{ await Task.Yield(); var t = Typed.{Call}; return t.Result; }}", $"async Task<string> GetAsync() {{ await Task.Yield(); var t = Typed.{Call}; return await t; }}" },
        { "RES107", $"async Task GetAsync() {{ await Task.Yield(); Task.WaitAll(Typed.{Call}.AsTask()); }}", $"async Task GetAsync() {{ await Task.Yield(); await Task.WhenAll(Typed.{Call}.AsTask()); }}" },
        { "RES107", $"async Task GetAsync() {{ await Task.Yield(); Typed.{Call}.AsTask().Wait(); }}", $"async Task GetAsync() {{ await Task.Yield(); await Typed.{Call}; }}" },
        { "RES107", "string Get() => Typed.ExecuteAsync(ct => File.ReadAllTextAsync(\"x\", ct)).AsTask().Result;", "string Get() => Typed.Execute(ct => "
            + "File.ReadAllText(\"x\"));" },
        { "RES107", "int Get() { lock (Http) { return Typed.ExecuteAsync(async ct => (await File.ReadAllTextAsync(\"x\", ct)).Trim() + await "
            + "File.ReadAllTextAsync(\"y\", ct).ConfigureAwait(false)).GetAwaiter().GetResult().Length; } }", "int Get() { lock (Http) { return "
            + "Typed.Execute(ct => (File.ReadAllText(\"x\")).Trim() + File.ReadAllText(\"y\")).Length; } }" },
        { "RES107", Connection + "void Open(CancellationToken stop) { Pipeline.ExecuteAsync(async ct => { await _connection.OpenAsync(ct); "
            + "Console.WriteLine(); }, stop).AsTask().Wait(); }", Connection + "void Open(CancellationToken stop) { Pipeline.Execute(ct => { "
            + "_connection.Open(); Console.WriteLine(); }, stop); }" },
        { "RES107", Connection + "int Count(System.Data.Common.DbCommand command) => Pipeline.ExecuteAsync(static (c, ct) => c.ExecuteNonQueryAsync(ct), "
            + "command).AsTask().Result;", Connection + "int Count(System.Data.Common.DbCommand command) => Pipeline.Execute(static (c, ct) => "
            + "c.ExecuteNonQuery(), command);" },
        { "RES107", "int Count => Pipeline.ExecuteAsync(ct => Task.FromResult(1)).AsTask().Result;", "int Count => Pipeline.Execute(ct => 1);" },
        { "RES107", "HttpResponseMessage Ask() => Pipeline.TryExecuteAsync(ct => Http.SendAsync(new HttpRequestMessage(), "
            + "ct)).AsTask().Result.GetValueOrThrow();", "HttpResponseMessage Ask() => Pipeline.TryExecute(ct => Http.Send(new HttpRequestMessage(), "
            + "ct)).GetValueOrThrow();" },
        { "RES108", $"async Task GetAsync() {{ await Task.Yield(); Typed.{Call}; }}", $"async Task GetAsync() {{ await Task.Yield(); await Typed.{Call}; }}" },
        { "RES108", $"async Task GetAsync() {{ await Task.Yield(); _ = Typed.{Call}; }}", $"async Task GetAsync() {{ await Task.Yield(); await Typed.{Call}; }}" },
        { "RES108", $"async Task GetAsync() {{ await Task.Yield(); _ = Typed.Try{Call}; }}", $"async Task GetAsync() {{ await Task.Yield(); _ = await Typed.Try{Call}; }}" },
        { "RES109", $"async Task GetAsync() {{ await Typed.Try{Call}; }}", $"async Task GetAsync() {{ await Typed.{Call}; }}" },
        { "RES109", "void Get() { Typed.TryExecute(ct => \"x\"); }", "void Get() { Typed.Execute(ct => \"x\"); }" },
        { "RES110", "async Task GetAsync() => await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (Exception) { return \"\"; } });", "async Task GetAsync() => await Pipeline.ExecuteAsync(async ct => { return await Http.GetStringAsync(\"x\", ct); });" },
        { "RES110", "async Task GetAsync() => await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (IOException) { throw; } catch (TimeoutException) { return \"\"; } });", "async Task GetAsync() => await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (IOException) { throw; } });" },
        { "RES110", "async Task GetAsync() => await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (IOException) { return \"a\"; } catch (TimeoutException) { return \"b\"; } finally { Console.WriteLine(); } });", "async Task GetAsync() => await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } finally { Console.WriteLine(); } });" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task All_places_of_three_documents_are_repaired(string id, string before, string after)
    {
        CodeFixProvider fix = Fixes.Single(f => f.FixableDiagnosticIds.Contains(id));
        string[] documents = [.. Enumerable.Range(0, 3).Select(i => Analysis.InClass(before).Replace("class Shop", "class Shop" + i, StringComparison.Ordinal))];
        Compilation compilation = Analysis.Compile(documents.Select((d, i) => Analysis.Parse(d, $"Shop{i}.cs")), isProgram: false);
        Analysis.HasErrors(compilation, out string error).Should().BeFalse("the snippet must compile: {0}", error);
        Solution solution = Repair.SolutionOf(compilation);
        IReadOnlyList<Diagnostic> found = await Repair.FoundAsync(solution, id);
        found.Should().HaveCountGreaterThanOrEqualTo(3);

        Solution? one = await Repair.OneAsync(solution, found[0], fix);
        one.Should().NotBeNull("a repair is offered");
        (await Repair.FoundAsync(one!, id)).Count.Should().BeLessThan(found.Count);
        Solution all = await Repair.AllAsync(solution, id, fix, found);
        Compilation repaired = (await all.Projects.Single().GetCompilationAsync())!;
        foreach (SyntaxTree tree in repaired.SyntaxTrees.Where(t => t.FilePath != "Usings.cs"))
        {
            string expected = Analysis.InClass(after).Replace("class Shop", "class " + Path.GetFileNameWithoutExtension(tree.FilePath), StringComparison.Ordinal);
            Normal(tree.ToString()).Should().Be(Normal(expected));
        }

        Analysis.HasErrors(repaired, out string broken).Should().BeFalse("the repaired code must compile: {0}", broken);
        (await Repair.FoundAsync(all, id)).Should().BeEmpty();
    }

    private static string Normal(string code) => CSharpSyntaxTree.ParseText(code).GetRoot().NormalizeWhitespace().ToFullString();

    /// <summary>Where what is right depends on something that cannot be seen, nothing is offered.</summary>
    [Theory]
    [InlineData("RES101", "async Task GetAsync(int n) { var p = new ResiliencePipelineBuilder().AddRetry(o => o.MaxRetries = n).Build(); await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("RES101", "readonly int _n; async Task GetAsync() => await new ResiliencePipelineBuilder().AddRetry(o => o.MaxRetries = _n).Build().ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));")]
    [InlineData("RES101", "async Task GetAsync() { var b = new ResiliencePipelineBuilder(); b.AddRetry(); var p = b.Build(); await p.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("RES101", "async Task GetAsync<T>() => await new ResiliencePipelineBuilder<T>().AddRetry().Build().ExecuteAsync(ct => new ValueTask<T>(default(T)!));")]
    [InlineData("RES103", "void Register(IServiceCollection services) { services.AddScoped(p => { Console.WriteLine(p); return new ResiliencePipelineBuilder().AddRetry().Build(); }); }")]
    [InlineData("RES104", "void Register(IServiceCollection services) { services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(10)).AddStandardResilience(o => o.Retry = null); }")]
    [InlineData("RES105", Again + "async Task PayAsync() { for (; (await Again.ExecuteAsync(ct => Http.PostAsync(\"x\", Body, ct))) == null;) { } }")]
    [InlineData("RES105", Again + "async Task PayAsync() { if (Body == null) await Again.ExecuteAsync(ct => Http.PostAsync(\"x\", Body, ct)); }")]
    [InlineData("RES105", Again + "async Task PayAsync() { Http.DefaultRequestVersion = new(2, 0); await Again.ExecuteAsync(ct => Http.PostAsync(\"x\", "
        + "Body, ct)); }")]
    [InlineData("RES105", Again + "async Task PayAsync() { await Again.ExecuteAsync(ct => Http.SendAsync(new(HttpMethod.Post, \"x\") { Headers = { { "
        + "\"a\", \"b\" } } }, ct)); }")]
    [InlineData("RES105", Again + "Task Paid = Again.ExecuteAsync(ct => Http.PostAsync(\"x\", Body, ct)).AsTask();")]
    [InlineData("RES106", "async Task<int> DeafAsync(CancellationToken ct) { await Task.Delay(1); return 1; } async Task GetAsync() => await Pipeline.ExecuteAsync(DeafAsync);")]
    [InlineData("RES107", "string Get() => Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask().Result;")]
    [InlineData("RES107", "string Get() { try { return Typed.ExecuteAsync(ct => File.ReadAllTextAsync(\"x\", ct)).AsTask().Result; } catch "
        + "(AggregateException e) { return e.Message; } }")]
    [InlineData("RES107", "Task<string> GetAsync() => Task.FromResult(Typed.ExecuteAsync(ct => File.ReadAllTextAsync(\"x\", ct)).AsTask().Result);")]
    [InlineData("RES107", "string Get() => Typed.ExecuteAsync(async ct => { await Task.Delay(1, ct); return await File.ReadAllTextAsync(\"x\", ct); "
        + "}).AsTask().Result;")]
    [InlineData("RES107", "string Get() => Typed.ExecuteAsync(async ct => { var t = File.ReadAllTextAsync(\"x\", ct); return await t; }).AsTask().Result;")]
    [InlineData("RES107", "string Get() => Typed.ExecuteAsync(async ct => { await foreach (string line in File.ReadLinesAsync(\"x\", ct)) { return line; } "
        + "return await File.ReadAllTextAsync(\"x\", ct); }).AsTask().Result;")]
    [InlineData("RES107", "string Get() { var t = Typed.ExecuteAsync(ct => File.ReadAllTextAsync(\"x\", ct)).AsTask(); return t.Result; }")]
    [InlineData("RES107", "async Task GetAsync() { await Task.Yield(); lock (Http) { Console.WriteLine(Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask().Result); } }")]
    [InlineData("RES107", "async Task GetAsync() { await Task.Yield(); Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask().Wait(1000); }")]
    [InlineData("RES108", "void Get() { Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    public async Task Nothing_is_offered_where_it_may_be_wrong(string id, string members)
    {
        Compilation compilation = Analysis.Compile([Analysis.Parse(Analysis.InClass(members))], isProgram: false);
        Analysis.HasErrors(compilation, out string error).Should().BeFalse("the snippet must compile: {0}", error);
        Solution solution = Repair.SolutionOf(compilation);
        IReadOnlyList<Diagnostic> found = await Repair.FoundAsync(solution, id);
        found.Should().NotBeEmpty();
        foreach (CodeFixProvider fix in Fixes.Where(f => f.FixableDiagnosticIds.Contains(id)))
            (await Repair.OneAsync(solution, found[0], fix)).Should().BeNull();
    }

    /// <summary>A member of an object that lives for one request becomes one of its class.</summary>
    [Fact]
    public async Task A_pipeline_of_each_user_becomes_one_of_all()
    {
        const string Before = "public sealed class Prices { private readonly ResiliencePipeline _mine = new ResiliencePipelineBuilder().AddRetry().Build(); public override string ToString() => _mine.ToString()!; }\n"
            + "static class Program { static void Register(IServiceCollection services) => services.AddScoped<Prices>(); }";
        Solution solution = Repair.SolutionOf(Analysis.Compile([Analysis.Parse(Before)], isProgram: false));
        Solution all = await Repair.AllAsync(solution, "RES101", new ShareFix(), await Repair.FoundAsync(solution, "RES101"));
        (await Repair.FoundAsync(all, "RES101")).Should().BeEmpty();
        Compilation repaired = (await all.Projects.Single().GetCompilationAsync())!;
        Analysis.HasErrors(repaired, out string error).Should().BeFalse(error);
        Normal(repaired.SyntaxTrees.Last().ToString()).Should().Be(Normal(Before.Replace("private readonly", "private static readonly", StringComparison.Ordinal)));
    }

    [Fact]
    public void Every_rule_from_101_to_110_has_a_repair() =>
        Analysis.Ids.Where(i => string.CompareOrdinal(i, "RES110") <= 0).Except(Fixes.SelectMany(f => f.FixableDiagnosticIds)).Should().BeEmpty();

    [Fact]
    public void Every_repair_is_found_by_an_editor() => typeof(Fix).Assembly.GetExportedTypes().Where(t => !t.IsAbstract)
        .Should().OnlyContain(t => t.GetCustomAttributes(typeof(ExportCodeFixProviderAttribute), false).Length == 1).And.HaveCount(Fixes.Length);
}
