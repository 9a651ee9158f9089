using System.Globalization;
using Resilience.Instructions;

// Resilience.Instructions OPERATION TIMES   does one operation so many times; what a single one costs is the difference of two runs
// Resilience.Instructions list              names the operations
if (args is ["list"])
{
    foreach (string name in Operations.All.Keys) Console.WriteLine(name);
    return 0;
}

if (args.Length != 2 || !Operations.All.TryGetValue(args[0], out Func<Action<int>>? make))
{
    Console.Error.WriteLine("Give an operation (see 'list') and how many times.");
    return 2;
}

make()(int.Parse(args[1], CultureInfo.InvariantCulture));
return 0;
