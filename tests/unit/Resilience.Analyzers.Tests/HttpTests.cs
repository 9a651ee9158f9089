namespace Resilience.Analyzers.Tests;

public sealed class HttpTests
{
    private static string Registered(string statement) => Analysis.InClass(
        $"void Register(IServiceCollection services, IConfiguration section) {{ {statement} }} static void More(StandardResilienceOptions o) {{ }} static TimeSpan Some => TimeSpan.FromSeconds(1);");

    [Theory]
    [InlineData("services.AddHttpClient(\"a\", c => [|c.Timeout = TimeSpan.FromSeconds(10)|]).AddStandardResilience();")]
    [InlineData("services.AddHttpClient(\"a\", c => { c.BaseAddress = new(\"https://a\"); [|c.Timeout = TimeSpan.FromSeconds(30)|]; }).AddStandardResilience();")]
    [InlineData("services.AddHttpClient(\"a\").ConfigureHttpClient(c => [|c.Timeout = TimeSpan.FromMilliseconds(500)|]).AddStandardResilience().AddIdempotencyKey();")]
    [InlineData("services.AddHttpClient(\"a\").AddStandardResilience().ConfigureHttpClient(c => [|c.Timeout = new TimeSpan(0, 0, 5)|]);")]
    [InlineData("services.AddHttpClient(\"a\", c => [|c.Timeout = TimeSpan.FromMinutes(1)|]).AddStandardResilience(o => o.TotalTimeout = TimeSpan.FromMinutes(2));")]
    [InlineData("services.AddHttpClient(\"a\", c => [|c.Timeout = TimeSpan.FromSeconds(2)|]).AddResilience(b => b.AddTimeout(TimeSpan.FromSeconds(3)).AddRetry());")]
    public Task A_client_that_gives_up_before_the_pipeline_is_reported(string statement) => Analysis.CheckAsync("RES104", Registered(statement));

    [Theory]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(31)).AddStandardResilience();")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = Timeout.InfiniteTimeSpan).AddStandardResilience();")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(10)).AddStandardResilience(o => o.TotalTimeout = TimeSpan.FromSeconds(9));")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(10)).AddStandardResilience(o => o.TotalTimeout = null);")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(10)).AddStandardResilience(o => o.TotalTimeout = Some);")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = Some).AddStandardResilience();")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(10)).AddStandardResilience(More);")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(10)).AddStandardResilience(section);")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(10)).AddStandardResilience(\"Clients:a\");")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(100)).AddStandardResilience(o => o.TotalTimeout = TimeSpan.FromMinutes(2));")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(10));")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(10)).AddResilience(b => b.AddRetry().AddTimeout(TimeSpan.FromSeconds(20)));")]
    [InlineData("services.AddHttpClient(\"a\", c => c.Timeout = TimeSpan.FromSeconds(10)); services.AddHttpClient(\"b\").AddStandardResilience();")]
    public Task A_client_that_waits_long_enough_or_cannot_be_judged_is_not(string statement) => Analysis.CheckAsync("RES104", Registered(statement));

    private const string Retrying = "static readonly ResiliencePipeline Again = new ResiliencePipelineBuilder().Classify(r => r.Http()).AddRetry().Build(); static readonly HttpContent Body = new StringContent(\"\"); ";

    [Theory]
    [InlineData("async Task PayAsync() => await Again.ExecuteAsync(ct => [|Http.PostAsync(\"x\", Body, ct)|]);")]
    [InlineData("async Task PayAsync() => await Again.ExecuteAsync(async ct => { using var reply = await [|Http.PostAsJsonAsync(\"x\", 1, ct)|]; reply.EnsureSuccessStatusCode(); });")]
    [InlineData("async Task PayAsync() => await Again.ExecuteAsync(ct => [|Http.PatchAsync(\"x\", Body, ct)|]);")]
    [InlineData("async Task PayAsync() => await Again.ExecuteAsync(ct => [|Http.SendAsync(new HttpRequestMessage(HttpMethod.Post, \"x\"), ct)|]);")]
    public Task An_operation_that_is_repeated_without_a_key_is_reported(string members) => Analysis.CheckAsync("RES105", Analysis.InClass(Retrying + members));

    [Theory]
    [InlineData("async Task PayAsync() => await Pipeline.ExecuteAsync(ct => Http.PostAsync(\"x\", Body, ct));")]
    [InlineData("async Task PayAsync() => await Again.ExecuteAsync(ct => Http.GetStringAsync(\"x\", ct));")]
    [InlineData("async Task PayAsync() => await Again.ExecuteAsync(ct => Http.PutAsync(\"x\", Body, ct));")]
    [InlineData("async Task PayAsync() => await Again.ExecuteAsync(ct => Http.DeleteAsync(\"x\", ct));")]
    [InlineData("async Task PayAsync() => await Again.ExecuteAsync(ct => Http.SendAsync(new HttpRequestMessage(HttpMethod.Get, \"x\"), ct));")]
    [InlineData("async Task PayAsync() { Body.Headers.Add(\"Idempotency-Key\", Guid.NewGuid().ToString()); await Again.ExecuteAsync(ct => Http.PostAsync(\"x\", Body, ct)); }")]
    [InlineData("async Task PayAsync(ResiliencePipeline unknown) => await unknown.ExecuteAsync(ct => Http.PostAsync(\"x\", Body, ct));")]
    [InlineData("static readonly ResiliencePipeline Careful = new ResiliencePipelineBuilder().Classify(r => r.Http()).AddRetry(o => o.ShouldRetry = a => a.Exception is IOException).Build(); async Task PayAsync() => await Careful.ExecuteAsync(ct => Http.PostAsync(\"x\", Body, ct));")]
    [InlineData("async Task PayAsync() => await Http.PostAsync(\"x\", Body);")]
    public Task An_operation_that_may_be_repeated_or_is_not_is_not(string members) => Analysis.CheckAsync("RES105", Analysis.InClass(Retrying + members));
}
