using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Resilience.Tests.Support;

namespace Resilience.Tests.Architecture;

/// <summary>A public type of ours has a full name that none of the frameworks' and of Polly's packages has: with both referenced, the compiler could not
/// tell them apart (CS0433). Read from the metadata of every such package that was restored here, in each version and for each framework.</summary>
public sealed class TypeNamesTests
{
    internal static readonly Assembly[] Ours =
    [
        typeof(ResiliencePipeline).Assembly, typeof(HttpResilience).Assembly, typeof(ResilienceHealthOptions).Assembly,
        typeof(Testing.IdempotencyStoreContract).Assembly, typeof(IdempotencyEndpointOptions).Assembly, typeof(SqliteIdempotencyStore).Assembly,
        typeof(PostgresIdempotencyStore).Assembly, typeof(RedisIdempotencyStore).Assembly, typeof(SqlServerClassifierExtensions).Assembly, typeof(PollyExtensions).Assembly,
        typeof(AwsClassifierExtensions).Assembly, typeof(AzureClientOptionsExtensions).Assembly, typeof(ClientPipelineOptionsExtensions).Assembly,
        typeof(Resilience.EntityFrameworkCore.DatabaseResilience).Assembly,
        typeof(Grpc.GrpcResilience).Assembly, typeof(Grpc.IdempotencyInterceptor).Assembly,
    ];

    private const string Theirs = "Microsoft.Extensions.DependencyInjection.ResilienceServiceCollectionExtensions";

    private static readonly string[] Neighbours = ["microsoft.extensions.", "microsoft.aspnetcore.", "polly."];

    /// <summary>The binaries of their packages, and of the shared frameworks that run this test.</summary>
    private static IEnumerable<string> TheirBinaries()
    {
        IEnumerable<string> packages = Directory.EnumerateDirectories(Tool.PackagesFolder)
            .Where(d => Neighbours.Any(n => Path.GetFileName(d).StartsWith(n, StringComparison.Ordinal)))
            .SelectMany(d => Directory.EnumerateFiles(d, "*.dll", SearchOption.AllDirectories))
            .Where(f => f.Replace('\\', '/').Contains("/lib/", StringComparison.Ordinal));
        string framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        string web = Path.GetDirectoryName(typeof(Microsoft.AspNetCore.Http.HttpContext).Assembly.Location)!;
        return packages.Concat(Directory.EnumerateFiles(framework, "System*.dll")).Concat(Directory.EnumerateFiles(web, "Microsoft.*.dll"));
    }

    /// <summary>Full names of the public types of a binary, with the number of their parameters as in metadata (<c>Name`1</c>).</summary>
    private static IEnumerable<string> PublicTypesOf(string binary)
    {
        using FileStream stream = File.OpenRead(binary);
        using PEReader file = new(stream);
        if (!file.HasMetadata) return [];
        MetadataReader metadata = file.GetMetadataReader();
        return [.. metadata.TypeDefinitions.Select(metadata.GetTypeDefinition)
            .Where(t => (t.Attributes & TypeAttributes.VisibilityMask) == TypeAttributes.Public)
            .Select(t => $"{metadata.GetString(t.Namespace)}.{metadata.GetString(t.Name)}")];
    }

    private static IEnumerable<string> Collisions(IEnumerable<string> ours, IReadOnlySet<string> theirs) => ours.Where(theirs.Contains);

    [Fact]
    [Requires(Tool.MicrosoftResilience)]
    public void No_public_type_has_the_full_name_of_one_of_the_frameworks_or_of_polly()
    {
        HashSet<string> theirs = [.. TheirBinaries().SelectMany(PublicTypesOf)];
        theirs.Should().Contain(
            [Theirs, "Polly.ResiliencePipeline`1", "Microsoft.AspNetCore.Http.HttpContext", "System.String"]);
        string[] ours = [.. Ours.SelectMany(a => a.GetExportedTypes()).Where(t => !t.IsNested).Select(t => t.FullName!)];
        ours.Should().HaveCountGreaterThan(150).And.Contain(n => n.StartsWith("Microsoft.AspNetCore.", StringComparison.Ordinal));
        Collisions(ours, theirs).ShouldBeNone("an application that references both could use neither");
        Collisions([.. ours, Theirs, "Microsoft.AspNetCore.Builder.WebApplication"], theirs)
            .Should().HaveCount(2, "the check finds planted ones");
    }

    [Fact]
    public void Every_package_is_looked_at() =>
        Ours.Select(a => a.GetName().Name).Concat(["Resilience.Analyzers", "Resilience.CodeFixes", "Resilience.Migration", "Resilience.Migration.Analyzers"])
            .Should().BeEquivalentTo(Directory.GetDirectories(Path.Combine(Repository.Root, "src"), "Resilience.*").Select(d => Path.GetFileName(d)));
}
