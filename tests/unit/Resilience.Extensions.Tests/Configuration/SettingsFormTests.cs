using Microsoft.Extensions.Configuration;

namespace Resilience.Tests.Configuration;

/// <summary>The form of values and keys: what is accepted, and the full message for anything else.</summary>
public sealed class SettingsFormTests
{
    private static IConfigurationSection Section(params (string Key, string? Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>(v.Key.Length == 0 ? "P" : $"P:{v.Key}", v.Value))).Build().GetSection("P");

    private static string[] Problems(params (string Key, string? Value)[] values) => [.. SettingsReader.ReadHttp(Section(values), "P").Problems.Select(p => p.ToString())];

    private const string SpanForm = "a span of time in the form hh:mm:ss, such as 00:00:30 or 00:00:00.250 (a bare number would mean days)";

    [Theory]
    [InlineData("Retry:Enabled", "yes", "true or false")]
    [InlineData("Retry:MaxRetries", "2.5", "a whole number")]
    [InlineData("Retry:MaxRetries", "2147483648", "a whole number")]
    [InlineData("Retry:MaxRetries", "-2147483649", "a whole number")]
    [InlineData("Retry:Factor", "2,5x", "a number with a point, such as 0.5")]
    [InlineData("Retry:BaseDelay", "30", SpanForm)]
    [InlineData("Retry:BaseDelay", "00:30", SpanForm)]
    [InlineData("Retry:BaseDelay", "00:00:61", SpanForm)]
    [InlineData("Retry:BackoffKind", "2", "one of Constant, Linear, Exponential, Decorrelated")]
    public void A_value_of_the_wrong_form_is_quoted_with_what_is_meant(string key, string value, string meant) =>
        Problems((key, value)).Should().Equal($"P:{key} is '{value}', but must be {meant}");

    [Theory]
    [InlineData("Retry:Enabled", " True ")]
    [InlineData("Retry:MaxRetries", "2147483647")]
    [InlineData("Retry:MaxRetries", "-2147483648")]
    [InlineData("Retry:Factor", "2.5e0")]
    [InlineData("Retry:BaseDelay", "1.00:00:00.0000001")]
    [InlineData("Retry:BaseDelay", "-00:00:01")]
    [InlineData("Retry:BaseDelay", "00:00:30\n")] // as a mounted file ends
    [InlineData("Retry:BackoffKind", "lineaR")]
    [InlineData("DeadlineHeader", "anything at all")]
    [InlineData("Retry:BaseDelay", "")]
    [InlineData("Retry:BaseDelay", null)]
    [InlineData("Retry", "")]
    [InlineData("AcceptedWarnings", "")]
    [InlineData("AcceptedWarnings:7", "res001")]
    public void A_value_of_the_right_form_is_taken_and_an_empty_one_says_nothing(string key, string? value) => Problems((key, value)).Should().BeEmpty();

    [Fact]
    public void Groups_lists_and_values_are_told_apart()
    {
        Problems(("", "5")).Should().Equal("P is '5', but must be a group of settings");
        Problems(("Retry", "5")).Should().Equal("P:Retry is '5', but must be a group of settings");
        Problems(("Retry:BaseDelay:X", "5")).Should().Equal($"P:Retry:BaseDelay is a group or list, but must be {SpanForm}");
        Problems(("DeadlineHeader:0", "5")).Should().Equal("P:DeadlineHeader is a group or list, but must be a text");
        Problems(("AcceptedWarnings", "RES001")).Should().Equal("P:AcceptedWarnings is 'RES001', but must be a list of codes such as RES008");
        Problems(("AcceptedWarnings:0", "RES1")).Should().Equal("P:AcceptedWarnings:0 is 'RES1', but must be a code such as RES008");
        Problems(("AcceptedWarnings:0", "RES001\n")).Should().Equal("P:AcceptedWarnings:0 is 'RES001\n', but must be a code such as RES008");
        Problems(("AcceptedWarnings:0:x", "RES001")).Should().Equal("P:AcceptedWarnings:0 is a group or nothing, but must be a code such as RES008");
        Problems(("AcceptedWarnings:0", "RES001"), ("AcceptedWarnings:0:x", "1")).Should().ContainSingle("what lies below a code is not passed over");
        Problems(("AcceptedWarnings:0", "")).Should().Equal("P:AcceptedWarnings:0 is '', but must be a code such as RES008");
    }

    [Fact]
    public void Lists_of_names_and_of_groups_are_told_apart()
    {
        static string[] OfPipeline(params (string Key, string? Value)[] values) =>
            [.. SettingsReader.ReadPipeline(Section(values), "P").Problems.Select(p => p.ToString())];

        OfPipeline(("Chaos:AllowedEnvironments", "Test")).Should().Equal("P:Chaos:AllowedEnvironments is 'Test', but must be a list of names");
        OfPipeline(("Chaos:AllowedEnvironments:0", "")).Should().Equal("P:Chaos:AllowedEnvironments:0 is '', but must be a name");
        OfPipeline(("Chaos:AllowedEnvironments:0:x", "Test")).Should().Equal("P:Chaos:AllowedEnvironments:0 is a group or nothing, but must be a name");
        OfPipeline(("Chaos:Schedule:Windows", "all")).Should().Equal("P:Chaos:Schedule:Windows is 'all', but must be a list of groups");
        OfPipeline(("Chaos:Schedule:Windows:0", "all")).Should().Equal("P:Chaos:Schedule:Windows:0 is 'all', but must be a group of settings");
        OfPipeline(("Chaos:Schedule:Windows:0:Form", "00:01:00")).Should().Equal("P:Chaos:Schedule:Windows:0:Form is not a known setting; did you mean From?");
        OfPipeline(("Chaos:Seed", "9999999999")).Should().BeEmpty("a seed is as long as a number can be");

        SettingsReading<PipelineSettings> good = SettingsReader.ReadPipeline(
            Section(("Chaos:AllowedEnvironments:0", "Test"), ("Chaos:AllowedEnvironments:1", "Lab"), ("Chaos:Schedule:Windows:0:From", "00:01:00")), "P");
        good.Problems.Should().BeEmpty();
        good.Settings.Chaos!.AllowedEnvironments.Should().Equal("Test", "Lab");
        good.Settings.Chaos.Schedule!.Windows!.Single().From.Should().Be(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public void A_group_that_is_there_makes_its_policy_and_no_other()
    {
        PipelineSettings Pipeline(string group) => SettingsReader.ReadPipeline(Section((group, null)), "P").Settings;
        HttpSettings Http(string group) => SettingsReader.ReadHttp(Section((group, null)), "P").Settings;

        foreach (string group in (string[])["Retry", "Hedging", "CircuitBreaker", "ConcurrencyLimit", "Chaos"])
        {
            PipelineSettings read = Pipeline(group);
            (read.Retry is not null, read.Hedging is not null, read.CircuitBreaker is not null, read.ConcurrencyLimit is not null, read.Chaos is not null)
                .Should().Be((group == "Retry", group == "Hedging", group == "CircuitBreaker", group == "ConcurrencyLimit", group == "Chaos"));
        }

        foreach (string group in (string[])["Retry", "CircuitBreaker", "ConcurrencyLimit"])
        {
            HttpSettings read = Http(group);
            (read.Retry is not null, read.CircuitBreaker is not null, read.ConcurrencyLimit is not null)
                .Should().Be((group == "Retry", group == "CircuitBreaker", group == "ConcurrencyLimit"));
        }
    }

    [Theory]
    [InlineData("abcd", "badc", "badc")] // two swaps are two edits
    [InlineData("abcdefghijkl", "wxyz", null)] // nothing in common, however short the other
    public void Edits_are_counted_to_the_end_of_both_words(string written, string candidate, string? closest) =>
        Spelling.Closest(written, [candidate]).Should().Be(closest);

    [Fact]
    public void The_same_word_is_closer_than_any_other() => Spelling.Closest("aa", ["ab", "aa"]).Should().Be("aa");

    [Fact]
    public void A_key_that_is_far_from_all_is_answered_with_all()
    {
        Problems(("ConcurrencyLimit:Xyzzyplugh", "1")).Should().Equal(
            "P:ConcurrencyLimit:Xyzzyplugh is not a known setting; known here are Enabled, MaxConcurrent, MaxQueued, MaxWait");
        SettingsReader.ReadPipeline(new ConfigurationBuilder().AddInMemoryCollection([new("Rety", null)]).Build(), "").Problems
            .Select(p => p.ToString()).Should().Equal("Rety is not a known setting; did you mean Retry?");
    }

    [Fact]
    public void What_is_empty_is_known_and_groups_that_are_there_are_policies()
    {
        SettingsReader.ReadHttp(Section(), "P").IsEmpty.Should().BeTrue();
        SettingsReading<HttpSettings> http = SettingsReader.ReadHttp(Section(("Retry", null), ("CircuitBreaker:Probes", "2"), ("ConcurrencyLimit", "")), "P");
        http.IsEmpty.Should().BeFalse();
        (http.Settings.Retry, http.Settings.CircuitBreaker!.Probes, http.Settings.ConcurrencyLimit).Should().Be((new RetrySettings(), 2, new ConcurrencyLimitSettings()));
        SettingsReading<PipelineSettings> none = SettingsReader.ReadPipeline(Section(("TotalTimeout", "00:00:01")), "P");
        (none.Settings.Retry, none.Settings.CircuitBreaker, none.Settings.ConcurrencyLimit).Should().Be((null, null, null));
        SettingsReading<PipelineSettings> all = SettingsReader.ReadPipeline(Section(("Retry", null), ("CircuitBreaker", null), ("ConcurrencyLimit", null)), "P");
        (all.Settings.Retry, all.Settings.CircuitBreaker, all.Settings.ConcurrencyLimit).Should().Be((new RetrySettings(), new CircuitBreakerSettings(), new ConcurrencyLimitSettings()));
    }

    [Theory]
    [InlineData("Retry", "Retry")]
    [InlineData("rETRY", "Retry")]
    [InlineData("Retyr", "Retry")] // neighbours swapped are one edit
    [InlineData("Rety", "Retry")]
    [InlineData("Rettry", "Retry")]
    [InlineData("Rexry", "Retry")]
    [InlineData("Rexxy", "Retry")] // two edits of a short word are still a slip
    [InlineData("Rxxxy", null)] // three are not
    [InlineData("TotalTimeot", "TotalTimeout")]
    [InlineData("TotalTxxxxxt", null)]
    [InlineData("TotalTxxxxut", "TotalTimeout")] // a long word may have a third of its letters wrong
    [InlineData("", null)]
    public void A_slip_is_seen_through(string written, string? meant) => Spelling.Closest(written, ["TotalTimeout", "Retry", "CircuitBreaker"]).Should().Be(meant);

    [Fact]
    public void The_closest_of_several_is_meant_and_the_first_of_equals()
    {
        Spelling.Closest("abcd", ["abxx", "abcx", "abce"]).Should().Be("abcx");
        Spelling.Closest("ab", ["ba", "ab"]).Should().Be("ab");
        Spelling.Closest("ca", ["abc"]).Should().BeNull("a letter is moved at most once");
    }
}
