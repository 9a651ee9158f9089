using Resilience.Benchmarks;
using Resilience.Evidence;

// Writes docs/evidence anew: the pages and the pictures. Arguments choose experiments by name; without any, all.
string folder = args.FirstOrDefault(a => a.StartsWith("--to=", StringComparison.Ordinal))?[5..] ?? Path.Combine(Root(), "docs", "evidence");
Directory.CreateDirectory(folder);
(string Name, Func<string, Task> Write)[] experiments =
[
    ("contention", Contention.WriteAsync),
    ("amplification", Amplification.WriteAsync),
    ("metastable", Metastable.WriteAsync),
    ("budgets", Budgets.WriteAsync),
    ("overload", Overload.WriteAsync),
];
string[] wanted = [.. args.Where(a => !a.StartsWith("--", StringComparison.Ordinal))];
foreach ((string name, Func<string, Task> write) in experiments.Where(e => wanted.Length == 0 || wanted.Contains(e.Name)))
{
    Console.WriteLine(name);
    await write(folder).ConfigureAwait(false);
}

static string Root() => ResultsFolder.Checkout ?? throw new InvalidOperationException("Run it from within the repository.");
