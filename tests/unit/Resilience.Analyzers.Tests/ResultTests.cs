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
    public Task A_blocked_thread_is_reported(string members) => Analysis.CheckAsync("RES107", Analysis.InClass(members));

    [Theory]
    [InlineData("void Get() { [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|]; }")]
    [InlineData("void Get() { [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|].AsTask(); }")]
    [InlineData("void Get() => [|Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|];")]
    [InlineData("void Get() { [|Pipeline.TryExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|].ConfigureAwait(false); }")]
    public Task A_call_that_is_not_awaited_is_reported(string members) => Analysis.CheckAsync("RES108", Analysis.InClass(members));

    [Theory]
    [InlineData("async Task GetAsync() { await [|Pipeline.TryExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|]; }")]
    [InlineData("async Task GetAsync() { await [|Typed.TryExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))|].ConfigureAwait(false); }")]
    public Task An_outcome_that_is_ignored_is_reported(string members) => Analysis.CheckAsync("RES109", Analysis.InClass(members));

    [Theory]
    [InlineData("async Task GetAsync() { await Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("async Task GetAsync() { _ = await Pipeline.TryExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("async Task<bool> GetAsync() => (await Pipeline.TryExecuteAsync(ct => Http.GetStringAsync(\"x\", ct))).IsSuccess;")]
    [InlineData("void Start() { _ = Pipeline.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)); }")]
    [InlineData("ValueTask<string> GetAsync() => Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));")]
    [InlineData("async Task GetAsync() { Task<string> t = Typed.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct)).AsTask(); await Task.WhenAll(t); Console.WriteLine(t.Result); }")]
    [InlineData("sealed class Mine { public Task ExecuteAsync() => Task.CompletedTask; } void Get() { new Mine().ExecuteAsync(); }")]
    public Task What_is_awaited_or_kept_is_not(string members) => Analysis.CheckAsync("none", Analysis.InClass(members));
}
