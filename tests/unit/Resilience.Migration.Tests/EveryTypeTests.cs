using System.Reflection;
using System.Text.RegularExpressions;

namespace Resilience.Migration.Tests;

/// <summary>Every public type of the packages that people come from is named on a page, be it as missing.</summary>
public sealed class EveryTypeTests
{
    private static readonly string[] Pages = ["moving-from-polly.md", "moving-from-microsoft-http-resilience.md"];

    private static readonly Assembly[] Theirs =
    [
        typeof(Polly.ResiliencePipeline).Assembly, typeof(Polly.Policy).Assembly, typeof(Polly.RateLimiting.RateLimiterStrategyOptions).Assembly,
        typeof(Polly.Telemetry.TelemetryOptions).Assembly, typeof(Microsoft.Extensions.Http.Resilience.HttpStandardResilienceOptions).Assembly,
        typeof(Polly.Extensions.Http.HttpPolicyExtensions).Assembly, typeof(Microsoft.Extensions.DependencyInjection.PollyHttpClientBuilderExtensions).Assembly,
    ];

    private static string[] MissingFrom(string pages) =>
    [
        .. Theirs.SelectMany(a => a.GetExportedTypes()).Where(t => !t.IsNested).Select(t => t.Name.Split('`')[0]).Distinct()
            .Where(n => !Regex.IsMatch(pages, $@"`{n}[`<(.]")).Order(StringComparer.Ordinal),
    ];

    private static string TextOf(string page)
    {
        DirectoryInfo at = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(at.FullName, "Resilience.sln"))) at = at.Parent!;
        return File.ReadAllText(Path.Combine(at.FullName, "docs", page));
    }

    [Fact]
    public void Every_public_type_of_theirs_is_named_on_a_page()
    {
        string pages = string.Concat(Pages.Select(TextOf));
        MissingFrom(pages).Should().BeEmpty();
        MissingFrom(pages.Replace("`PredicateResult`", "", StringComparison.Ordinal)).Should().Equal("PredicateResult");
    }
}
