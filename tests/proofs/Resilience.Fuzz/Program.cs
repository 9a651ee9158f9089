using System.Globalization;
using Resilience.Fuzz;

// random TARGET|all CASES SEED [PLANTED]   mutates the known inputs and checks each; prints what fails, and ends with 1 if anything did
// replay TARGET|all [FOLDER]               checks the known inputs, or the files of a folder
// afl TARGET                               one input a call from a fuzzer that is guided by coverage (see tests/fuzz.sh)
// words TARGET                             the dictionary of such a fuzzer
string command = args.Length > 0 ? args[0] : "random", wanted = args.Length > 1 ? args[1] : "all";
Planted planted = command == "random" && args.Length > 4 ? Enum.Parse<Planted>(args[4]) : Planted.None;
Oracle[] targets = [.. Oracle.All(planted).Where(o => wanted == "all" || o.Name == wanted)];
if (targets.Length == 0) return Help($"there is no target '{wanted}'");
switch (command)
{
    case "random":
        int cases = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 1000;
        int seed = args.Length > 3 ? int.Parse(args[3], CultureInfo.InvariantCulture) : 1;
        return Run(target =>
        {
            Mutations made = new(seed, [.. Known(target).Select(File.ReadAllBytes)], target.Words);
            return Enumerable.Range(0, cases).Select(i => ($"case {i}", made.Next()));
        });
    case "replay":
        return Run(target => (args.Length > 2 ? Directory.EnumerateFiles(args[2]) : Known(target)).Select(f => (Path.GetFileName(f), File.ReadAllBytes(f))));
    case "afl":
        SharpFuzz.Fuzzer.OutOfProcess.Run(stream =>
        {
            using MemoryStream bytes = new();
            stream.CopyTo(bytes);
            targets[0].Check(bytes.ToArray());
        });
        return 0;
    case "words":
        foreach (string word in targets[0].Words)
            Console.WriteLine($"\"{string.Concat(System.Text.Encoding.UTF8.GetBytes(word).Select(b => b is > 0x20 and < 0x7f and not (byte)'"' and not (byte)'\\' ? $"{(char)b}" : $"\\x{b:x2}"))}\"");
        return 0;
    default:
        return Help($"there is no command '{command}'");
}

static int Help(string problem)
{
    Console.Error.WriteLine($"{problem}; see the head of Program.cs");
    return 2;
}

static IEnumerable<string> Known(Oracle target) => Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "inputs", target.Name)).Order(StringComparer.Ordinal);

int Run(Func<Oracle, IEnumerable<(string Name, byte[] Input)>> inputs)
{
    int passed = 0, failed = 0;
    foreach (Oracle target in targets)
    {
        foreach ((string name, byte[] input) in inputs(target))
        {
            try
            {
                target.Check(input);
                passed++;
            }
            catch (Exception error)
            {
                if (++failed > 10) continue;
                Console.WriteLine($"{target.Name}, {name}: {error.GetType().Name}: {error.Message}\n  {Convert.ToHexString(input)}");
            }
        }
    }

    Console.WriteLine($"{passed} passed, {failed} failed");
    return failed == 0 ? 0 : 1;
}
