using Polly;
using Resilience;

// Published with NativeAOT and executed by a test: pipelines cross the border to Polly and back. The two accessors that Resilience.Polly reaches in Polly
// must survive trimming. Each check prints a line; the exit code counts the failures.
int failures = 0, attempts = 0;

Resilience.ResiliencePipeline ours = new Resilience.ResiliencePipelineBuilder { Name = "aot" }
    .AddRetry(o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.FromMilliseconds(1)))
    .AddTimeout(TimeSpan.FromSeconds(10))
    .Build();

Polly.ResiliencePipeline theirs = ours.AsPolly();
Check("ours as theirs", await theirs.ExecuteAsync(_ => ++attempts < 3 ? throw new IOException() : new ValueTask<int>(attempts)) == 3);
attempts = 0;
Check("synchronously", theirs.Execute(() => ++attempts < 3 ? throw new IOException() : attempts) == 3);
Check("with the token of the attempt", await theirs.ExecuteAsync(static token => new ValueTask<bool>(token.CanBeCanceled)));

attempts = 0;
IAsyncPolicy old = ours.AsAsyncPolicy();
Check("ours as a policy of v7", await old.ExecuteAsync(() => ++attempts < 3 ? throw new IOException() : Task.FromResult(attempts)) == 3);

attempts = 0;
Resilience.ResiliencePipeline around = new Resilience.ResiliencePipelineBuilder()
    .AddPolicy(Policy.Handle<IOException>().RetryAsync(2).AsPolicy())
    .Build();
Check("theirs in ours", await around.ExecuteAsync(_ => ++attempts < 3 ? throw new IOException() : new ValueTask<int>(attempts)) == 3);

Console.WriteLine(failures == 0 ? "all checks passed" : $"{failures} FAILED");
return failures;

void Check(string name, bool holds)
{
    Console.WriteLine($"{(holds ? "ok" : "FAILED")}: {name}");
    if (!holds) failures++;
}
