using System.Globalization;

namespace Resilience.StormLab;

/// <summary>Lives through an overload with three sides and shows them side by side.</summary>
internal static class OverloadCommand
{
    internal static async Task<int> RunAsync(string[] arguments)
    {
        (string folder, long seed) = ("storm-report", 1);
        List<string> problems = [];
        OverloadScenario? scenario = null;
        LayerScenario? layers = null;
        for (int i = 0; i < arguments.Length; i += 2)
        {
            string value = i + 1 < arguments.Length ? arguments[i + 1] : "";
            switch (arguments[i])
            {
                case "--overload":
                    scenario = OverloadScenario.Known.FirstOrDefault(s => s.Name == value);
                    layers = LayerScenario.Known.FirstOrDefault(s => s.Name == value);
                    string known = string.Join(", ", OverloadScenario.Known.Select(s => s.Name).Concat(LayerScenario.Known.Select(s => s.Name)));
                    if (scenario is null && layers is null) problems.Add($"--overload is '{value}', but must be one of {known}.");
                    break;
                case "--seed":
                    if (!long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out seed))
                        problems.Add($"--seed is '{value}', but must be a whole number.");
                    break;
                case "--out":
                    folder = value;
                    if (value.Length == 0) problems.Add("--out has no value, but must have one: a folder.");
                    break;
                default:
                    problems.Add($"'{arguments[i]}' is no option of an overload; there are --overload, --seed and --out.");
                    break;
            }
        }

        if ((scenario is null && layers is null) || problems.Count > 0)
        {
            foreach (string problem in problems) await Console.Error.WriteLineAsync(problem);
            return 2;
        }

        if (scenario is not null) await LiveAsync(scenario, seed, folder);
        else await LiveAsync(layers!, seed, folder);
        return 0;
    }

    private static async Task LiveAsync(OverloadScenario scenario, long seed, string folder)
    {
        List<OverloadRun> runs = [];
        foreach (OverloadSide side in Enum.GetValues<OverloadSide>()) runs.Add(await OverloadRun.LiveAsync(scenario, side, seed));
        foreach (string line in OverloadReport.Tell(runs)) Console.WriteLine(line);
        Console.WriteLine($"\n{folder}: {string.Join(", ", OverloadReport.Write(folder, runs))}");
    }

    private static async Task LiveAsync(LayerScenario scenario, long seed, string folder)
    {
        List<LayerRun> runs = [];
        for (int side = 0; side < LayerScenario.Sides.Count; side++) runs.Add(await LayerRun.LiveAsync(scenario, side, seed));
        foreach (string line in LayerReport.Tell(runs)) Console.WriteLine(line);
        Console.WriteLine($"\n{folder}: {LayerReport.Write(folder, runs)}");
    }
}
