using System.Reflection;
using PublicApiGenerator;

namespace Resilience.Tests.Architecture;

/// <summary>The public surface is a reviewed file: a change of it shows in the diff.</summary>
public sealed class PublicApiTests
{
    private const string Accept = "RESILIENCE_ACCEPT_API";

    public static TheoryData<string> Packages => [.. TypeNamesTests.Ours.Select(a => a.GetName().Name!)];

    [Theory]
    [MemberData(nameof(Packages))]
    public void The_public_surface_is_the_one_recorded_beside_the_code(string package)
    {
        Assembly assembly = TypeNamesTests.Ours.Single(a => a.GetName().Name == package);
        string file = Path.Combine(Repository.Root, "src", package, "PublicApi.txt");
        string now = assembly.GeneratePublicApi(new ApiGeneratorOptions { IncludeAssemblyAttributes = false, DenyNamespacePrefixes = [] })
            .ReplaceLineEndings("\n") + "\n";
        if (Environment.GetEnvironmentVariable(Accept) == "1") File.WriteAllText(file, now);
        File.Exists(file).Should().BeTrue("the public surface is recorded in {0}", file);
        string[] recorded = File.ReadAllText(file).ReplaceLineEndings("\n").Split('\n'), present = now.Split('\n');
        string[] gone = [.. recorded.Except(present).Select(l => $"- {l.Trim()}")], came = [.. present.Except(recorded).Select(l => $"+ {l.Trim()}")];
        string.Join("\n", recorded).Should().Be(
            string.Join("\n", present),
            "a change of the public surface is reviewed: look at the lines below, and if they are meant, run the test with {0}=1 and commit the file.\n{1}",
            Accept,
            string.Join("\n", gone.Concat(came)));
    }
}
