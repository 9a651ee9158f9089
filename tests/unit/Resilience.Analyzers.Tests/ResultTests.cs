using Microsoft.CodeAnalysis;

namespace Resilience.Analyzers.Tests;

public sealed class ResultTests
{
    [Theory]
    [InlineData("string Get() => Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).[|Result|];")]
    [InlineData("string Get() => Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask().[|Result|];")]
    [InlineData("string Get() => Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).GetAwaiter().[|GetResult|]();")]
    [InlineData("string Get() => Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).ConfigureAwait(false).GetAwaiter().[|GetResult|]();")]
    [InlineData("void Get() => Pipeline.ExecuteAsync(ct => Http.GetAsync(\"x\", ct)).AsTask().[|Wait|]();")]
    [InlineData("bool Get() => Pipeline.TryExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).[|Result|].IsSuccess;")]
    [InlineData("string Get() { ValueTask<string> t = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); return t.[|Result|]; }")]
    [InlineData("string Get() { var t = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); Console.WriteLine(); return t.GetAwaiter().[|GetResult|](); }")]
    [InlineData("string Get() { var t = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask(); return t.[|Result|]; }")]
    [InlineData("string Get() { var v = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); var t = v.AsTask(); t.[|Wait|](); return t.Result; }")]
    [InlineData("string Get() { var a = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).GetAwaiter(); return a.[|GetResult|](); }")]
    [InlineData("void Get() { var t = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask(); Task.[|WaitAll|](t); }")]
    [InlineData("void Get() => Task.[|WaitAll|]([Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask(), Task.Delay(1)]);")]
    [InlineData("void Get() => Task.[|WaitAny|](new Task[] { Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask() });")]
    [InlineData("void Get() => Task.WhenAll(Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask(), Task.FromResult(\"\")).[|Wait|](1000);")]
    [InlineData("string Get() => Task.Run(() => Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask()).[|Result|];")]
    [InlineData("string Get() => Task.Run(async () => await Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))).GetAwaiter().[|GetResult|]();")]
    [InlineData("string Get() => Task.Run(() => { return Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask(); }).[|Result|];")]
    [InlineData("string Get() => Task.Factory.StartNew(async () => await Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))).Unwrap().[|Result|];")]
    [InlineData("string Get(bool b) { var t = b ? Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)) : default; return t.[|Result|]; }")]
    [InlineData("string Get() { ValueTask<string> t; t = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); return t.[|Result|]; }")]
    [InlineData("async Task<string> GetAsync(bool b) { var t = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); if (b) { return await t; } return t.[|Result|]; }")]
    public Task A_blocked_thread_is_reported(string members) => Analysis.CheckAsync("RES107", Analysis.InClass(members));

    [Theory]
    [InlineData("void Get() { [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|]; }")]
    [InlineData("void Get() { [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|].AsTask(); }")]
    [InlineData("void Get() => [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|];")]
    [InlineData("void Get() { [|Pipeline.TryExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|].ConfigureAwait(false); }")]
    [InlineData("void Get(List<string> all) { all.ForEach(u => [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(u, ct))|]); }")]
    [InlineData("event Action? Changed; void Get() { Changed += () => [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|]; }")]
    [InlineData("void Get(bool b) { var t = [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|]; t.AsTask(); }")]
    public Task A_call_that_is_not_awaited_is_reported(string members) => Analysis.CheckAsync("RES108", Analysis.InClass(members));

    /// <summary>Said on purpose, perhaps: the compiler's list of messages has it, and no build stops.</summary>
    [Theory]
    [InlineData("void Start() { _ = [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|]; }")]
    [InlineData("void Start() { _ = [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|].AsTask(); }")]
    [InlineData("void Start() { var t = [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|]; }")]
    public async Task A_call_that_is_forgotten_on_purpose_is_mentioned(string members)
    {
        await Analysis.CheckAsync("RES108", Analysis.InClass(members));
        IReadOnlyList<Diagnostic> said = await Analysis.RunAsync(Analysis.Compile(
            [Analysis.Parse(Analysis.InClass(members.Replace("[|", "", StringComparison.Ordinal).Replace("|]", "", StringComparison.Ordinal)))], isProgram: false));
        said.Should().ContainSingle().Which.Severity.Should().Be(DiagnosticSeverity.Info);
    }

    [Theory]
    [InlineData("void Get() { [|Typed.TryExecute(ct => \"x\")|]; }")]
    [InlineData("async Task GetAsync() { await [|Pipeline.TryExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|]; }")]
    [InlineData("async Task GetAsync() { await [|Typed.TryExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|].ConfigureAwait(false); }")]
    public Task An_outcome_that_is_ignored_is_reported(string members) => Analysis.CheckAsync("RES109", Analysis.InClass(members));

    [Theory]
    [InlineData("async Task GetAsync() { await Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("async Task GetAsync() { _ = await Pipeline.TryExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("async Task<bool> GetAsync() => (await Pipeline.TryExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))).IsSuccess;")]
    [InlineData("ValueTask<string> GetAsync() => Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));")]
    [InlineData("async Task GetAsync() { Task<string> t = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask(); await Task.WhenAll(t); Console.WriteLine(t.Result); }")]
    [InlineData("async Task<string> GetAsync() { var t = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); if (t.IsCompletedSuccessfully) return t.Result; return await t; }")]
    [InlineData("async Task<string> GetAsync() { var t = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask(); await t; return t.Result; }")]
    [InlineData("async Task<string> GetAsync() => await Task.Run(async () => await Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)));")]
    [InlineData("Task<string> GetAsync(List<Task> all) { var t = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask(); all.Add(t); return t; }")]
    [InlineData("string Get() => Typed.Execute(() => \"x\");")]
    [InlineData("bool Get() => Typed.TryExecute(ct => \"x\").IsSuccess;")]
    [InlineData("sealed class Mine { public Task ExecuteAsync() => Task.CompletedTask; } void Get() { new Mine().ExecuteAsync(); }")]
    public Task What_is_awaited_or_kept_is_not(string members) => Analysis.CheckAsync("none", Analysis.InClass(members));
}
