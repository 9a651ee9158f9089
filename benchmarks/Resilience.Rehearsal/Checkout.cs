using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Resilience.Rehearsal;

/// <summary>The projects of a checkout that use Polly, each with all of its files. Tests are left out unless there is nothing else.</summary>
internal static partial class Checkout
{
    private const int MaxFiles = 150;

    private const string Usings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http;
        global using System.Threading; global using System.Threading.Tasks;
        """;

    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(p => Path.GetFileName(p) is var name && !name.StartsWith("Microsoft.CodeAnalysis", StringComparison.Ordinal)
                && name is not "Resilience.Rehearsal.dll" and not "Resilience.Migration.Analyzers.dll")
            .Select(p => MetadataReference.CreateFromFile(p)),
    ];

    internal static bool MentionsPolly(string file)
    {
        string text = File.ReadAllText(file);
        return text.Contains("Polly", StringComparison.Ordinal) || text.Contains("ResilienceHandler", StringComparison.Ordinal)
            || text.Contains("AddResiliencePipeline", StringComparison.Ordinal);
    }

    internal static IEnumerable<(string Project, string[] Files)> ProjectsOf(string folder)
    {
        string[] projects = [.. Directory.GetFiles(folder, "*.csproj", SearchOption.AllDirectories).Select(p => Path.GetDirectoryName(p)!).Distinct()];
        (string Project, string[] Files)[] all =
        [
            .. from project in projects
               let files = Directory.GetFiles(project, "*.cs", SearchOption.AllDirectories)
                   .Where(f => !projects.Any(p => p.Length > project.Length && f.StartsWith(p + Path.DirectorySeparatorChar, StringComparison.Ordinal))
                       && !IsBuilt(f)).ToArray()
               where files.Any(MentionsPolly)
               select (project, files),
        ];
        (string Project, string[] Files)[] shipped = [.. all.Where(p => !p.Project.Contains("Test", StringComparison.OrdinalIgnoreCase))];
        return shipped.Length > 0 ? shipped : all;
    }

    /// <summary>Of a large project the files that mention Polly; the rest is stubbed like what is not here.</summary>
    internal static CSharpCompilation Compile(string project, string[] files) =>
        CompileAll(project, files.Length > MaxFiles ? [.. files.Where(MentionsPolly)] : files);

    private static CSharpCompilation CompileAll(string project, string[] files) => CSharpCompilation.Create(
        "Rehearsal",
        [
            CSharpSyntaxTree.ParseText(Usings + UsingsOf(project), path: "Usings.cs"),
            .. files.Select(f => CSharpSyntaxTree.ParseText(File.ReadAllText(f), path: f)),
        ],
        References,
        new(OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true, nullableContextOptions: NullableContextOptions.Annotations));

    /// <summary>What project files import for all files.</summary>
    private static string UsingsOf(string project)
    {
        IEnumerable<string> texts = Directory.GetFiles(project, "*.csproj").Select(File.ReadAllText);
        for (DirectoryInfo? at = new(project); at is not null; at = at.Parent)
        {
            string props = Path.Combine(at.FullName, "Directory.Build.props");
            if (File.Exists(props)) texts = texts.Append(File.ReadAllText(props));
        }

        return string.Concat(texts.SelectMany(t => Using().Matches(t).Select(m => m.Groups[1].Value)).Distinct()
            .Select(u => $"\nglobal using {u};"));
    }

    [GeneratedRegex("<Using Include=\"([\\w.]+)\" */>")]
    private static partial Regex Using();

    private static bool IsBuilt(string file) => file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)
        || file.Contains($"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}", StringComparison.Ordinal);
}
