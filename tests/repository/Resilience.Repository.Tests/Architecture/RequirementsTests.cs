using System.Reflection;
using Resilience.Tests.Support;

namespace Resilience.Tests.Architecture;

/// <summary>A test whose tool is missing is skipped by name, and never silently passed.</summary>
public sealed class RequirementsTests
{
    [Requires(Tool.Redis)]
    private sealed class Fixture;

    [Requires(Tool.Bash)]
    private sealed class Planted : IClassFixture<Fixture>
    {
        [Requires(Tool.Spin)]
        public static void Needs()
        {
        }
    }

    private sealed class PlantedUnknown
    {
        [Requires("no such tool")]
        public static void Needs()
        {
        }
    }

    [Fact]
    public void A_test_needs_what_its_method_its_class_and_its_fixtures_need() =>
        Requirements.ToolsOf(typeof(Planted), typeof(Planted).GetMethod(nameof(Planted.Needs)))
            .Should().BeEquivalentTo([Tool.Spin, Tool.Bash, Tool.Redis]);

    [Fact]
    public void An_unknown_tool_is_an_error() =>
        FluentActions.Invoking(() => Requirements.ReasonToSkip(typeof(PlantedUnknown), typeof(PlantedUnknown).GetMethod(nameof(PlantedUnknown.Needs))))
            .Should().Throw<InvalidOperationException>().WithMessage("*no such tool*redis-server*");

    [Fact]
    public void What_may_be_missing_in_ci_is_known_and_has_a_reason()
    {
        Requirements.ReadAbsentInCi(File.ReadAllLines(Path.Combine(Repository.Root, "tests/absent-in-ci.txt"))).Should().HaveCountLessThan(3);
        foreach (string planted in new[] { Tool.Spin, $"{Tool.Spin}:", "no such tool: because" })
            FluentActions.Invoking(() => Requirements.ReadAbsentInCi([planted])).Should().Throw<InvalidDataException>().WithMessage($"*'{planted}'*");
    }

    [Fact]
    public async Task A_missing_tool_skips_its_tests_by_name_and_fails_them_in_ci()
    {
        (int exit, string printed) = await RunSpinTestsAsync("");
        exit.Should().Be(0, "{0}", printed);
        printed.Should().MatchRegex(@"Skipped:\s+[1-9]\d*").And.NotContain("Failed:").And.Contain("SpinTests");

        (exit, printed) = await RunSpinTestsAsync("true");
        exit.Should().NotBe(0, "{0}", printed);
        printed.Should().NotContain("Skipped:");
    }

    /// <summary>The tests of the model checker, on a path on which there is no program but dotnet.</summary>
    private static Task<(int ExitCode, string Output)> RunSpinTestsAsync(string ci)
    {
        string configuration = typeof(RequirementsTests).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;
        string tests = Path.Combine(Repository.Root, "tests/proofs/Resilience.Verification/bin", configuration, "net10.0/Resilience.Verification.dll");
        string dotnet = Environment.ProcessPath!;
        return Repository.RunAsync(
            dotnet, TimeSpan.FromMinutes(3), Repository.Root, new() { ["PATH"] = Path.GetDirectoryName(dotnet)!, ["CI"] = ci },
            ["test", tests, "--filter", "FullyQualifiedName~SpinTests", "--logger", "console;verbosity=normal"]);
    }
}
