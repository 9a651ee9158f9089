using System.Reflection;
using System.Runtime.CompilerServices;

namespace Resilience.Tests.Architecture;

/// <summary>What a user writes in <c>using</c>: everyday types in one namespace that can be read at a glance, and one for each concept beyond (decision 0045).</summary>
public sealed class NamespaceTests
{
    private const int MaxEverydayTypes = 50;

    private static readonly string[] OfMicrosoft = ["Microsoft.Extensions.DependencyInjection", "Microsoft.AspNetCore.Builder", "Microsoft.AspNetCore.Http", "Microsoft.EntityFrameworkCore"]; // decision 0010

    /// <summary>The namespaces of ours, and the assemblies that have types in them.</summary>
    private static readonly Dictionary<string, string[]> Namespaces = new()
    {
        ["Resilience"] =
        [
            "Resilience.Core", "Resilience.Extensions", "Resilience.AspNetCore", "Resilience.HealthChecks",
            "Resilience.SqlServer", "Resilience.Polly", "Resilience.Sqlite", "Resilience.Redis", "Resilience.Aws", "Resilience.Azure", "Resilience.ClientModel",
            "Resilience.EntityFrameworkCore", "Resilience.Grpc",
        ],
        ["Resilience.Extensibility"] = ["Resilience.Core", "Resilience.Extensions"],
        ["Resilience.Events"] = ["Resilience.Core", "Resilience.Extensions"],
        ["Resilience.Chaos"] = ["Resilience.Core"],
        ["Resilience.Overload"] = ["Resilience.Core", "Resilience.Extensions", "Resilience.AspNetCore"],
        ["Resilience.Transports"] = ["Resilience.Core"],
        ["Resilience.Idempotency"] =
        [
            "Resilience.Core", "Resilience.Extensions", "Resilience.AspNetCore",
            "Resilience.Sqlite", "Resilience.PostgreSql", "Resilience.Redis", "Resilience.EntityFrameworkCore",
        ],
        ["Resilience.Http"] = ["Resilience.Extensions"],
        ["Resilience.Grpc"] = ["Resilience.Grpc", "Resilience.Grpc.AspNetCore"],
        ["Resilience.Configuration"] = ["Resilience.Extensions"],
        ["Resilience.EntityFrameworkCore"] = ["Resilience.EntityFrameworkCore"],
        ["Resilience.Testing"] = ["Resilience.Testing"],
    };

    private static IEnumerable<Type> PublicTypes => TypeNamesTests.Ours.SelectMany(a => a.GetExportedTypes()).Where(t => !t.IsNested);

    private static IEnumerable<string> Complaints(IEnumerable<Type> types, string? assembly = null)
    {
        foreach (Type type in types)
        {
            string space = type.Namespace ?? "", from = assembly ?? type.Assembly.GetName().Name!;
            if (!OfMicrosoft.Contains(space) && !(Namespaces.TryGetValue(space, out string[]? homes) && homes.Contains(from)))
                yield return $"{type.Name} of {from} stands in {space}";
            if (typeof(ResilienceEvent).IsAssignableFrom(type) && space != "Resilience.Events") yield return $"{type.Name} is an event";
            if (space != "Resilience" && AddsToBuilders(type)) yield return $"{type.Name} adds to builders: it is found by 'using Resilience' alone";
        }
    }

    private static bool AddsToBuilders(Type type) => type.GetMethods(BindingFlags.Public | BindingFlags.Static)
        .Any(m => m.IsDefined(typeof(ExtensionAttribute)) && IsBuilder(m.GetParameters()[0].ParameterType));

    private static bool IsBuilder(Type type) => type.IsGenericParameter
        ? type.GetGenericParameterConstraints().Any(IsBuilder)
        : typeof(ResiliencePipelineBuilderBase).IsAssignableFrom(type);

    [Fact]
    public void Everyday_types_of_the_core_can_be_read_at_a_glance() =>
        PublicTypes.Count(t => t.Namespace == "Resilience" && t.Assembly == typeof(ResiliencePipeline).Assembly && !AddsToBuilders(t))
            .Should().BeLessThanOrEqualTo(MaxEverydayTypes, "they are what users write; the names of classes that add to builders they never do");

    [Fact]
    public void A_concept_has_one_namespace() => Complaints(PublicTypes).ShouldBeNone();

    [Fact]
    public void Every_namespace_of_the_list_is_there()
    {
        foreach ((string space, string[] homes) in Namespaces)
            PublicTypes.Where(t => t.Namespace == space).Select(t => t.Assembly.GetName().Name).Distinct().Should().BeEquivalentTo(homes, "{0}", space);
    }

    [Fact]
    public void Planted_types_are_found()
    {
        Complaints([typeof(PlantedEvent), typeof(PlantedExtensions)]).Should().Equal(
            "PlantedEvent of Resilience.Repository.Tests stands in Resilience.Tests.Architecture", "PlantedEvent is an event",
            "PlantedExtensions of Resilience.Repository.Tests stands in Resilience.Tests.Architecture",
            "PlantedExtensions adds to builders: it is found by 'using Resilience' alone");
        Complaints([typeof(HttpResilience)], "Resilience.Core").Should().ContainSingle();
        Complaints([typeof(RetryBuilderExtensions)]).ShouldBeNone();
    }
}

internal sealed record PlantedEvent(string PipelineName, string PolicyName) : ResilienceEvent(PipelineName, PolicyName)
{
    public override EventMessage GetMessage() => $"planted";
}

internal static class PlantedExtensions
{
    public static TBuilder AddPlanted<TBuilder>(this TBuilder builder)
        where TBuilder : ResiliencePipelineBuilderBase => builder;
}
