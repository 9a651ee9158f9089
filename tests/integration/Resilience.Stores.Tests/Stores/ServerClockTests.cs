using System.Text.RegularExpressions;

namespace Resilience.Idempotency.Tests.Stores;

/// <summary>Stores on a server let the server's clock decide: they have none of their own that could be wrong.</summary>
public sealed partial class ServerClockTests
{
    [Theory]
    [InlineData("src/Resilience.PostgreSql")]
    [InlineData("src/Resilience.Redis")]
    public void Stores_on_a_server_read_no_clock_of_their_own(string project)
    {
        string[] files = Directory.GetFiles(Path.Combine(Root(), project), "*.cs", SearchOption.TopDirectoryOnly);

        files.Should().NotBeEmpty();
        foreach (string file in files) Clocks().Matches(File.ReadAllText(file)).Select(m => m.Value).Should().BeEmpty(file);
        foreach (string planted in (string[])["now = DateTime.UtcNow;", "time.GetUtcNow()", "_time.GetTimestamp()", "Stopwatch watch", "Environment.TickCount64 + 5"])
            Clocks().IsMatch(planted).Should().BeTrue("the check finds {0}", planted);
        Clocks().IsMatch("await Task.Delay(Patience, time)").Should().BeFalse("to wait is to read no clock");
    }

    private static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Resilience.sln"))) folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("Not within the repository.");
    }

    [GeneratedRegex(@"\.Get(UtcNow|LocalNow|Timestamp|ElapsedTime)\b|\bTickCount\d*\b|\b(DateTime(Offset)?|Stopwatch|Clock)\b(?=\.|\s+\w)")]
    private static partial Regex Clocks();
}
