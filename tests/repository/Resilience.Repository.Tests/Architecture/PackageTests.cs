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
public sealed partial class PackageTests(PackageTests.PackedTwice packed) : IClassFixture<PackageTests.PackedTwice>
{
    private const string Address = "https://example.org/resilience";

    /// <summary>All packages, made twice from copies of the sources that stand in folders of their own (nothing can be left over from another build), and
    /// once more without the address that a publisher sets.</summary>
    public sealed class PackedTwice : IAsyncLifetime
    {
        private readonly string _root = Directory.CreateTempSubdirectory("resilience-pack").FullName;

        internal string Root => _root;

        internal string First { get; private set; } = "";

        internal string Second { get; private set; } = "";

        internal string WithoutAddress { get; private set; } = "";

        public async Task InitializeAsync()
        {
            string here = Path.Combine(_root, "here"), there = Path.Combine(_root, "there", "and-deeper");
            (First, Second) = (await PackAsync(here, "packed", "-p:RepositoryUrl=" + Address), await PackAsync(there, "packed", "-p:RepositoryUrl=" + Address));
            WithoutAddress = await PackAsync(here, "without", "--no-build");
        }

        public Task DisposeAsync()
        {
            Directory.Delete(_root, recursive: true);
            return Task.CompletedTask;
        }

        private static async Task<string> PackAsync(string folder, string output, string argument)
        {
            if (!Directory.Exists(folder)) CopySources(folder);
            (int exit, string log) = await Repository.RunAsync(
                "dotnet", TimeSpan.FromMinutes(10), folder, new() { ["SOURCE_DATE_EPOCH"] = "1700000000" },
                ["pack", "All.slnx", "-c", "Release", "-o", output, "--nologo", "-p:ContinuousIntegrationBuild=true", argument]);
            exit.Should().Be(0, "{0}", log);
            return Path.Combine(folder, output);
        }

        private static void CopySources(string folder)
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

            IEnumerable<string> projects = Repository.Files("src", "*.csproj").Select(p => $"<Project Path=\"{Repository.Relative(p)}\" />");
            File.WriteAllText(Path.Combine(folder, "All.slnx"), $"<Solution>{string.Concat(projects)}</Solution>");
        }
    }

    [Theory]
    [InlineData("Resilience.Core", new string[0])]
    [InlineData("Resilience.Extensions", new[] { "ConfigurationSchema.json" })]
    [InlineData("Resilience.HealthChecks", new string[0])]
    [InlineData("Resilience.Testing", new string[0])]
    [InlineData("Resilience.AspNetCore", new string[0])]
    [InlineData("Resilience.Grpc", new[] { "ConfigurationSchema.json" })]
    [InlineData("Resilience.Grpc.AspNetCore", new string[0])]
    [InlineData("Resilience.Sqlite", new string[0])]
    [InlineData("Resilience.PostgreSql", new string[0])]
    [InlineData("Resilience.Redis", new string[0])]
    [InlineData("Resilience.EntityFrameworkCore", new string[0])]
    [InlineData("Resilience.Polly", new string[0])]
    [InlineData("Resilience.SqlServer", new string[0])]
    [InlineData("Resilience.Aws", new string[0])]
    [InlineData("Resilience.Azure", new string[0])]
    [InlineData("Resilience.ClientModel", new string[0])]
    public async Task The_package_is_complete_and_reproducible(string name, string[] besides)
    {
        string first = PackageIn(packed.First, name), second = PackageIn(packed.Second, name);
        using (ZipArchive package = ZipFile.OpenRead(first))
        {
            package.Entries.Select(e => e.FullName).Where(n => n.StartsWith("lib/", StringComparison.Ordinal) || !n.Contains('/', StringComparison.Ordinal))
                .Should().BeEquivalentTo(
                    ["lib/net10.0/" + name + ".dll", "lib/net10.0/" + name + ".xml", "README.md", "icon.png", name + ".nuspec", "[Content_Types].xml", .. besides]);
            string manifest = Manifest(package, name);
            manifest.Should().Contain("<license type=\"expression\">MIT</license>").And.Contain("<icon>icon.png</icon>")
                .And.Contain("<readme>README.md</readme>")
                .And.Contain("<tags>").And.Contain("<repository type=\"git\"");
            manifest.Should().NotContain(packed.Root);
            Addresses(manifest).Should().Equal([Address, Address], "it names the address that the publisher sets");
            if (name == "Resilience.Core")
                Encoding.UTF8.GetString(Content(package, "analyzers/dotnet/cs/Resilience.Analyzers.dll"))
                    .Should().Contain(Address + "/blob/v", "help links lead there");
            PackageDependencyTests.Complaints(name, manifest).ShouldBeNone();
            package.Entries.Select(e => e.FullName).Where(n => n.StartsWith("analyzers/", StringComparison.Ordinal))
                .Should().BeEquivalentTo(name == "Resilience.Core"
                    ? ["analyzers/dotnet/cs/Resilience.Analyzers.dll", "analyzers/dotnet/cs/Resilience.CodeFixes.dll"] : Array.Empty<string>());
            manifest.Split('<').Where(e => e.StartsWith("dependency id=\"Resilience", StringComparison.Ordinal))
                .Should().NotContain(e => e.Contains("Analyzers\"", StringComparison.Ordinal) || e.Contains("CodeFixes\"", StringComparison.Ordinal),
                    "the analyzers reach users of packages that build on Resilience");
            if (besides.Length > 0)
            {
                package.Entries.Select(e => e.FullName).Should().Contain(["build/" + name + ".targets", "buildTransitive/" + name + ".targets"]);
                JsonDocument.Parse(Content(package, besides[0])).RootElement.GetProperty("properties").GetProperty("Resilience")
                    .ValueKind.Should().Be(JsonValueKind.Object);
            }

            string bom = Encoding.UTF8.GetString(Content(package, "_manifest/bom.cdx.json"));
            BillOfMaterials.Problems(name, bom, manifest).ShouldBeNone();
            bom.Should().NotContain(packed.Root).And.NotContain(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile));
            SizeOf(Content(package, "icon.png")).Should().Be((128, 128));
            Content(package, $"lib/net10.0/{name}.dll").AsSpan().IndexOf(Encoding.UTF8.GetBytes(packed.Root))
                .Should().Be(-1, "the binary says nothing of the machine that made it");
        }

        using (ZipArchive without = ZipFile.OpenRead(PackageIn(packed.WithoutAddress, name)))
            Addresses(Manifest(without, name)).ShouldBeNone("it names no address when the publisher sets none");
        using (ZipArchive symbols = ZipFile.OpenRead(Path.ChangeExtension(first, ".snupkg")))
            symbols.Entries.Should().Contain(e => e.FullName == $"lib/net10.0/{name}.pdb");
        if (name == "Resilience.Core") await WarnsAConsumerAsync(packed.First, Path.Combine(packed.Root, "consumer"));
        Hash(first).Should().Be(Hash(second), "the same source makes the same package, byte for byte");
        Hash(Path.ChangeExtension(first, ".snupkg")).Should().Be(Hash(Path.ChangeExtension(second, ".snupkg")));
    }

    [Fact]
    public void The_package_of_the_move_carries_an_analyzer_and_repairs_and_no_library()
    {
        string first = PackageIn(packed.First, "Resilience.Migration"), second = PackageIn(packed.Second, "Resilience.Migration");
        using (ZipArchive package = ZipFile.OpenRead(first))
        {
            package.Entries.Select(e => e.FullName).Where(n => n.EndsWith(".dll", StringComparison.Ordinal)).Should().BeEquivalentTo(
                ["analyzers/dotnet/cs/Resilience.Migration.dll", "analyzers/dotnet/cs/Resilience.Migration.Analyzers.dll"]);
            string manifest = Manifest(package, "Resilience.Migration");
            manifest.Should().Contain("<developmentDependency>true</developmentDependency>").And.NotContain("<dependency ").And.NotContain(packed.Root)
                .And.Contain("<license type=\"expression\">MIT</license>").And.Contain("<readme>README.md</readme>");
            Encoding.UTF8.GetString(Content(package, "analyzers/dotnet/cs/Resilience.Migration.Analyzers.dll"))
                .Should().Contain(Address + "/blob/v", "help links lead there");
        }

        Hash(first).Should().Be(Hash(second), "the same source makes the same package, byte for byte");
    }

    [Fact]
    public void No_other_package_is_made()
    {
        string[] checkedHere =
        [
            "Resilience.Migration",
            .. typeof(PackageTests).GetMethod(nameof(The_package_is_complete_and_reproducible))!.GetCustomAttributesData()
                .Where(a => a.AttributeType == typeof(InlineDataAttribute))
                .Select(a => (string)((IReadOnlyCollection<System.Reflection.CustomAttributeTypedArgument>)a.ConstructorArguments[0].Value!).First().Value!),
        ];
        Directory.GetFiles(packed.First, "*.nupkg").Select(f => PackageName().Match(Path.GetFileName(f)).Groups[1].Value).Should().BeEquivalentTo(checkedHere);
    }

    private static string PackageIn(string folder, string name) =>
        Directory.GetFiles(folder, "*.nupkg").Single(f => PackageName().Match(Path.GetFileName(f)).Groups[1].Value == name);

    [GeneratedRegex(@"^(.+?)\.\d+\.\d+\.\d+.*\.nupkg$")]
    private static partial Regex PackageName();

    private static string Manifest(ZipArchive package, string name) => Encoding.UTF8.GetString(Content(package, name + ".nuspec")).TrimStart('\uFEFF');

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
}
