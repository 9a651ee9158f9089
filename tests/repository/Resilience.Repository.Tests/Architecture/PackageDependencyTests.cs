using System.Reflection;
using System.Text.Json;
using System.Xml.Linq;

namespace Resilience.Tests.Architecture;

/// <summary>What a package brings along: its manifest (read from the package by <see cref="PackageTests"/>), the references of its assembly, and all that is
/// restored with it.</summary>
public sealed class PackageDependencyTests
{
    private const string Core = "Resilience.Core", Extensions = "Resilience.Extensions";

    /// <summary>What the manifest of a package says, and nothing else.</summary>
    private static readonly Dictionary<string, string[]> Expected = new(StringComparer.Ordinal)
    {
        [Core] = [],
        ["Resilience.Testing"] = [Core],
        [Extensions] =
        [
            Core, "Microsoft.Extensions.DependencyInjection.Abstractions", "Microsoft.Extensions.Options",
                "Microsoft.Extensions.Options.ConfigurationExtensions",
            "Microsoft.Extensions.Logging.Abstractions", "Microsoft.Extensions.Http", "Microsoft.Extensions.Hosting.Abstractions", "System.Threading.RateLimiting",
        ],
        ["Resilience.HealthChecks"] = [Extensions, "Microsoft.Extensions.Diagnostics.HealthChecks"],
        ["Resilience.AspNetCore"] = [Extensions],
        ["Resilience.EntityFrameworkCore"] = [Extensions, "Microsoft.EntityFrameworkCore.Relational"],
        ["Resilience.Grpc"] = [Extensions, "Google.Protobuf", "Grpc.Core.Api", "Grpc.Net.ClientFactory"],
        ["Resilience.Grpc.AspNetCore"] = ["Resilience.AspNetCore", "Grpc.AspNetCore.Server"],
        ["Resilience.Sqlite"] = [Core, "Microsoft.Data.Sqlite"],
        ["Resilience.PostgreSql"] = [Core, "Npgsql"],
        ["Resilience.Redis"] = [Core, "StackExchange.Redis"],
        ["Resilience.Polly"] = [Core, "Polly"],
        ["Resilience.SqlServer"] = [Core, "Microsoft.Data.SqlClient"],
        ["Resilience.Aws"] = [Core, "AWSSDK.Core"],
        ["Resilience.Azure"] = [Extensions, "Azure.Core"],
        ["Resilience.ClientModel"] = [Extensions, "System.ClientModel"],
    };

    /// <summary>What comes with a store: the driver's own, the core, and at most the abstractions of the container and of logging.</summary>
    private static readonly string[] WithStores =
    [
        Core, "Microsoft.Data.Sqlite", "Microsoft.Data.Sqlite.Core", "SQLitePCLRaw.*", "Npgsql", "StackExchange.Redis", "RESPite", "System.IO.Hashing",
        "Microsoft.Extensions.DependencyInjection.Abstractions", "Microsoft.Extensions.Logging.Abstractions",
        "Microsoft.CodeAnalysis.BannedApiAnalyzers", "Microsoft.NET.ILLink.Tasks", // at work while it is built, and not passed on
    ];

    public static TheoryData<string> Stores => ["Resilience.Sqlite", "Resilience.PostgreSql", "Resilience.Redis"];

    /// <summary>What is wrong with the dependencies in the manifest of a package.</summary>
    internal static IEnumerable<string> Complaints(string package, string manifest)
    {
        if (!Expected.TryGetValue(package, out string[]? expected)) return [$"{package} is not in the list"];
        string[] found = [.. XDocument.Parse(manifest).Descendants().Where(e => e.Name.LocalName == "dependency").Select(e => e.Attribute("id")!.Value)];
        return [.. found.Except(expected).Select(d => $"{package} depends on {d}"), .. expected.Except(found).Select(d => $"{package} does not depend on {d}")];
    }

    private static IEnumerable<string> References(string package, IEnumerable<string> references) => references
        .Where(r => !(r == "System" || r.StartsWith("System.", StringComparison.Ordinal) && r != "System.Threading.RateLimiting"))
        .Where(r => !Expected[package].Contains(r) && !Comes(r, WithStores)).Select(r => $"{package} references {r}");

    private static bool Comes(string name, string[] allowed) =>
        Array.Exists(allowed, a => a.EndsWith('*') ? name.StartsWith(a[..^1], StringComparison.Ordinal) : name == a);

    [Fact]
    public void The_packages_depend_on_what_they_must_and_nothing_heavier()
    {
        foreach ((string package, string[] expected) in Expected)
        {
            XDocument project = XDocument.Load(Path.Combine(Repository.Root, "src", package, $"{package}.csproj"));
            project.Descendants("PackageReference").Select(r => r.Attribute("Include")!.Value)
                .Concat(project.Descendants("ProjectReference").Where(r => r.Attribute("ReferenceOutputAssembly") is null)
                    .Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value)))
                .Should().BeEquivalentTo(expected, "{0} is so packed", package);
        }
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public void The_assembly_of_a_store_references_its_driver_and_the_core_and_nothing_of_http_or_rate_limiting(string package)
    {
        Assembly assembly = TypeNamesTests.Ours.Single(a => a.GetName().Name == package);
        string[] references = [.. assembly.GetReferencedAssemblies().Select(r => r.Name!)];
        references.Should().Contain(Core);
        References(package, references).ShouldBeNone();
    }

    /// <summary>All that a restore of the package brings, from the lock that the last build left.</summary>
    [Theory]
    [MemberData(nameof(Stores))]
    public void A_store_brings_its_driver_and_the_core_and_nothing_of_http_or_rate_limiting(string package)
    {
        using JsonDocument restored = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "src", package, "obj", "project.assets.json")));
        string[] all = [.. restored.RootElement.GetProperty("libraries").EnumerateObject().Select(l => l.Name.Split('/')[0])];
        all.Should().Contain(Core).And.Contain(Expected[package]);
        all.Where(l => !Comes(l, WithStores)).ShouldBeNone();
    }

    [Fact]
    public void A_planted_dependency_is_found_in_a_manifest_in_an_assembly_and_in_a_restore()
    {
        const string Manifest = """
            <package><metadata><dependencies><group targetFramework="net10.0">
              <dependency id="Resilience.Core" version="1.0.0" /><dependency id="Npgsql" version="1.0.0" />{0}
            </group></dependencies></metadata></package>
            """;
        Complaints("Resilience.PostgreSql", Manifest.Replace("{0}", "", StringComparison.Ordinal)).ShouldBeNone();
        Complaints("Resilience.PostgreSql", Manifest.Replace("{0}", "<dependency id=\"Resilience.Extensions\" version=\"1.0.0\" />", StringComparison.Ordinal))
            .Should().Equal("Resilience.PostgreSql depends on Resilience.Extensions");
        Complaints("Resilience.Redis", Manifest.Replace("{0}", "", StringComparison.Ordinal))
            .Should().Equal("Resilience.Redis depends on Npgsql", "Resilience.Redis does not depend on StackExchange.Redis");
        Complaints("Resilience.New", Manifest).Should().Equal("Resilience.New is not in the list");
        References("Resilience.Sqlite",
            ["System.Linq", "Resilience.Core", "Resilience.Extensions", "System.Threading.RateLimiting", "Microsoft.Extensions.Http"])
            .Should().Equal(
                "Resilience.Sqlite references Resilience.Extensions", "Resilience.Sqlite references System.Threading.RateLimiting",
                "Resilience.Sqlite references Microsoft.Extensions.Http");
        Comes("Microsoft.Extensions.Http", WithStores).Should().BeFalse();
        Comes("SQLitePCLRaw.core", WithStores).Should().BeTrue();
    }
}
