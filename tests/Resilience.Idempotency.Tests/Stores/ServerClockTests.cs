using System.Text.RegularExpressions;

namespace Resilience.Idempotency.Tests.Stores;

/// <summary>Stores on a server let the server's clock decide: they have none of their own that could be wrong.</summary>
public sealed partial class ServerClockTests
{
    [Theory]
    [InlineData("src/Resilience.Idempotency.PostgreSql")]
    [InlineData("src/Resilience.Idempotency.Redis")]
    public void Stores_on_a_server_read_no_clock_of_their_own(string project)
    {
        string[] files = Directory.GetFiles(Path.Combine(Root(), project), "*.cs", SearchOption.TopDirectoryOnly);

        files.Should().NotBeEmpty();
        foreach (string file in files) Clocks().Matches(File.ReadAllText(file)).Select(m => m.Value).Should().BeEmpty(file);
        Clocks().IsMatch("now = DateTime.UtcNow;").Should().BeTrue("the check finds what it looks for");
    }

    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Resilience.sln"))) folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("Not within the repository.");
    }

    [GeneratedRegex(@"\b(TimeProvider|DateTime(Offset)?|Stopwatch|TickCount\d*|Clock)\b(?=\.|\s+\w)")]
    private static partial Regex Clocks();
}
