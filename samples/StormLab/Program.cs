// A fleet of clients and a service that is short of capacity, in virtual time, with the real library: naive against configured.
using Resilience.StormLab;

Console.OutputEncoding = System.Text.Encoding.UTF8;
if (args is ["--tuning", { } docs])
{
    await TuningExamples.WriteAsync(docs); // the pictures and numbers of docs/tuning.md
    return 0;
}

if (args is ["--overload", ..]) return await OverloadCommand.RunAsync(args);

Question question = CommandLine.Read(args);
if (question.WantsHelp)
{
    Console.Write(CommandLine.Help());
    return 0;
}

if (question.Plan is not { } plan)
{
    foreach (string problem in question.Problems) Console.Error.WriteLine(problem);
    return 2;
}

StormRun naive = await Storm.LiveAsync(plan, StormPlan.Naive);
StormRun configured = await Storm.LiveAsync(plan, StormPlan.Configured);
foreach (string line in Terminal.Tell(naive, configured)) Console.WriteLine(line);
IReadOnlyList<string> files = HtmlReport.Write(naive, configured);
Console.WriteLine($"\n{plan.Folder}: {string.Join(", ", files)}");
return StormChecks.Of(naive).Concat(StormChecks.Of(configured)).All(c => c.Holds) ? 0 : 1;
