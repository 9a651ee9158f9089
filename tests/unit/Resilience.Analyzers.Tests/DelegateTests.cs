namespace Resilience.Analyzers.Tests;

public sealed class DelegateTests
{
    private const string Frame = "async Task GetAsync(CancellationToken cancellationToken) { BODY }\n"
        + "static Task<int> WithAsync(int x, CancellationToken token = default) => Task.FromResult(x);\n"
        + "static Task<int> OverloadedAsync(int x) => Task.FromResult(x); static Task<int> OverloadedAsync(int x, CancellationToken token) => Task.FromResult(x);\n"
        + "static Task<int> WithoutAsync(int x) => Task.FromResult(x); readonly CancellationTokenSource _stop = new(); readonly CancellationToken _field;\n"
        + "static Task<T> GenericAsync<T>(List<T> x) => Task.FromResult(x[0]); static Task<T> GenericAsync<T>(List<T> x, CancellationToken token) => Task.FromResult(x[0]);";

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
    public Task A_token_that_is_passed_on_or_cannot_be_is_not(string statement) => Analysis.CheckAsync("RES106", With(statement));

    [Theory]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } [|catch|] (Exception) { return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { await Http.GetStringAsync(\"x\", ct); } [|catch|] { } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { string s = \"\"; try { s = await Http.GetStringAsync(\"x\", ct); } [|catch|] (Exception e) { Console.WriteLine(e); } return s; });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (IOException) { throw; } [|catch|] (Exception) { return \"\"; } });")]
    public Task A_delegate_that_hides_its_failures_is_reported(string statement) => Analysis.CheckAsync("RES110", With(statement));

    [Theory]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (Exception e) { Console.WriteLine(e); throw; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (HttpRequestException) { return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (Exception e) when (e is IOException) { return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (Exception e) { return e.Message; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { return await Http.GetStringAsync(\"x\", ct); } catch (Exception e) { System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e); return \"\"; } });")]
    [InlineData("await Pipeline.ExecuteAsync(async ct => { try { Console.Beep(); } catch { } return await Http.GetStringAsync(\"x\", ct); });")]
    [InlineData("try { await Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); } catch (Exception) { }")]
    public Task A_delegate_that_lets_failures_out_is_not(string statement) => Analysis.CheckAsync("RES110", With(statement));
}
