using Microsoft.Extensions.Configuration;

namespace Resilience.Tests.Configuration;

/// <summary>The form of values and keys: what is accepted, and the full message for anything else.</summary>
public sealed class SettingsFormTests
{
    private static IConfigurationSection Section(params (string Key, string? Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>(v.Key.Length == 0 ? "P" : $"P:{v.Key}", v.Value))).Build().GetSection("P");

    private static string[] Problems(params (string Key, string? Value)[] values) =>
        [.. SettingsReader.Read(Section(values), "P", SettingsSchema.Http).Problems.Select(p => p.ToString())];

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

    /// <summary>By spelling, MaxRetryAttempts is nearer to MaxRetryAfter.</summary>
    [Theory]
    [InlineData("Retry:MaxRetryAttempts", "MaxRetries")]
    [InlineData("Retry:Delay", "BaseDelay")]
    [InlineData("Retry:BackoffType", "BackoffKind")]
    [InlineData("Retry:UseJitter", "Jitter, which is Full, Equal or None")]
    [InlineData("CircuitBreaker:MinimumThroughput", "MinimumCalls")]
    [InlineData("TotalRequestTimeout", "TotalTimeout, which is a time and not a group")]
    [InlineData("RateLimiter", "ConcurrencyLimit")]
    [InlineData("ConcurrencyLimit:PermitLimit", "MaxConcurrent")]
    [InlineData("ConcurrencyLimit:QueueLimit", "MaxQueued")]
    [InlineData("Hedging:MaxHedgedAttempts", "MaxAttempts, which counts the first attempt too")]
    public void A_key_of_Polly_or_Microsoft_is_answered_with_ours(string key, string meant) =>
        SettingsReader.ReadPipeline(Section((key, "1")), "P").Problems.Select(p => p.ToString()).Should().Equal(
            $"P:{key} is a key of Polly and Microsoft.Extensions.Http.Resilience; here it is called {meant}");

    [Fact]
    public void What_has_no_key_here_is_to_be_left_out() =>
        SettingsReader.ReadPipeline(Section(("Retry:ShouldRetryAfterHeader", "true")), "P").Problems.Select(p => p.ToString()).Should().Equal(
            "P:Retry:ShouldRetryAfterHeader is not a known setting; leave it out, Retry-After is always honored (up to MaxRetryAfter)");

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
        ChaosOptions chaos = good.Settings.Find<ChaosOptions>("Chaos")!;
        chaos.AllowedEnvironments.Should().BeEquivalentTo("Development", "Staging", "Test", "Lab");
        chaos.Schedule!.Windows.Single().From.Should().Be(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public void A_group_that_is_there_makes_its_policy_and_no_other()
    {
        string[] groups = ["Retry", "Hedging", "CircuitBreaker", "ConcurrencyLimit", "Chaos"], http = ["Retry", "CircuitBreaker", "ConcurrencyLimit"];
        foreach (string group in groups)
        {
            PipelineSettings read = SettingsReader.ReadPipeline(Section((group, null)), "P").Settings;
            read.Policies.Policies.Where(read.IsNamed).Select(p => p.Key).Should().Equal(group);
        }

        foreach (string group in http)
            SettingsReader.Read(Section((group, null)), "P", SettingsSchema.Http).Settings.All.Select(v => v.Setting.Name).Should().Equal(group);
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
        SettingsReader.Read(Section(), "P", SettingsSchema.Http).IsEmpty.Should().BeTrue();
        SettingsReading<SettingsValues> http = SettingsReader.Read(Section(("Retry", null), ("CircuitBreaker:Probes", "2"), ("ConcurrencyLimit", "")), "P", SettingsSchema.Http);
        http.IsEmpty.Should().BeFalse();
        StandardResilienceOptions options = new() { Retry = null };
        http.Settings.ApplyTo(options);
        (options.Retry!.MaxRetries, options.CircuitBreaker!.Probes, options.ConcurrencyLimit!.MaxConcurrent).Should().Be((3, 2, 100));
        SettingsReader.Read(Section(("Retry:Enabled", "false"), ("Retry:MaxRetries", "7")), "P", SettingsSchema.Http).Settings.ApplyTo(options);
        options.Retry.Should().BeNull("it is not enabled");

        PipelineSettings off = SettingsReader.ReadPipeline(Section(("TotalTimeout", "00:00:01"), ("Retry:Enabled", "false"),
            ("AbandonAttemptAfter", "00:00:01")), "P").Settings;
        (off.Find<RetryOptions>("Retry"), off.Find<CircuitBreakerOptions>("CircuitBreaker")).Should().Be((null, null));
        new ResiliencePipelineBuilder().AddPolicies(off).Build().Describe().Policies.Select(p => p.Name).Should().Equal("total-timeout");
    }

    [Fact]
    public void Code_and_section_say_one_thing_together_and_the_section_wins()
    {
        PipelineSettings read = SettingsReader.ReadPipeline(Section(("Retry:MaxRetries", "2"), ("CircuitBreaker:Enabled", "false")), "P").Settings;
        ResiliencePipelineBuilder builder = new ResiliencePipelineBuilder()
            .AddConfigured(read, "Retry", static (RetryOptions o) => (o.MaxRetries, o.WaitForRejections, o.Name) = (9, true, "mine"))
            .AddConfigured(read, "CircuitBreaker").AddConfigured(read, "ConcurrencyLimit");
        PipelineDescription built = builder.Build().Describe();
        built.Policies.Select(p => p.Name).Should().Equal("mine", "concurrency-limit");
        built.Policies[0].Options.Should().Contain(KeyValuePair.Create("MaxRetries", "2")).And.Contain(KeyValuePair.Create("WaitForRejections", "true"));
        builder.Invoking(b => b.AddConfigured(read, "Rety")).Should().Throw<ArgumentException>().WithMessage("*'Rety'*known are TotalTimeout, Retry*");
        builder.Invoking(b => b.AddConfigured(read, "Retry", static (HedgingOptions _) => { })).Should().Throw<ArgumentException>()
            .WithMessage("*RetryOptions*");
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
    public void A_slip_is_seen_through(string written, string? meant) =>
        Spelling.Closest(written, ["TotalTimeout", "Retry", "CircuitBreaker"]).Should().Be(meant);

    [Fact]
    public void The_closest_of_several_is_meant_and_the_first_of_equals()
    {
        Spelling.Closest("abcd", ["abxx", "abcx", "abce"]).Should().Be("abcx");
        Spelling.Closest("ab", ["ba", "ab"]).Should().Be("ab");
        Spelling.Closest("ca", ["abc"]).Should().BeNull("a letter is moved at most once");
    }
}
