// Builds the documentation as a site, with the reference of the API, into artifacts/site:
//
//   dotnet run docs/site/build.cs                    builds the projects first
//   dotnet run docs/site/build.cs -- --no-build      takes them as they are (--debug: those of a debug build)
//   dotnet run docs/site/build.cs -- --pages-only    without the reference of the API
//   dotnet run docs/site/build.cs -- page.md …       with more pages (a test plants a broken one)
//
// The pages are those of docs/. They link to the source too, which is no part of a site: such a link leads to the repository where RepositoryUrl is set
// (Directory.Build.props), and is a path to read where it is not. A link that leads nowhere ends the build with an error.
using System.Diagnostics;
using System.Text.RegularExpressions;

// Where this file is compiled with mapped paths (a build of continuous integration) it does not know its own place.
string root = Environment.CurrentDirectory;
while (!File.Exists(Path.Combine(root, "Resilience.sln")))
    root = Path.GetDirectoryName(root) ?? throw new InvalidOperationException("Run it in a folder of the repository.");
string source = Path.Combine(root, "artifacts", "site-source");
string assemblies = Path.Combine(root, "artifacts", "site-assemblies");
string site = Path.Combine(root, "artifacts", "site");
foreach (string made in new[] { source, assemblies, site })
{
    if (Directory.Exists(made)) Directory.Delete(made, recursive: true); // no page of a former run hides that one is missing
}

bool pagesOnly = args.Contains("--pages-only");
if (!args.Contains("--no-build") && !pagesOnly) Run("dotnet", "build", "Resilience.sln", "-c", "Release", "--nologo", "-v", "quiet");
if (!pagesOnly) GatherAssemblies(args.Contains("--debug") ? "Debug" : "Release");
string repository = Output("dotnet", "msbuild", "src/Resilience.Core/Resilience.Core.csproj", "-getProperty:RepositoryUrl").Trim().TrimEnd('/');

string docs = Path.Combine(root, "docs");
foreach (string file in Directory.GetFiles(docs, "*", SearchOption.AllDirectories))
{
    if (!file.StartsWith(Path.Combine(docs, "site"), StringComparison.Ordinal)) Stage(file);
}

foreach (string page in args.Where(a => a.EndsWith(".md", StringComparison.Ordinal))) File.Copy(page, Path.Combine(source, "docs", Path.GetFileName(page)));
Stage(Path.Combine(root, "README.md"));
Stage(Path.Combine(root, "CHANGELOG.md"));
foreach (string file in Directory.GetFiles(Path.Combine(root, "benchmarks", "results"), "*.md")) Stage(file);
File.WriteAllText(Path.Combine(source, "toc.yml"), "- name: Start\n  href: README.md\n- name: Documentation\n  href: docs/README.md\n" + (pagesOnly ? "" : "- name: API\n  href: api/toc.yml\n"));
File.WriteAllText(Path.Combine(source, "index.md"), "---\nredirect_url: README.html\n---\n");

Run("dotnet", "tool", "restore");
string log = Output("dotnet", pagesOnly ? ["docfx", "build", "docs/site/docfx.json", "--disableGitFeatures"] : ["docfx", "docs/site/docfx.json", "--disableGitFeatures"]);
string[] wrong = [.. log.Split('\n').Where(line => line.Contains("warning Invalid", StringComparison.Ordinal) || line.Contains(": error", StringComparison.Ordinal)
    || line.Contains("TooManyWarnings", StringComparison.Ordinal))]; // docfx keeps the rest to itself, broken links too; outputs of projects that are gone do it
foreach (string line in wrong) Console.Error.WriteLine(line);
Console.WriteLine($"{Directory.GetFiles(site, "*.html", SearchOption.AllDirectories).Length} pages in artifacts/site, {wrong.Length} broken links");
return wrong.Length == 0 ? 0 : 1;

// Each package's assembly with its documentation, in one place where they find each other.
void GatherAssemblies(string configuration)
{
    Directory.CreateDirectory(assemblies);
    foreach (string project in Directory.GetDirectories(Path.Combine(root, "src")))
    {
        string output = Path.Combine(project, "bin", configuration, "net10.0");
        if (!Directory.Exists(output)) continue; // analyzers, which are no reference of an application
        foreach (string file in Directory.GetFiles(output)) File.Copy(file, Path.Combine(assemblies, Path.GetFileName(file)), overwrite: true);
    }
}

void Stage(string file)
{
    string target = Path.Combine(source, Path.GetRelativePath(root, file));
    Directory.CreateDirectory(Path.GetDirectoryName(target)!);
    if (file.EndsWith(".md", StringComparison.Ordinal)) File.WriteAllText(target, WithoutLinksToSource(file));
    else File.Copy(file, target);
}

string WithoutLinksToSource(string page) => Regex.Replace(File.ReadAllText(page), @"\[(?<text>(?:[^\[\]]|\[[^\]]*\])*)\]\((?<link>[^)\s#:]+)(?<rest>#[^)]*)?\)", match =>
{
    string path = Path.GetRelativePath(root, Path.GetFullPath(Path.Combine(Path.GetDirectoryName(page)!, match.Groups["link"].Value))).Replace('\\', '/');
    if (IsPage(path)) return match.Value;
    string text = match.Groups["text"].Value;
    if (repository.Length == 0) return text.Contains(path, StringComparison.Ordinal) ? text : $"{text} (`{path}`)";
    return $"[{text}]({repository}/{(Directory.Exists(Path.Combine(root, path)) ? "tree" : "blob")}/main/{path}{match.Groups["rest"].Value})";
});

bool IsPage(string path) =>
    File.Exists(Path.Combine(root, path)) && !path.StartsWith("docs/site/", StringComparison.Ordinal)
    && (path.StartsWith("docs/", StringComparison.Ordinal) || path is "README.md" or "CHANGELOG.md"
        || (path.StartsWith("benchmarks/results/", StringComparison.Ordinal) && path.EndsWith(".md", StringComparison.Ordinal)));

void Run(string program, params string[] arguments)
{
    if (Start(program, arguments, redirect: false, out _) is not 0 and int code) throw new InvalidOperationException($"{program} {arguments[0]} ended with {code}.");
}

string Output(string program, params string[] arguments)
{
    int code = Start(program, arguments, redirect: true, out string output);
    return code == 0 ? output : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {code}:\n{output}");
}

int Start(string program, string[] arguments, bool redirect, out string output)
{
    using Process process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = root, RedirectStandardOutput = redirect })!;
    output = redirect ? process.StandardOutput.ReadToEnd() : "";
    process.WaitForExit();
    return process.ExitCode;
}
