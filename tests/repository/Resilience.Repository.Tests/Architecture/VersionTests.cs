using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Resilience.Tests.Architecture;

/// <summary>The version stands in Directory.Build.props alone; whatever tells it reads it from the assembly.</summary>
public sealed partial class VersionTests
{
    private const string Home = "Directory.Build.props";

    private static readonly string[] Kinds = ["*.cs", "*.csproj", "*.props", "*.targets", "*.sh", "*.yml", "*.json", "run"];

    private static readonly string Version = XDocument.Load(Path.Combine(Repository.Root, Home)).Descendants("Version").Single().Value;

    /// <summary>Whatever is built, run or read by a machine. Pages and recorded figures may say which version they speak of.</summary>
    private static IEnumerable<string> Files() =>
        new[] { "src", "samples", "tests", "benchmarks", ".github", ".ci", ".devcontainer" }
            .SelectMany(folder => Kinds.SelectMany(kind => Repository.Files(folder, kind))).Select(Repository.Relative).Append(Home)
            .Where(f => !f.EndsWith("/VersionTests.cs", StringComparison.Ordinal) && !f.StartsWith("benchmarks/results/", StringComparison.Ordinal));

    private static IEnumerable<string> SecondPlaces(string file, string text)
    {
        if (file != Home && Regex.IsMatch(text, $@"(?<![\w.]){Regex.Escape(Version)}(?![\w.])"))
            yield return $"{file} says {Version}";
        if (file != Home && !file.EndsWith(".sh", StringComparison.Ordinal) && VersionElement().Match(text) is { Success: true } element)
            yield return $"{file} sets {element.Groups[1].Value}";
        if (file.StartsWith("src/", StringComparison.Ordinal) && VersionLiteral().Match(text) is { Success: true } literal)
            yield return $"{file} holds {literal.Value}";
    }

    [Fact]
    public void The_version_stands_in_one_place()
    {
        string[] files = [.. Files()];
        files.Should().HaveCountGreaterThan(400).And.OnlyHaveUniqueItems();
        files.SelectMany(f => SecondPlaces(f, File.ReadAllText(Path.Combine(Repository.Root, f)))).ShouldBeNone();
    }

    [Theory]
    [InlineData("src/P/Planted.cs", "Meter m = new(\"x\", \"9.8.7\");", "src/P/Planted.cs holds \"9.8.7\"")]
    [InlineData("src/P/Planted.cs", "const string Now = \"1.2.3-beta.4\";", "src/P/Planted.cs holds \"1.2.3-beta.4\"")]
    [InlineData("src/P/P.csproj", "<Version>9.8.7</Version>", "src/P/P.csproj sets Version")]
    [InlineData("tests/P/P.csproj", "<AssemblyVersion>1.0</AssemblyVersion>", "tests/P/P.csproj sets AssemblyVersion")]
    [InlineData("benchmarks/planted.sh", "program ours Resilience.Extensions {0} x", "benchmarks/planted.sh says {0}")]
    [InlineData(".github/ISSUE_TEMPLATE/planted.yml", "placeholder: {0}, Linux", ".github/ISSUE_TEMPLATE/planted.yml says {0}")]
    public void A_planted_second_place_is_found(string file, string text, string complaint)
    {
        SecondPlaces(file, text.Replace("{0}", Version, StringComparison.Ordinal)).Should().Equal(complaint.Replace("{0}", Version, StringComparison.Ordinal));
        SecondPlaces("src/P/Planted.cs", $"// since {Version}1, v{Version}.1, 10.{Version}; \"127.0.0.1\"").ShouldBeNone();
    }

    [Fact]
    public void The_meter_and_the_activity_source_tell_the_version_of_the_package()
    {
        ResilienceTelemetry.Version.Should().Be(Version);
        ResilienceTelemetry.Meter.Version.Should().Be(Version);
        ResilienceTelemetry.Source.Version.Should().Be(Version);
    }

    [Theory]
    [InlineData("1.2.3", "1.2.3")]
    [InlineData("1.2.3-beta.4+0f3c", "1.2.3-beta.4")]
    [InlineData("1.2.3+0f3c", "1.2.3")]
    [InlineData(null, null)]
    public void What_follows_a_plus_is_about_the_build(string? informational, string? version) =>
        ResilienceTelemetry.WithoutBuild(informational).Should().Be(version);

    [GeneratedRegex("<(Version|VersionPrefix|VersionSuffix|PackageVersion|AssemblyVersion|FileVersion|InformationalVersion)>")]
    private static partial Regex VersionElement();

    [GeneratedRegex(@"""\d+\.\d+\.\d+(-[\w.]+)?""")]
    private static partial Regex VersionLiteral();
}
