using System.Reflection;
using Microsoft.Extensions.Logging;

namespace Resilience.Tests;

/// <summary>Every line that methods with keys log stands in the table of docs/telemetry.md.</summary>
public sealed class LogTests
{
    private static IEnumerable<LoggerMessageAttribute> Declared => typeof(GrpcIdempotencyLog).GetMethods(BindingFlags.Static | BindingFlags.NonPublic)
        .Select(m => m.GetCustomAttribute<LoggerMessageAttribute>()).OfType<LoggerMessageAttribute>();

    [Fact]
    public void Every_line_of_a_method_with_a_key_stands_in_the_table_of_the_documents()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "telemetry.md"));
        Declared.Should().HaveCount(5);
        foreach (LoggerMessageAttribute line in Declared) page.Should().Contain($"| {line.EventId} | {line.Level} | `{line.EventName}` | `{line.Message}` |");
    }
}
