using Resilience;
using Resilience.CustomPolicy;

PauseSwitch maintenance = new(new PauseSwitchOptions { Name = "maintenance", EndSpread = TimeSpan.FromMilliseconds(100) });

ResiliencePipeline impatient = new ResiliencePipelineBuilder { Name = "impatient" }
    .AddPauseSwitch(maintenance)
    .OnEvent(happened => Console.WriteLine($"  event: {happened.GetType().Name} in pipeline {happened.PipelineName}"))
    .Build();

ResiliencePipeline patient = new ResiliencePipelineBuilder { Name = "patient" }
    .AddRetry(options => options.WaitForRejections = true)
    .AddPauseSwitch(maintenance)
    .Build();

Console.WriteLine(patient.Describe());

Console.WriteLine($"Before: {await impatient.ExecuteAsync(AskAsync)}");

maintenance.Pause(TimeSpan.FromMilliseconds(500), "the database is being moved");
Outcome<string> rejected = await impatient.TryExecuteAsync(AskAsync);
Console.WriteLine($"During: {rejected}");

// The rejection says how long the pause will last; a retry that may wait for rejections waits exactly that long.
Console.WriteLine($"A patient caller: {await patient.ExecuteAsync(AskAsync)}");

Outcome<string> after = await impatient.TryExecuteAsync(AskAsync);
Console.WriteLine($"After: {after}");

return rejected.Verdict == Verdict.Rejected && after.IsSuccess && maintenance.Running == 0 ? 0 : 1;

static async ValueTask<string> AskAsync(CancellationToken cancellationToken)
{
    await Task.Yield();
    return "an answer";
}
