using System.Diagnostics;
using Resilience.Tests.Support;

namespace Resilience.Tests.Docs;

/// <summary>The documentation as a site: one command builds it, and finds links and headings that are not there.</summary>
[Requires(Tool.Docfx)]
public sealed class SiteTests
{
    [Fact]
    public async Task The_site_has_every_page_and_type_and_no_broken_link_and_a_planted_one_is_found()
    {
        string planted = Path.Combine(Path.GetTempPath(), $"planted-{Guid.NewGuid():N}.md");
        await File.WriteAllTextAsync(planted, "# Planted\n\n[no page](nowhere.md), [no heading](glossary.md#no-such-heading)\n");
        try
        {
            (int code, string output) = await BuildAsync(["--no-build", planted, .. Repository.Configuration == "Debug" ? ["--debug"] : (string[])[]]);
            code.Should().Be(1, output);
            output.Should().Contain("nowhere.md").And.Contain("no-such-heading").And.Contain("2 broken links", "only those that were planted are");
        }
        finally
        {
            File.Delete(planted);
        }

        string site = Path.Combine(Repository.Root, "artifacts", "site");
        foreach (string page in Directory.GetFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories))
            File.Exists(Path.Combine(site, Path.ChangeExtension(Path.GetRelativePath(Repository.Root, page), ".html"))).Should().BeTrue(page);
        foreach (Type type in new[] { typeof(ResiliencePipeline), typeof(CircuitBreaker), typeof(HttpResilience), typeof(IdempotencyGate), typeof(RedisIdempotencyStore) })
            File.Exists(Path.Combine(site, "api", $"{type.FullName}.html")).Should().BeTrue(type.FullName);
    }

    private static async Task<(int Code, string Output)> BuildAsync(params string[] arguments)
    {
        ProcessStartInfo start = new("dotnet", ["run", "docs/site/build.cs", "--", .. arguments])
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await error);
    }
}
