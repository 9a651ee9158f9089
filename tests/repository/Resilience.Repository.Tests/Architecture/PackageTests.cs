using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Resilience.Tests.Architecture;

/// <summary>The package is complete, depends on nothing, and comes out the same when it is made again elsewhere.</summary>
[Trait("Category", "Package")]
[Collection(ProcessesCollection.Name)]
public sealed partial class PackageTests
{
    private const string Address = "https://example.org/resilience";

    [Theory]
    [InlineData("Resilience.Core", new string[0])]
    [InlineData("Resilience.Extensions", new[] { "ConfigurationSchema.json" })]
    [InlineData("Resilience.HealthChecks", new string[0])]
    [InlineData("Resilience.Testing", new string[0])]
    [InlineData("Resilience.AspNetCore", new string[0])]
    [InlineData("Resilience.Sqlite", new string[0])]
    [InlineData("Resilience.PostgreSql", new string[0])]
    [InlineData("Resilience.Redis", new string[0])]
    public async Task The_package_is_complete_and_reproducible(string name, string[] besides)
    {
        string root = Directory.CreateTempSubdirectory("resilience-pack").FullName;
        try
        {
            string first = await PackAsync(name, Path.Combine(root, "here")), second = await PackAsync(name, Path.Combine(root, "there", "and-deeper"));
            using (ZipArchive package = ZipFile.OpenRead(first))
            {
                package.Entries.Select(e => e.FullName).Where(n => n.StartsWith("lib/", StringComparison.Ordinal) || !n.Contains('/', StringComparison.Ordinal))
                    .Should().BeEquivalentTo(
                        ["lib/net10.0/" + name + ".dll", "lib/net10.0/" + name + ".xml", "README.md", "icon.png", name + ".nuspec", "[Content_Types].xml", .. besides]);
                string manifest = Encoding.UTF8.GetString(Content(package, name + ".nuspec"));
                manifest.Should().Contain("<license type=\"expression\">MIT</license>").And.Contain("<icon>icon.png</icon>").And.Contain("<readme>README.md</readme>")
                    .And.Contain("<tags>").And.Contain("<repository type=\"git\"");
                manifest.Should().NotContain(root);
                Addresses(manifest).Should().Equal(
                    name == "Resilience.Core" ? [Address, Address] : Array.Empty<string>(), "it names the address that the publisher sets, or none");
                if (name == "Resilience.Core")
                    Encoding.UTF8.GetString(Content(package, "analyzers/dotnet/cs/Resilience.Analyzers.dll")).Should().Contain(Address + "/blob/v", "help links lead there");
                PackageDependencyTests.Complaints(name, manifest).Should().BeEmpty();
                package.Entries.Select(e => e.FullName).Where(n => n.StartsWith("analyzers/", StringComparison.Ordinal))
                    .Should().BeEquivalentTo(name == "Resilience.Core" ? ["analyzers/dotnet/cs/Resilience.Analyzers.dll"] : Array.Empty<string>());
                manifest.Split('<').Where(e => e.StartsWith("dependency id=\"Resilience", StringComparison.Ordinal))
                    .Should().NotContain(e => e.Contains("Analyzers\"", StringComparison.Ordinal), "the analyzers reach users of packages that build on Resilience");
                if (besides.Length > 0)
                {
                    package.Entries.Select(e => e.FullName).Should().Contain(["build/" + name + ".targets", "buildTransitive/" + name + ".targets"]);
                    JsonDocument.Parse(Content(package, besides[0])).RootElement.GetProperty("properties").GetProperty("Resilience").ValueKind.Should().Be(JsonValueKind.Object);
                }

                SizeOf(Content(package, "icon.png")).Should().Be((128, 128));
                Content(package, $"lib/net10.0/{name}.dll").AsSpan().IndexOf(Encoding.UTF8.GetBytes(root)).Should().Be(-1, "the binary says nothing of the machine that made it");
            }

            using (ZipArchive symbols = ZipFile.OpenRead(Path.ChangeExtension(first, ".snupkg")))
                symbols.Entries.Should().Contain(e => e.FullName == $"lib/net10.0/{name}.pdb");
            if (name == "Resilience.Core") await WarnsAConsumerAsync(Path.GetDirectoryName(first)!, Path.Combine(root, "consumer"));
            Hash(first).Should().Be(Hash(second), "the same source makes the same package, byte for byte");
            Hash(Path.ChangeExtension(first, ".snupkg")).Should().Be(Hash(Path.ChangeExtension(second, ".snupkg")));
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    /// <summary>A project that knows nothing but the package is told of a mistake by its compiler, and builds.</summary>
    private static async Task WarnsAConsumerAsync(string source, string folder)
    {
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "nuget.config"), $"""
            <configuration><packageSources><clear /><add key="packed" value="{source}" /></packageSources></configuration>
            """);
        await File.WriteAllTextAsync(Path.Combine(folder, "Consumer.csproj"), """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings><UseAppHost>false</UseAppHost><NuGetAudit>false</NuGetAudit>
                <RestorePackagesPath>packages</RestorePackagesPath>
              </PropertyGroup>
              <ItemGroup><PackageReference Include="Resilience.Core" Version="*" /></ItemGroup>
            </Project>
            """);
        await File.WriteAllTextAsync(Path.Combine(folder, "Mistake.cs"), """
            public sealed class Prices(HttpClient client)
            {
                public async Task<string> GetAsync() =>
                    await new Resilience.ResiliencePipelineBuilder().Build().ExecuteAsync(ct => client.GetStringAsync("price", ct));
            }
            """);
        (int exit, string log) = await Repository.RunAsync(
            "dotnet", TimeSpan.FromMinutes(5), folder, [], ["build", "--nologo", "-p:OutputType=Library"]);
        exit.Should().Be(0, "{0}", log);
        log.Should().Contain("Mistake.cs(4,15): warning RES101").And.NotContain("warning CS", "the compiler can load the analyzers");
    }

    /// <summary>Where a package says that its project and its source are.</summary>
    private static IEnumerable<string> Addresses(string manifest) => ProjectOrRepository().Matches(manifest).Select(m => m.Groups[1].Value);

    [GeneratedRegex("(?:<projectUrl>|<repository [^>]*url=\")([^\"<]+)")]
    private static partial Regex ProjectOrRepository();

    private static byte[] Content(ZipArchive package, string name)
    {
        using Stream stream = package.GetEntry(name)!.Open();
        using MemoryStream all = new();
        stream.CopyTo(all);
        return all.ToArray();
    }

    /// <summary>Width and height stand in the header of a PNG, after its signature and the length and name of the first chunk.</summary>
    private static (int Width, int Height) SizeOf(byte[] png)
    {
        png.AsSpan(1, 3).SequenceEqual("PNG"u8).Should().BeTrue();
        return (BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16)), BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20)));
    }

    private static string Hash(string file) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)));

    /// <summary>The core is packed as the publisher does it, the others as a build from the sources.</summary>
    private static string[] AddressOf(string name) => name == "Resilience.Core" ? ["-p:RepositoryUrl=" + Address] : [];

    /// <summary>Packs a copy of the sources that stands in a folder of its own: nothing can be left over from another build.</summary>
    private static async Task<string> PackAsync(string name, string folder)
    {
        string[] files =
        [
            .. Repository.Files("src", "*"), Path.Combine(Repository.Root, "docs", "icon.png"),
            .. new[] { "Directory.Build.props", "Directory.Packages.props", "global.json", ".editorconfig" }.Select(f => Path.Combine(Repository.Root, f)),
        ];
        foreach (string file in files)
        {
            string copy = Path.Combine(folder, Repository.Relative(file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        (int exit, string log) = await Repository.RunAsync(
            "dotnet", TimeSpan.FromMinutes(5), folder, new() { ["SOURCE_DATE_EPOCH"] = "1700000000" },
            ["pack", $"src/{name}", "-c", "Release", "-o", "packed", "--nologo", "-p:ContinuousIntegrationBuild=true", .. AddressOf(name)]);
        exit.Should().Be(0, "{0}", log);
        return Directory.GetFiles(Path.Combine(folder, "packed"), "*.nupkg").Single();
    }
}
