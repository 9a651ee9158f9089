using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Resilience.Tests.Architecture;

/// <summary>What a bill of materials (CycloneDX) must hold, against the manifest of its package.</summary>
internal static partial class BillOfMaterials
{
    internal static IEnumerable<string> Problems(string package, string bom, string manifest)
    {
        JsonNode root = JsonNode.Parse(bom)!;
        if ($"{root["bomFormat"]} {root["specVersion"]}" != "CycloneDX 1.6") yield return "it is not CycloneDX 1.6";
        if (root["metadata"]?["component"]?["name"]?.ToString() != package) yield return $"it is not about {package}";
        string own = root["metadata"]?["component"]?["bom-ref"]?.ToString() ?? "";
        Dictionary<string, JsonNode> components = root["components"]!.AsArray().ToDictionary(c => c!["bom-ref"]!.ToString(), c => c!);
        Dictionary<string, string[]> needs = root["dependencies"]!.AsArray()
            .ToDictionary(d => d!["ref"]!.ToString(), d => d!["dependsOn"]!.AsArray().Select(o => o!.ToString()).ToArray());

        string[] direct = [.. XDocument.Parse(manifest).Descendants().Where(e => e.Name.LocalName == "dependency")
            .Select(e => $"pkg:nuget/{e.Attribute("id")!.Value}@{e.Attribute("version")!.Value}")];
        foreach (string missing in direct.Except(needs.GetValueOrDefault(own, []))) yield return $"{missing} is in the manifest and not in the bill";
        foreach (string more in needs.GetValueOrDefault(own, []).Except(direct)) yield return $"{more} is in the bill and not in the manifest";
        foreach (string unknown in needs.Values.SelectMany(n => n).Distinct().Where(n => !components.ContainsKey(n))) yield return $"{unknown} is no component";
        HashSet<string> reached = [own];
        Queue<string> left = new([own]);
        while (left.TryDequeue(out string? next))
        {
            foreach (string to in needs.GetValueOrDefault(next, []).Where(reached.Add)) left.Enqueue(to);
        }

        foreach ((string reference, JsonNode component) in components)
        {
            if (!reached.Contains(reference)) yield return $"{reference} is needed by nothing";
            if (component["purl"]?.ToString() != reference) yield return $"{reference} has another address";
            JsonNode? license = component["licenses"]?.AsArray().FirstOrDefault();
            if (license?["expression"] is null && license?["license"]?["name"] is null) yield return $"{reference} has no licence";
            bool isOurs = reference.StartsWith("pkg:nuget/Resilience.", StringComparison.Ordinal);
            if (!isOurs && !Hash().IsMatch(component["hashes"]?.AsArray().FirstOrDefault()?["content"]?.ToString() ?? ""))
                yield return $"{reference} has no hash";
        }
    }

    [GeneratedRegex("^[0-9a-f]{128}$")]
    private static partial Regex Hash();
}
