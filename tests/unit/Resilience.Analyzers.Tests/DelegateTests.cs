using Microsoft.CodeAnalysis;

namespace Resilience.Analyzers.Tests;

public sealed class DelegateTests
{
    private const string Frame = "async Task GetAsync(CancellationToken cancellationToken) { BODY }\n"
        + "static Task<int> WithAsync(int x, CancellationToken token = default) => Task.FromResult(x);\n"
        + "static Task<int> OverloadedAsync(int x) => Task.FromResult(x); static Task<int> OverloadedAsync(int x, CancellationToken token) => Task.FromResult(x);\n"
        + "static Task<int> WithoutAsync(int x) => Task.FromResult(x); readonly CancellationTokenSource _stop = new(); readonly CancellationToken _field;\n"
        + "static Task<T> GenericAsync<T>(List<T> x) => Task.FromResult(x[0]); static Task<T> GenericAsync<T>(List<T> x, CancellationToken token) => Task.FromResult(x[0]);\n"
        + "async Task<int> DeafAsync(CancellationToken ct) { Console.WriteLine(); return await WithAsync(1); } async Task<int> NoneAsync(CancellationToken ct) => await WithAsync(1, CancellationToken.None);\n"
        + "async Task<int> HearingAsync(CancellationToken ct) => await WithAsync(1, ct); Task<int> DoneAsync(CancellationToken ct) => Task.FromResult(1);\n"
        + "async Task<string> HidingAsync(CancellationToken ct) { try { return await Http.GetStringAsync(\"x\", ct); } catch (HttpRequestException) { return \"\"; } }";

    private static string With(string statement) => Analysis.InClass(Frame.Replace("BODY", statement, StringComparison.Ordinal));

    [Theory]
    [InlineData("await Pipeline.ExecuteAsync(async ct => await Http.[|GetStringAsync|](\"x\"), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(_ => Http.[|GetStringAsync|](\"x\"), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { int a = await [|WithAsync|](1); return a + await [|OverloadedAsync|](2); });")]
    [InlineData("await Pipeline.ExecuteAsync(_ => [|GenericAsync|](new List<int>()));")]
    [InlineData("await Pipeline.ExecuteAsync(_ => Http.GetStringAsync(\"x\", [|cancellationToken|]), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(_ => Http.GetStringAsync(\"x\", [|cancellationToken|]));")]
    [InlineData("await Pipeline.ExecuteAsync(_ => Http.GetStringAsync(\"x\", [|CancellationToken.None|]), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(_ => Http.GetStringAsync(\"x\", [|default|]), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(_ => Http.GetStringAsync(\"x\", [|_field|]), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { await WithAsync(1, ct); return await WithAsync(2, [|cancellationToken|]); }, cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(async delegate(CancellationToken ct) { await Task.[|Delay|](1); }, cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync((state, ct) => [|WithAsync|](state), 7, cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(new CallOptions(\"a\"), async (context, state) => await [|WithAsync|](state), 7, cancellationToken);")]
    [InlineData("_ = await Pipeline.TryExecuteAsync(async ct => await [|WithAsync|](1), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync([|DeafAsync|], cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync([|this.DeafAsync|], cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync([|Local|]); static async Task<int> Local(CancellationToken ct) => await WithAsync(1);")]
    [InlineData("await Pipeline.ExecuteAsync([|NoneAsync|], cancellationToken);")]
    public Task A_token_that_is_not_passed_on_is_reported(string statement) => Analysis.CheckAsync("RES106", With(statement));

    [Theory]
    [InlineData("await Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(ct => WithAsync(1, token: ct), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(_ => WithoutAsync(1), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(_ => Task.FromResult(1), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(_ => { Console.WriteLine(); return Task.CompletedTask; }, cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, _field); return await WithAsync(1, both.Token); }, cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { CancellationToken mine = ct; return await WithAsync(1, mine); }, cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await WithAsync(1, ct); } finally { await WithAsync(2, CancellationToken.None); } }, cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { await WithAsync(1, ct); return await OverloadedAsync(2); }, cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { Func<Task<int>> later = () => WithAsync(1); return await WithAsync(2, ct); }, cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { ct.ThrowIfCancellationRequested(); return await WithAsync(1); }, cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => await WithAsync(1, _stop.Token) + await WithAsync(2, ct), cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(new CallOptions(\"a\"), async (context, state) => await WithAsync(state, context.CancellationToken), 7, cancellationToken);")]
    [InlineData("Func<CancellationToken, Task<int>> call = _ => WithAsync(1); await Pipeline.ExecuteAsync(call, cancellationToken);")]
    [InlineData("await WithAsync(1); await Http.GetStringAsync(\"x\");")]
    [InlineData("await Pipeline.ExecuteAsync(HearingAsync, cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(DoneAsync, cancellationToken);")]
    public Task A_token_that_is_passed_on_or_cannot_be_is_not(string statement) => Analysis.CheckAsync("RES106", With(statement));

    [Theory]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } [|catch|] (Exception) { return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { await Http.GetStringAsync(\"x\", ct); } [|catch|] { } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { string s = \"\"; try { s = await Http.GetStringAsync(\"x\", ct); } [|catch|] (Exception e) { Console.WriteLine(e); } return s; });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (IOException) { throw; } [|catch|] (Exception) { return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } [|catch|] (HttpRequestException) { return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } [|catch|] (IOException) { return \"a\"; } [|catch|] (TimeoutException) { return \"b\"; } });")]
    [InlineData("Pipeline.Execute(ct => { try { return File.ReadAllText(\"x\"); } [|catch|] (EndOfStreamException) { return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync([|HidingAsync|], cancellationToken);")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } [|catch|] (System.Text.Json.JsonException e) { Console.WriteLine(e); return \"\"; } });")]
    public Task A_delegate_that_hides_its_failures_is_reported(string statement) => Analysis.CheckAsync("RES110", With(statement));

    [Theory]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (Exception e) { Console.WriteLine(e); throw; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (Exception e) when (e is IOException) { return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (Exception e) { return e.Message; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (Exception e) { System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e); return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { Console.Beep(); } catch { } return await Http.GetStringAsync(\"x\", ct); });")]
    [InlineData("try { await Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); } catch (Exception) { }")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (OperationCanceledException) { return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await File.ReadAllTextAsync(\"x\", ct); } catch (FileNotFoundException) { return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (UnknownOrder) { return \"\"; } }); } sealed class UnknownOrder : Exception; void More() {")]
    public Task A_delegate_that_lets_failures_out_is_not(string statement) => Analysis.CheckAsync("RES110", With(statement));

    /// <summary>The caught failure becomes a result that the pipeline judges.</summary>
    [Theory]
    [InlineData(".Classify(r => r.OnResult<string>(s => s == \"\" ? Verdict.Failure : null))", true)]
    [InlineData(".Classify(r => r.OnResult((string s) => s == \"\" ? Verdict.Failure : null))", true)]
    [InlineData("", false)]
    [InlineData(".Classify(r => r.OnResult<int>(s => s == 1 ? Verdict.Failure : null))", false)]
    public async Task A_failure_that_becomes_a_result_is_judged(string classify, bool isJudged)
    {
        const string Call = "async Task GetAsync(ResiliencePipeline injected) => await injected.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (HttpRequestException) { return \"\"; } });";
        string[] files = [Analysis.InClass(Call), $"class Pipelines {{ public static readonly ResiliencePipeline Mine = new ResiliencePipelineBuilder(){classify}.AddRetry().Build(); }}"];
        (await Analysis.RunAsync(Analysis.Compile(files.Select((f, i) => Analysis.Parse(f, $"{i}.cs")), isProgram: false))).Should().HaveCount(isJudged ? 0 : 1);
    }

    /// <summary>The analyzer's list of what is no failure is that of the library, for every exception of the framework.</summary>
    [Fact]
    public void The_list_of_failures_is_that_of_the_library()
    {
        Compilation compilation = Analysis.Compile([], isProgram: false);
        List<string> differences = [];
        int asked = 0;
        foreach (Type type in AppDomain.CurrentDomain.GetAssemblies().Where(a => a.GetName().Name!.StartsWith("System", StringComparison.Ordinal)).SelectMany(a => a.GetExportedTypes())
            .Where(t => t.IsSubclassOf(typeof(Exception)) && !t.IsAbstract && t.GetConstructor([]) is not null && !t.IsAssignableTo(typeof(OperationCanceledException))))
        {
            if (compilation.GetTypeByMetadataName(type.FullName!) is not { } symbol) continue;
            asked++;
            bool isFailure = OutcomeClassifier.Default.Classify((Exception)Activator.CreateInstance(type)!, callCancelled: false) == Verdict.Failure;
            if (isFailure != DefaultFailures.Is(symbol)) differences.Add($"{type} is {(isFailure ? "a" : "no")} failure");
        }

        differences.Should().BeEmpty();
        asked.Should().BeGreaterThan(40);
    }

    [Theory]
    [InlineData("await Pipeline.[|ExecuteAsync|](async ct => Http.GetStringAsync(\"x\", ct)); ")]
    [InlineData("await Pipeline.[|ExecuteAsync|](ct => ValueTask.FromResult(StreamAsync(ct)));")]
    [InlineData("Pipeline.[|Execute|](ct => StreamAsync(ct));")]
    [InlineData("Pipeline.[|Execute|](StreamAsync);")]
    [InlineData("Pipeline.[|Execute|](() => Enumerable.Empty<int>().AsQueryable().Where(i => i > 1));")]
    [InlineData("Pipeline.[|Execute|](ct => new ValueTask<int>(WithAsync(1, ct)));")]
    [InlineData("Pipeline.[|Execute|]((s, ct) => WithAsync(s, ct), 1);")]
    [InlineData("Pipeline.[|TryExecute|](ct => WithAsync(1, ct)).ToString();")]
    [InlineData("Pipeline.[|Execute|](Later); ValueTask<int> Later(CancellationToken ct) => new(WithAsync(1, ct));")]
    public Task Work_that_is_still_to_be_done_is_reported(string statement) => Analysis.CheckAsync("RES113", With(statement)
        .Replace("readonly CancellationToken _field;", "readonly CancellationToken _field; static async IAsyncEnumerable<int> StreamAsync(CancellationToken ct) { await Task.Delay(1, ct); yield return 1; }", StringComparison.Ordinal));

    [Theory]
    [InlineData("await Pipeline.ExecuteAsync(async ct => await Http.GetStringAsync(\"x\", ct));")]
    [InlineData("await Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));")]
    [InlineData("Pipeline.Execute(ct => { Console.WriteLine(ct); });")]
    [InlineData("Pipeline.Execute(() => new List<int>());")]
    public Task Work_that_is_done_is_not(string statement) => Analysis.CheckAsync("RES113", With(statement));
}
