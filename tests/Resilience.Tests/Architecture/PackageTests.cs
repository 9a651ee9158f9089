using System.IO.Compression;
using System.Security.Cryptography;

namespace Resilience.Tests.Architecture;

/// <summary>The package is complete, depends on nothing, and comes out the same when it is packed again.</summary>
[Trait("Category", "Package")]
[Collection(ProcessesCollection.Name)]
public sealed class PackageTests
{
    [Fact]
    public async Task The_package_is_complete_and_reproducible()
    {
        string root = Directory.CreateTempSubdirectory("resilience-pack").FullName;
        try
        {
            string first = await PackAsync(Path.Combine(root, "1")), second = await PackAsync(Path.Combine(root, "2"));
            using (ZipArchive package = ZipFile.OpenRead(first))
            {
                package.Entries.Select(e => e.FullName).Should().Contain(["lib/net10.0/Resilience.dll", "lib/net10.0/Resilience.xml", "README.md", "icon.png", "Resilience.nuspec"]);
                using StreamReader reader = new(package.GetEntry("Resilience.nuspec")!.Open());
                string manifest = await reader.ReadToEndAsync();
                manifest.Should().Contain("<license type=\"expression\">MIT</license>").And.Contain("<icon>icon.png</icon>").And.Contain("<readme>README.md</readme>");
                manifest.Should().NotContain("<dependency ");
            }

            using (ZipArchive symbols = ZipFile.OpenRead(Path.ChangeExtension(first, ".snupkg")))
                symbols.Entries.Should().Contain(e => e.FullName == "lib/net10.0/Resilience.pdb");
            Hash(first).Should().Be(Hash(second), "the same source makes the same package, byte for byte");
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static string Hash(string file) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)));

    private static async Task<string> PackAsync(string folder)
    {
        Environment.SetEnvironmentVariable("SOURCE_DATE_EPOCH", "1700000000");
        (int exit, string log) = await Repository.RunAsync(
            "dotnet", TimeSpan.FromMinutes(5), "pack", "src/Resilience", "-c", "Release", "-o", folder, "--nologo", $"-p:BaseOutputPath={folder}/bin/", "-p:ContinuousIntegrationBuild=true");
        exit.Should().Be(0, "{0}", log);
        return Directory.GetFiles(folder, "*.nupkg").Single();
    }
}
