using System.Text.Json;

namespace Resilience.Mutants;

/// <summary>A report in the mutation testing report schema (stryker-mutator.io), as far as it is needed here.</summary>
internal static class Report
{
    /// <summary>The mutants that were tried. Those that do not compile and those that were left out are not among them.</summary>
    /// <exception cref="InvalidDataException">A mutant has a status that is not known, or was never tried.</exception>
    internal static IReadOnlyList<TriedMutant> Read(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        string root = document.RootElement.TryGetProperty("projectRoot", out JsonElement given) ? given.GetString()! : "";
        List<TriedMutant> tried = [];
        foreach (JsonProperty file in document.RootElement.GetProperty("files").EnumerateObject())
        {
            string name = NameOf(file.Name, root);
            string[] lines = file.Value.GetProperty("source").GetString()!.Split('\n');
            foreach (JsonElement mutant in file.Value.GetProperty("mutants").EnumerateArray())
            {
                string status = mutant.GetProperty("status").GetString()!;
                if (status is "Ignored" or "CompileError") continue;
                bool isNoticed = status switch
                {
                    "Killed" or "Timeout" => true,
                    "Survived" or "NoCoverage" => false,
                    _ => throw new InvalidDataException($"a mutant of {name} has the status '{status}': the run is not whole"),
                };
                int line = mutant.GetProperty("location").GetProperty("start").GetProperty("line").GetInt32();
                tried.Add(new(Mutant.Of(name, lines[line - 1], mutant.GetProperty("replacement").GetString() ?? ""), isNoticed, status == "Timeout"));
            }
        }

        return tried;
    }

    private static string NameOf(string file, string root)
    {
        string name = (Path.IsPathRooted(file) && root.Length > 0 ? Path.GetRelativePath(root, file) : file).Replace('\\', '/');
        return name.TrimStart('/');
    }
}
