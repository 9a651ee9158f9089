using System.Globalization;
using System.Text;
using Resilience.Extensibility;

namespace Resilience.Tests.Docs;

/// <summary>The tables of what can be configured, in the pages of the policies, are written from what the options declare.</summary>
public sealed class SettingsTableTests
{
    private const string End = "<!-- end of settings -->";

    public static TheoryData<string, string> Pages => new()
    {
        { "retry", "Retry" },
        { "hedging", "Hedging" },
        { "circuit-breaker", "CircuitBreaker" },
        { "concurrency-limit", "ConcurrencyLimit" },
        { "adaptive-throttle", "AdaptiveThrottle" },
        { "adaptive-concurrency-limit", "AdaptiveConcurrencyLimit" },
        { "../endpoints", "Endpoints" }, // a page of its own, beside those of the policies
        { "chaos", "Chaos" },
        { "timeout", "AttemptTimeout" },
    };

    [Theory]
    [MemberData(nameof(Pages))]
    public void The_table_of_a_page_is_what_the_options_declare(string page, string key) => Compare($"policies/{page}.md", key, Table(key));

    /// <summary>The policies have pages of their own.</summary>
    [Fact]
    public void The_table_of_gRPC_is_what_its_options_declare()
    {
        StringBuilder table = new("| key | value | meaning |\n|---|---|---|\n");
        foreach (PolicySetting setting in PolicySettings.Of(new Resilience.Grpc.GrpcResilienceOptions()))
        {
            string? page = (string?)Pages.FirstOrDefault(p => (string)p[1] == setting.Name && setting.Kind == PolicySettingKind.Group)?[0];
            string value = page is null ? ValueOf(setting) : $"[a group](policies/{page}.md#in-configuration)";
            table.Append(CultureInfo.InvariantCulture, $"| `{setting.Name}` | {value} | {setting.Text} |\n");
        }

        Compare("grpc.md", "gRPC", table.ToString());
    }

    private static void Compare(string page, string key, string table)
    {
        string file = Path.Combine(Repository.Root, "docs", page), text = File.ReadAllText(file).ReplaceLineEndings("\n");
        string begin = $"<!-- settings of {key} -->", written = $"{begin}\n\n{table}\n{End}";
        int from = text.IndexOf(begin, StringComparison.Ordinal), to = text.IndexOf(End, StringComparison.Ordinal);
        (from >= 0 && to > from).Should().BeTrue("{0} has the marks {1} and {2}", page, begin, End);
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1")
            File.WriteAllText(file, text = text[..from] + written + text[(to + End.Length)..]);
        text.Should().Contain(written, "the settings have changed: look at the page, and write it by running this test with RESILIENCE_ACCEPT_API=1");
    }

    [Fact]
    public void Every_policy_that_can_be_configured_has_a_page() =>
        StandardPolicies.Configurable.Select(p => p.Key)
            .Should().BeEquivalentTo(Pages.Select(p => (string)p[1]).Append("TotalTimeout"), "the page on timeouts is about both");

    private static string Table(string key)
    {
        StringBuilder table = new("| key | value | meaning |\n|---|---|---|\n");
        IEnumerable<PolicySetting> settings = key == "AttemptTimeout"
            ? StandardPolicies.Get("TotalTimeout").Settings.Concat(StandardPolicies.Get(key).Settings)
            : StandardPolicies.Get(key).Settings;
        Rows(table, settings, "");
        return table.ToString();
    }

    private static void Rows(StringBuilder table, IEnumerable<PolicySetting> settings, string path)
    {
        foreach (PolicySetting setting in settings)
        {
            table.Append(CultureInfo.InvariantCulture, $"| `{path}{setting.Name}` | {ValueOf(setting)} | {setting.Text} |\n");
            Rows(table, setting.Settings, $"{path}{setting.Name}:{(setting.Kind == PolicySettingKind.Groups ? "0:" : "")}");
        }
    }

    private static string ValueOf(PolicySetting setting) => setting.Kind switch
    {
        PolicySettingKind.Flag => "true or false",
        PolicySettingKind.Whole or PolicySettingKind.Number => (setting.Min, setting.Max) switch
        {
            (null, _) => "a whole number",
            ({ } min, null or >= int.MaxValue) => string.Create(CultureInfo.InvariantCulture, $"{min} or more"),
            ({ } min, { } max) => string.Create(CultureInfo.InvariantCulture, $"{min} to {max}"),
        },
        PolicySettingKind.Span => "a span",
        PolicySettingKind.Choice => string.Join(", ", setting.Choices.Select(c => $"`{c}`")),
        PolicySettingKind.Texts => $"a list of {setting.Noun.Many}",
        PolicySettingKind.Group => "a group",
        PolicySettingKind.Groups => "a list of groups",
        _ => "a text",
    };
}
