using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Resilience.Tests.Architecture;

/// <summary>The files that a hosting service reads are well formed, and what they call is there. (That they run is seen only there.)</summary>
public sealed partial class WorkflowTests
{
    public static TheoryData<string> Workflows => [.. Repository.Files(".github/workflows", "*.yml").Select(Repository.Relative)];

    public static TheoryData<string> Forms => [.. Repository.Files(".github/ISSUE_TEMPLATE", "*.yml").Select(Repository.Relative)];

    [Theory]
    [MemberData(nameof(Workflows))]
    public void A_workflow_is_bounded_asks_for_few_rights_and_calls_scripts_that_exist(string file) =>
        Complaints(File.ReadAllText(Path.Combine(Repository.Root, file))).ShouldBeNone();

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_form_is_readable(string file) => Parse(File.ReadAllText(Path.Combine(Repository.Root, file))).Children.Should().NotBeEmpty();

    [Theory]
    [InlineData("jobs:\n  a:\n    timeout-minutes: 5\n    steps: []\n", "no permissions")]
    [InlineData("permissions:\n  contents: read\njobs:\n  a:\n    steps:\n      - run: bash .ci/run\n", "a: no timeout")]
    [InlineData("permissions:\n  contents: read\njobs:\n  a:\n    timeout-minutes: 5\n    steps:\n      - run: bash tests/gone.sh\n",
        "a: tests/gone.sh does not exist")]
    [InlineData("permissions:\n  contents: read\njobs:\n  a:\n    timeout-minutes: 5\n    steps:\n      - uses: actions/checkout\n",
        "a: actions/checkout has no version")]
    [InlineData("permissions:\n  contents: read\njobs:\n  a: [\n", "not YAML")]
    [InlineData(
        "permissions:\n  contents: read\njobs:\n  a:\n    timeout-minutes: 5\n    steps:\n      - run: sudo bash .ci/run\n      - run: dotnet pack A.sln\n",
        "a: 'dotnet pack A.sln' writes where root has built")]
    public void A_planted_fault_is_found(string workflow, string complaint) =>
        Complaints(workflow).Should().ContainSingle().Which.Should().StartWith(complaint);

    [Fact]
    public void The_line_length_of_the_editor_is_that_of_the_tests() =>
        File.ReadAllLines(Path.Combine(Repository.Root, ".editorconfig")).Where(l => l.StartsWith("max_line_length", StringComparison.Ordinal))
            .Should().Equal($"max_line_length = {SourceRulesTests.MaxLine}");

    /// <summary>Git guesses by the first bytes whether a file is text: what is not is named, so that it is never changed on its way.</summary>
    private static IEnumerable<string> NotNamedBinary(string attributes, IEnumerable<(string File, byte[] Bytes)> files)
    {
        string[] patterns = [.. attributes.Split('\n').Where(l => l.EndsWith(" binary", StringComparison.Ordinal)).Select(l => l.Split(' ')[0])];
        return files.Where(f => f.Bytes.AsSpan().IndexOf((byte)0) >= 0 || !IsUtf8(f.Bytes))
            .Where(f => !Array.Exists(patterns, p => Covers(p, f.File))).Select(f => f.File);

        static bool Covers(string pattern, string file) => pattern.StartsWith("*.", StringComparison.Ordinal)
            ? file.EndsWith(pattern[1..], StringComparison.Ordinal)
            : file.StartsWith(pattern.TrimEnd('*'), StringComparison.Ordinal);

        static bool IsUtf8(byte[] bytes) => System.Text.Unicode.Utf8.IsValid(bytes);
    }

    [Fact]
    public void Git_is_told_which_files_are_no_text()
    {
        string attributes = File.ReadAllText(Path.Combine(Repository.Root, ".gitattributes"));
        attributes.Should().StartWith("* text=auto eol=lf\n").And.Contain("*.cmd text eol=crlf");
        (string File, byte[] Bytes)[] files = [.. new[] { "src", "tests", "samples", "docs", "benchmarks" }.SelectMany(f => Repository.Files(f, "*"))
            .Where(f => !f.Contains("/artifacts/", StringComparison.Ordinal)).Select(f => (Repository.Relative(f), File.ReadAllBytes(f)))];
        files.Should().Contain(f => f.File.EndsWith(".png"));
        NotNamedBinary(attributes, files).ShouldBeNone();
        NotNamedBinary(attributes, [("docs/planted.gif", [71, 0]), ("docs/latin.txt", [0xe4, 0x20]), ("docs/a.png", [0]), ("docs/a.md", [65])])
            .Should().Equal("docs/planted.gif", "docs/latin.txt");
    }

    [Fact]
    public void The_solution_knows_one_platform() =>
        File.ReadAllLines(Path.Combine(Repository.Root, "Resilience.sln")).Where(line => line.Contains("x64") || line.Contains("x86")).ShouldBeNone();

    private static string[] NotIn(string solution, IEnumerable<string> projects) =>
        [.. projects.Where(p => !solution.Contains($"\"{p.Replace('/', '\\')}\"", StringComparison.Ordinal))];

    /// <summary>What does not stand there is built by no command of the repository, and breaks unseen.</summary>
    [Fact]
    public void Every_project_stands_in_the_solution()
    {
        string solution = File.ReadAllText(Path.Combine(Repository.Root, "Resilience.sln"));
        string[] projects = [.. new[] { "src", "tests", "benchmarks", "samples" }.SelectMany(f => Repository.Files(f, "*.csproj")).Select(Repository.Relative)];
        projects.Should().HaveCountGreaterThan(30);
        NotIn(solution, projects).ShouldBeNone();
        NotIn(solution, ["benchmarks/Planted/Planted.csproj"]).Should().ContainSingle();
    }

    private static List<string> Complaints(string workflow)
    {
        YamlMappingNode root;
        try
        {
            root = Parse(workflow);
        }
        catch (YamlException error)
        {
            return [$"not YAML: {error.Message}"];
        }

        List<string> complaints = [];
        if (!root.Children.ContainsKey("permissions")) complaints.Add("no permissions");
        foreach ((YamlNode name, YamlNode job) in ((YamlMappingNode)root["jobs"]).Children)
        {
            if (!((YamlMappingNode)job).Children.ContainsKey("timeout-minutes")) complaints.Add($"{name}: no timeout");
            bool isRoots = false;
            foreach (YamlMappingNode step in ((YamlSequenceNode)job["steps"]).Children.Cast<YamlMappingNode>())
            {
                if (step.Children.TryGetValue("uses", out YamlNode? uses) && !uses.ToString().Contains('@')) complaints.Add($"{name}: {uses} has no version");
                if (!step.Children.TryGetValue("run", out YamlNode? run)) continue;
                string command = run.ToString();
                if (isRoots && command.StartsWith("dotnet ", StringComparison.Ordinal)) complaints.Add($"{name}: '{command}' writes where root has built");
                isRoots = (isRoots && !command.StartsWith("sudo chown -R", StringComparison.Ordinal)) || command.StartsWith("sudo -E", StringComparison.Ordinal)
                    || command.StartsWith("sudo bash", StringComparison.Ordinal);
                complaints.AddRange(Script().Matches(command).Select(m => m.Groups[1].Value)
                    .Where(script => !File.Exists(Path.Combine(Repository.Root, script))).Select(script => $"{name}: {script} does not exist"));
            }
        }

        return complaints;
    }

    private static YamlMappingNode Parse(string text)
    {
        YamlStream stream = [];
        stream.Load(new StringReader(text));
        return (YamlMappingNode)stream.Documents.Single().RootNode;
    }

    [GeneratedRegex(@"\bbash ([\w./-]+)")]
    private static partial Regex Script();
}
