using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using Resilience.Benchmarks;
using Resilience.Benchmarks.Candidates;

// Without arguments: the whole comparison, and the report in benchmarks/results. --telemetry: what listeners cost, and its report. With BenchmarkDotNet's
// arguments: as they say.
Type[] questions =
[
    typeof(Cost_of_a_call_that_completes_at_once), typeof(Cost_of_a_call_that_suspends), typeof(Cost_of_hedging), typeof(Cost_of_a_rejection),
    typeof(One_breaker_under_many_threads), typeof(Cost_of_the_parts), typeof(Cost_of_making_breakers), typeof(Cost_of_telemetry),
    typeof(Candidates_for_chains), typeof(Candidates_for_timeouts), typeof(Candidates_for_windows),
];
if (args is ["--telemetry"])
{
    TelemetryCost.Write();
    return;
}

if (args.Length > 0)
{
    BenchmarkSwitcher.FromTypes(questions).Run(args);
    return;
}

// Each case runs in a process of its own, ours right beside Polly's, so that they meet the same machine and neither is compiled for
// what another case did before it; few and short iterations, because there are many cases.
IConfig config = DefaultConfig.Instance
    .AddJob(Job.Default.WithWarmupCount(4).WithIterationCount(8).WithIterationTime(Perfolizer.Horology.TimeInterval.FromMilliseconds(150)))
    .WithOptions(ConfigOptions.DisableLogFile);
Report.Write([.. questions.Select(q => BenchmarkRunner.Run(q, config))]);
