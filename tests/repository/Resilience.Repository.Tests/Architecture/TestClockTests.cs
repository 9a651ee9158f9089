using System.Text.RegularExpressions;

namespace Resilience.Tests.Architecture;

/// <summary>Tests share their clocks (tests/README.md): one that is nearly like another is another way to be wrong about time.</summary>
public sealed partial class TestClockTests
{
    private const string Shared = "tests/Support/Clocks/";

    /// <summary>Clocks of their own, with a reason in tests/README.md.</summary>
    private static readonly string[] Others =
    [
        "tests/proofs/Resilience.Experiments/Events/EventWorld.cs",
        "tests/proofs/Resilience.Instructions/Operations.cs",
        "tests/proofs/Resilience.Proofs.Tests/Overload/Layers.cs",
        "tests/proofs/Resilience.Verification/Coyote/ClockWaitScheduleTests.cs",
        "tests/proofs/Resilience.Verification/Coyote/DispatcherScheduleTests.cs",
        "tests/proofs/Resilience.Verification/Coyote/ScenarioClock.cs",
    ];

    [GeneratedRegex(@"\bclass\s+\w+\s*(\([^)]*\))?\s*:\s*([\w.<>]+\s*,\s*)*(\w+\.)*\w*(TimeProvider|Time|Timers|Clock)\b(?!\w)")]
    private static partial Regex Clock();

    private static bool HasClock(string text) => Clock().IsMatch(text);

    [Fact]
    public void Tests_share_their_clocks()
    {
        string[] found = [.. Repository.Files("tests", "*.cs")
            .Where(f => !f.EndsWith($"{nameof(TestClockTests)}.cs", StringComparison.Ordinal) && HasClock(File.ReadAllText(f)))
            .Select(f => Path.GetRelativePath(Repository.Root, f).Replace('\\', '/')).Where(f => !f.StartsWith(Shared, StringComparison.Ordinal))];
        found.Should().BeEquivalentTo(Others, "a clock belongs into {0}, or has a reason in tests/README.md", Shared);
    }

    [Fact]
    public void The_table_of_clocks_is_the_folder()
    {
        string table = File.ReadAllText(Path.Combine(Repository.Root, "tests", "README.md"));
        foreach (string file in Repository.Files(Shared, "*.cs").Where(f => HasClock(File.ReadAllText(f))))
            table.Should().Contain($"| `{Path.GetFileNameWithoutExtension(file)}` |");
    }

    [Theory]
    [InlineData("private sealed class Late : TimeProvider", true)]
    [InlineData("private sealed class Late(int at) : FakeTimeProvider", true)]
    [InlineData("internal class Late(int at)\n    : System.TimeProvider, ITimer", true)]
    [InlineData("sealed class Late : IContinuationRunner, TimeProvider", true)]
    [InlineData("class Late : WatchedTime", true)]
    [InlineData("class Late { TimeProvider Time => TimeProvider.System; }", false)]
    [InlineData("public sealed class TimeTests(TimeProvider time) : IDisposable", false)]
    public void A_planted_clock_is_found(string code, bool isClock) => HasClock(code).Should().Be(isClock);
}
