using System.Globalization;
using Resilience.Simulations;

// swarm FROM COUNT [PLANTED [UNTIL]]   runs that many seeds, each twice, prints what fails, exits with 1 if anything did; no more after a failure that
//                                      says UNTIL
// trace SEED [PLANTED]                 prints the story of one seed
string command = args.Length > 0 ? args[0] : "swarm";
int from = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 1;
int plantedAt = command == "trace" ? 2 : 3;
Planted planted = args.Length > plantedAt ? Enum.Parse<Planted>(args[plantedAt]) : Planted.None;
if (command == "trace")
{
    (SimulationReport report, IReadOnlyList<string> violations) = await new World(from, planted, keepTrace: true).RunAsync().ConfigureAwait(false);
    foreach (string note in report.Trace) Console.WriteLine(note);
    foreach (string violation in violations) Console.WriteLine($"VIOLATED {violation}");
    Console.Write(report);
    return violations.Count == 0 ? 0 : 1;
}

int count = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 100;
int failing = 0;
long calls = 0, attempts = 0, changes = 0;
ulong all = 0;
for (int seed = from; seed < from + count; seed++)
{
    (SimulationReport report, IReadOnlyList<string> violations) = await new World(seed, planted, keepTrace: false).RunAsync().ConfigureAwait(false);
    calls += report.Started;
    attempts += report.Attempts;
    changes += report.CircuitChanges.Count;
    all = (all * 31) + report.Fingerprint;
    if (violations.Count == 0) continue;
    failing++;
    if (failing <= 10) Console.WriteLine($"seed {seed}: {string.Join("; ", violations)}");
    if (args.Length > 4 && violations.Any(v => v.Contains(args[4], StringComparison.Ordinal))) return 1;
}

Console.WriteLine($"{count} seeds, {failing} failing, {calls} calls, {attempts} attempts, {changes} circuit changes, fingerprint {all:x16}");
return failing == 0 ? 0 : 1;
