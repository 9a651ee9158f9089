using System.Text.Json;
using System.Xml.Linq;
using Resilience.Tests.Support;
using YamlDotNet.RepresentationModel;

namespace Resilience.Tests.Architecture;

/// <summary>What the workflows do: they run the two scripts on the systems that the README speaks of, and release what the tag says. And the container for
/// development is one that can be made.</summary>
public sealed class HostedFilesTests
{
    private const string Everything = ".ci/run", SdkAlone = "tests/run.sh";

    private static readonly string[] Systems = ["ubuntu-latest", "windows-latest", "macos-latest", "ubuntu-24.04-arm"];

    private static string Read(string file) => File.ReadAllText(Path.Combine(Repository.Root, file));

    private static YamlMappingNode Parse(string text)
    {
        YamlStream stream = [];
        stream.Load(new StringReader(text));
        return (YamlMappingNode)stream.Documents.Single().RootNode;
    }

    private static IEnumerable<YamlMappingNode> Jobs(string workflow) => ((YamlMappingNode)Parse(workflow)["jobs"]).Children.Values.Cast<YamlMappingNode>();

    private static string[] Commands(YamlMappingNode job) =>
        [.. ((YamlSequenceNode)job["steps"]).Cast<YamlMappingNode>().Where(s => s.Children.ContainsKey("run")).Select(s => s["run"].ToString())];

    private static IEnumerable<string> SystemsOf(YamlMappingNode job) =>
        job["runs-on"].ToString() is var own && !own.Contains("matrix.os", StringComparison.Ordinal) ? [own]
            : ((YamlSequenceNode)job["strategy"]["matrix"]["os"]).Select(s => s.ToString());

    /// <summary>Where the scripts run, and where they do not.</summary>
    private static IEnumerable<string> MissingInBuild(string workflow)
    {
        (YamlMappingNode Job, string[] Commands)[] jobs = [.. Jobs(workflow).Select(j => (j, Commands(j)))];
        foreach (string script in new[] { Everything, SdkAlone })
        {
            if (!jobs.Any(j => Runs(j.Commands, script))) yield return $"no job runs {script}";
        }

        string[] tested = [.. jobs.Where(j => Runs(j.Commands, Everything) || Runs(j.Commands, SdkAlone)).SelectMany(j => SystemsOf(j.Job))];
        foreach (string system in Systems.Except(tested)) yield return $"nothing is tested on {system}";
    }

    private static bool Runs(string[] commands, string script) => commands.Any(c => c.EndsWith($"bash {script}", StringComparison.Ordinal));

    /// <summary>What is published has been tested, and is of the version that its tag says.</summary>
    private static IEnumerable<string> MissingInRelease(string workflow)
    {
        string[] commands = Jobs(workflow).Select(Commands).FirstOrDefault(c => c.Any(IsPack)) ?? [];
        int pack = Array.FindIndex(commands, IsPack);
        if (pack < 0) yield return "nothing is packed";
        if (Array.FindIndex(commands, IsComparison) is var compared && (compared < 0 || compared > pack)) yield return "the tag is not compared before packing";
        if (Array.FindIndex(commands, c => Runs([c], Everything)) is var tested && (tested < 0 || tested > pack)) yield return $"{Everything} does not run before packing";

        static bool IsPack(string command) => command.StartsWith("dotnet pack ", StringComparison.Ordinal);
    }

    private static bool IsComparison(string command) =>
        command.Contains("$GITHUB_REF_NAME", StringComparison.Ordinal) && command.Contains("-getProperty:Version", StringComparison.Ordinal)
            && command.Contains("exit 1", StringComparison.Ordinal);

    [Fact]
    public void The_scripts_run_on_four_systems()
    {
        string build = Read(".github/workflows/build.yml");
        MissingInBuild(build).ShouldBeNone();
        MissingInBuild(build.Replace("macos-latest, ", "", StringComparison.Ordinal)).Should().Equal("nothing is tested on macos-latest");
        MissingInBuild(build.Replace("bash tests/run.sh", "echo tests/run.sh", StringComparison.Ordinal)).Should().Equal(
            "no job runs tests/run.sh", "nothing is tested on windows-latest", "nothing is tested on macos-latest", "nothing is tested on ubuntu-24.04-arm");
        MissingInBuild(build.Replace("bash .ci/run", "bash .ci/run || true", StringComparison.Ordinal)).Should().Equal(
            "no job runs .ci/run", "nothing is tested on ubuntu-latest");
    }

    [Fact]
    public void A_release_is_tested_and_of_the_version_of_its_tag()
    {
        string release = Read(".github/workflows/release.yml");
        MissingInRelease(release).ShouldBeNone();
        MissingInRelease(release.Replace("exit 1", "true", StringComparison.Ordinal)).Should().Equal("the tag is not compared before packing");
        MissingInRelease(release.Replace("bash .ci/run", "true", StringComparison.Ordinal)).Should().Equal(".ci/run does not run before packing");
        MissingInRelease(release.Replace("dotnet pack", "dotnet build", StringComparison.Ordinal)).Should().Contain("nothing is packed");
    }

    [Theory]
    [Requires(Tool.Bash)]
    [InlineData("v{0}", 0)]
    [InlineData("v{0}.1", 1)]
    [InlineData("{0}", 1)]
    [InlineData("v", 1)]
    public async Task The_step_that_compares_the_tag_stops_the_release_of_another_version(string tag, int expected)
    {
        string version = XDocument.Load(Path.Combine(Repository.Root, "Directory.Build.props")).Descendants("Version").Single().Value;
        string command = Jobs(Read(".github/workflows/release.yml")).SelectMany(Commands).Single(IsComparison);
        (int exit, string printed) = await Repository.RunAsync(
            "bash", TimeSpan.FromMinutes(5), Repository.Root, new() { ["GITHUB_REF_NAME"] = tag.Replace("{0}", version, StringComparison.Ordinal) },
            ["-e", "-c", command]);
        exit.Should().Be(expected, "{0}", printed);
    }

    /// <summary>What is wrong with the container for development.</summary>
    private static IEnumerable<string> FaultsOfContainer(string text, string sdk)
    {
        JsonElement root;
        string? error = null;
        try
        {
            root = JsonSerializer.Deserialize<JsonElement>(text);
        }
        catch (JsonException wrong)
        {
            (root, error) = (default, wrong.Message);
        }

        if (error is not null || root.ValueKind != JsonValueKind.Object)
        {
            yield return $"not JSON: {error}";
            yield break;
        }

        string line = string.Join('.', sdk.Split('.').Take(2));
        if (!root.TryGetProperty("image", out JsonElement image) || !image.GetString()!.EndsWith($"-{line}", StringComparison.Ordinal))
            yield return $"its image has not the SDK {line}";
        string command = root.TryGetProperty("postCreateCommand", out JsonElement create) ? create.GetString()! : "";
        foreach (string file in command.Split(' ').Where(w => w.EndsWith(".sln", StringComparison.Ordinal) && !File.Exists(Path.Combine(Repository.Root, w))))
            yield return $"{file} does not exist";
    }

    [Fact]
    public void The_container_for_development_has_the_SDK_and_restores_what_is_there()
    {
        string sdk = JsonSerializer.Deserialize<JsonElement>(Read("global.json")).GetProperty("sdk").GetProperty("version").GetString()!;
        string container = Read(".devcontainer/devcontainer.json");
        FaultsOfContainer(container, sdk).ShouldBeNone();
        FaultsOfContainer(container, "11.0.100").Should().Equal("its image has not the SDK 11.0");
        FaultsOfContainer(container.Replace("Resilience.sln", "Gone.sln", StringComparison.Ordinal), sdk).Should().Equal("Gone.sln does not exist");
        FaultsOfContainer(container[..^3], sdk).Should().ContainSingle().Which.Should().StartWith("not JSON");
    }
}
