using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Resilience.Rehearsal;

// dotnet run --project benchmarks/Resilience.Rehearsal -c Release -- [--list] <folder of a checkout>…
// Reads the projects of a checkout that use Polly, stubs what is missing, plans the move and prints numbers. Writes and fetches nothing.
// With --list it also prints, to the error stream, each place that stays and what is new among the errors.
bool lists = args.Contains("--list");
Console.WriteLine("| checkout | projects | files | sites | moved | commented | held by a neighbor | new errors |");
Console.WriteLine("|---|---|---|---|---|---|---|---|");
Dictionary<string, int> reasons = [];
Tally all = new();
foreach (string folder in args.Where(static a => a != "--list"))
{
    Tally tally = new();
    foreach ((string project, string[] files) in Checkout.ProjectsOf(folder))
    {
        CSharpCompilation compilation = Stubs.Complete(Checkout.Compile(project, files));
        tally.Add(compilation, files.Count(Checkout.MentionsPolly), reasons, lists ? Console.Error : TextWriter.Null);
    }

    Console.WriteLine(tally.ToRow(Path.GetFileName(Path.TrimEndingDirectorySeparator(folder))));
    all.Add(tally);
}

Console.WriteLine(all.ToRow("**all**"));
Console.WriteLine();
Console.WriteLine("| why a place stays | places |");
Console.WriteLine("|---|---|");
foreach ((string reason, int count) in reasons.OrderByDescending(r => r.Value)) Console.WriteLine($"| {reason} | {count} |");
