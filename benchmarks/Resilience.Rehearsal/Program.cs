using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Resilience.Rehearsal;

// dotnet run --project benchmarks/Resilience.Rehearsal -c Release -- <folder of a checkout>…
// Reads the projects of a checkout that use Polly, stubs what is missing, plans the move and prints numbers. Writes and fetches nothing.
Console.WriteLine("| checkout | projects | files | sites | moved | commented | held by a neighbor | new errors |");
Console.WriteLine("|---|---|---|---|---|---|---|---|");
Dictionary<string, int> reasons = [];
Tally all = new();
foreach (string folder in args)
{
    Tally tally = new();
    foreach ((string project, string[] files) in Checkout.ProjectsOf(folder))
    {
        CSharpCompilation compilation = Stubs.Complete(Checkout.Compile(project, files));
        tally.Add(compilation, files.Count(Checkout.MentionsPolly), reasons);
    }

    Console.WriteLine(tally.ToRow(Path.GetFileName(Path.TrimEndingDirectorySeparator(folder))));
    all.Add(tally);
}

Console.WriteLine(all.ToRow("**all**"));
Console.WriteLine();
Console.WriteLine("| why a place stays | places |");
Console.WriteLine("|---|---|");
foreach ((string reason, int count) in reasons.OrderByDescending(r => r.Value)) Console.WriteLine($"| {reason} | {count} |");
