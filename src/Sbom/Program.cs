using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;

// Sbom ASSETS NAME VERSION LICENSE OUTPUT   writes what a package brings along, as CycloneDX 1.6, from the lock file of its restore (project.assets.json).
// The same restore gives the same bytes: nothing in it tells when or where it was written.
if (args.Length != 5)
{
    Console.Error.WriteLine("Sbom ASSETS NAME VERSION LICENSE OUTPUT");
    return 2;
}

JsonNode assets = JsonNode.Parse(File.ReadAllText(args[0]))!;
Dictionary<string, JsonNode> restored = assets["targets"]!.AsObject().Single().Value!.AsObject()
    .ToDictionary(l => l.Key.Split('/')[0], l => l.Value!, StringComparer.OrdinalIgnoreCase);
Dictionary<string, string> full = assets["targets"]!.AsObject().Single().Value!.AsObject()
    .ToDictionary(l => l.Key.Split('/')[0], l => l.Key, StringComparer.OrdinalIgnoreCase);

string[] own = [.. Direct().Order(StringComparer.Ordinal)];
SortedSet<string> all = new(StringComparer.Ordinal);
Queue<string> left = new(own);
while (left.TryDequeue(out string? name))
{
    if (!all.Add(full[name])) continue;
    foreach (string next in Needs(name)) left.Enqueue(next);
}

string root = Reference(args[1], args[2]);
JsonObject bom = new()
{
    ["bomFormat"] = "CycloneDX",
    ["specVersion"] = "1.6",
    ["version"] = 1,
    ["metadata"] = new JsonObject { ["component"] = Component(args[1], args[2], args[3]) },
    ["components"] = new JsonArray([.. all.Select(library => (JsonNode)Restored(library))]),
    ["dependencies"] = new JsonArray(
        [Dependency(root, own), .. all.Select(library => (JsonNode)Dependency(Reference(library), Needs(library.Split('/')[0])))]),
};
Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(args[4]))!);
File.WriteAllText(args[4], bom.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" }) + "\n");
return 0;

// What the project passes on: what works at its build alone (analyzers, the linker) is suppressed for those who use it.
IEnumerable<string> Direct()
{
    JsonObject packages = assets["project"]!["frameworks"]!.AsObject().Single().Value!["dependencies"]?.AsObject() ?? [];
    foreach ((string name, JsonNode? reference) in packages)
    {
        if (reference?["suppressParent"]?.GetValue<string>() != "All") yield return name;
    }

    JsonObject projects = assets["project"]!["restore"]!["frameworks"]!.AsObject().Single().Value!["projectReferences"]?.AsObject() ?? [];
    foreach ((string path, JsonNode? reference) in projects)
    {
        if (reference?["privateAssets"]?.GetValue<string>() != "all") yield return Path.GetFileNameWithoutExtension(path.Replace('\\', '/'));
    }
}

IEnumerable<string> Needs(string name) => (restored[name]["dependencies"]?.AsObject() ?? []).Select(d => d.Key).Order(StringComparer.Ordinal);

static string Reference(string nameOrLibrary, string? version = null) =>
    version is null ? $"pkg:nuget/{nameOrLibrary.Replace('/', '@')}" : $"pkg:nuget/{nameOrLibrary}@{version}";

JsonObject Dependency(string reference, IEnumerable<string> on) => new()
{
    ["ref"] = reference,
    ["dependsOn"] = new JsonArray([.. on.Select(name => (JsonNode)Reference(full[name]))]),
};

static JsonObject Component(string name, string version, string? license, bool isExpression = true)
{
    JsonObject component = new()
    {
        ["type"] = "library",
        ["bom-ref"] = Reference(name, version),
        ["name"] = name,
        ["version"] = version,
        ["purl"] = Reference(name, version),
    };
    if (license is not null)
    {
        component["licenses"] = new JsonArray(
            isExpression ? new JsonObject { ["expression"] = license } : new JsonObject { ["license"] = new JsonObject { ["name"] = license } });
    }

    return component;
}

JsonObject Restored(string library)
{
    string[] parts = library.Split('/');
    JsonNode kept = assets["libraries"]![library]!;
    (string? license, bool isExpression) = kept["type"]!.GetValue<string>() == "project" ? (args[3], true) : LicenseOf(kept);
    JsonObject component = Component(parts[0], parts[1], license, isExpression);
    if (kept["sha512"]?.GetValue<string>() is { } hash)
        component["hashes"] = new JsonArray(new JsonObject { ["alg"] = "SHA-512", ["content"] = Convert.ToHexStringLower(Convert.FromBase64String(hash)) });
    return component;
}

// As the package's manifest tells it: an expression, or a file in the package.
(string? License, bool IsExpression) LicenseOf(JsonNode library)
{
    string manifest = library["files"]!.AsArray().Select(f => f!.GetValue<string>()).Single(f => f.EndsWith(".nuspec", StringComparison.Ordinal));
    string? file = assets["packageFolders"]!.AsObject()
        .Select(folder => Path.Combine(folder.Key, library["path"]!.GetValue<string>(), manifest)).FirstOrDefault(File.Exists);
    XElement? license = file is null ? null : XDocument.Load(file).Descendants().FirstOrDefault(e => e.Name.LocalName == "license");
    return license is null ? (null, true)
        : license.Attribute("type")?.Value == "expression" ? (license.Value, true)
        : ($"the text in its package: {license.Value}", false);
}
