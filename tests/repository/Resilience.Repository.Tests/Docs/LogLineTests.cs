using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace Resilience.Tests.Docs;

/// <summary>Every line that any package can log stands in a reviewed file, as an operator reads it, and in the tables of docs/telemetry.md. The lines of
/// gRPC are printed here; those of the other packages by their own tests.</summary>
public sealed partial class LogLineTests
{
    private const string Page = "docs/telemetry.md", GrpcFile = "docs/grpc-log-lines.txt";

    private const BindingFlags All = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>They run in a compiler or in the tests of users, and log nothing.</summary>
    private static readonly string[] WithoutLog =
        ["Resilience.Analyzers", "Resilience.CodeFixes", "Resilience.Migration", "Resilience.Migration.Analyzers"];

    private sealed record Line(int Id, string Name, string? Level, string? Text);

    private static Assembly[] Packages() =>
    [
        .. Directory.GetDirectories(Path.Combine(Repository.Root, "src")).Select(d => Path.GetFileName(d)!)
            .Where(n => n.StartsWith("Resilience", StringComparison.Ordinal)).Except(WithoutLog).Order(StringComparer.Ordinal).Select(Assembly.Load),
    ];

    /// <summary>The methods that write a line, and the fields that name one. What an event of a policy says has its row by the event's name.</summary>
    private static IEnumerable<Line> Of(IEnumerable<Type> types)
    {
        foreach (Type type in types)
        {
            foreach (LoggerMessageAttribute line in Methods(type).Select(m => m.GetCustomAttribute<LoggerMessageAttribute>()!))
                yield return new(line.EventId, line.EventName ?? "without a name", line.Level.ToString(), line.Message);
            foreach (FieldInfo field in type.GetFields(All).Where(f => f.FieldType == typeof(EventId) && f.IsStatic && !IsGenerated(f.Name)))
            {
                EventId id = (EventId)field.GetValue(null)!;
                yield return new(id.Id, id.Name ?? "without a name", null, null);
            }

            if (type.IsSubclassOf(typeof(ResilienceEvent)) && !type.IsAbstract) yield return new(-1, type.Name, null, null);
        }
    }

    private static bool IsGenerated(string name) => name.StartsWith('_') || name.StartsWith('<');

    private static IEnumerable<MethodInfo> Methods(Type type) => type.GetMethods(All).Where(m => m.GetCustomAttribute<LoggerMessageAttribute>() is not null);

    private static IEnumerable<string> Wrong(IEnumerable<Line> lines, string reviewed, string page) => lines.SelectMany(line =>
    {
        List<string> wrong = [];
        if (line.Name != "PolicyEvent" && !Regex.IsMatch(reviewed, $@"^[ \d]\d {line.Level ?? @"\w+"} +{line.Name}: ", RegexOptions.Multiline))
            wrong.Add($"{line.Name} is printed in no reviewed file");
        string row = line.Text is null
            ? $@"^\| {(line.Id < 0 ? @"\d+" : line.Id)} \| [\w, ]+ \| `{line.Name}` \| "
            : $@"^\| {line.Id} \| {line.Level} \| `{line.Name}` \| `{Regex.Escape(line.Text)}` \|";
        if (!Regex.IsMatch(page, row, RegexOptions.Multiline)) wrong.Add($"{line.Name} has no such row in {Page}: {row}");
        return wrong;
    });

    private static string Reviewed() => string.Concat(
        Directory.GetFiles(Path.Combine(Repository.Root, "docs"), "*log-lines.txt").Order(StringComparer.Ordinal).Select(File.ReadAllText));

    private static string Text(string file) => File.ReadAllText(Path.Combine(Repository.Root, file));

    [Fact]
    public void Every_line_of_every_package_is_reviewed_and_stands_in_the_tables()
    {
        Line[] lines = [.. Of(Packages().SelectMany(a => a.GetTypes()))];
        lines.Should().HaveCountGreaterThan(45);
        Wrong(lines, Reviewed(), Text(Page)).Should().BeEmpty();
        lines.Select(l => l.Name).Should().OnlyHaveUniqueItems("people filter and alert by the name");
    }

    [Fact]
    public void A_line_that_is_not_reviewed_is_found()
    {
        Line[] planted = [.. Of([typeof(Planted)])];
        planted.Should().HaveCount(2);
        Wrong(planted, Reviewed(), Text(Page)).Should().HaveCount(4).And.Contain(w => w.Contains("PlantedField", StringComparison.Ordinal));
        Wrong(planted, Reviewed() + "98 Warning     PlantedLine: said\n99 Warning     PlantedField: said\n", Text(Page)
            + "\n| 98 | Warning | `PlantedLine` | `{What} came after {Wait}` |\n| 99 | Debug | `PlantedField` | `x` |\n").Should().BeEmpty();
        Unspoken(typeof(Planted)).Should().Equal("PlantedLine takes a TimeSpan as wait, which a logger writes in a form of its own");
    }

    private static partial class Planted
    {
        internal static readonly EventId Named = new(99, "PlantedField");

        [LoggerMessage(98, LogLevel.Warning, "{What} came after {Wait}", EventName = "PlantedLine")]
        internal static partial void Say(ILogger logger, string what, TimeSpan wait);
    }

    /// <summary>What a logger would write in its own way: a span as 00:02:00, a member of an enum by its name in the code.</summary>
    private static IEnumerable<string> Unspoken(Type type) =>
        from method in Methods(type)
        from parameter in method.GetParameters()
        where parameter.ParameterType == typeof(TimeSpan) || (parameter.ParameterType.IsEnum && parameter.ParameterType != typeof(LogLevel))
        select $"{method.GetCustomAttribute<LoggerMessageAttribute>()!.EventName} takes a {parameter.ParameterType.Name} as {parameter.Name}, "
            + "which a logger writes in a form of its own";

    [Fact]
    public void No_line_shows_a_span_or_an_enum_as_the_code_has_it() => Packages().SelectMany(a => a.GetTypes()).SelectMany(Unspoken).Should().BeEmpty();

    /// <summary>What stands in the places of the lines of gRPC.</summary>
    private static readonly Dictionary<string, object> Samples = new()
    {
        ["client"] = "prices",
        ["code"] = "RES008",
        ["finding"] = "total-timeout > retry > attempt-timeout: 4 attempts of 5 s and delays of up to 1.4 s need 21.4 s, but the total is 10 s: against a "
            + "dependency that hangs, the last attempts never start.",
        ["method"] = "/shop.Orders/Place",
        ["mistake"] = "the store keeps nothing: its connection has no database",
        ["id"] = "9f86d081884c7d65",
        ["error"] = new IOException(),
    };

    [Fact]
    public void Every_line_of_grpc_is_reviewed()
    {
        ReviewedLines lines = new();
        foreach (MethodInfo method in Packages().Where(a => a.GetName().Name!.Contains("Grpc", StringComparison.Ordinal)).SelectMany(a => a.GetTypes())
            .SelectMany(Methods).OrderBy(m => m.GetCustomAttribute<LoggerMessageAttribute>()!.EventId))
        {
            method.Invoke(null, [.. method.GetParameters().Select(p => p.ParameterType == typeof(ILogger) ? lines : Samples[p.Name!])]);
        }

        string path = Path.Combine(Repository.Root, GrpcFile), written = string.Join("\n", lines.All) + "\n";
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1") File.WriteAllText(path, written);
        File.ReadAllText(path).ReplaceLineEndings("\n").Should().Be(
            written, "a line has changed: read it, and accept it by running this test with RESILIENCE_ACCEPT_API=1");
    }
}
