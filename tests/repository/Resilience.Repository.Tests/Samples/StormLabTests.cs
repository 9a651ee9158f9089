using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Resilience.StormLab;

namespace Resilience.Tests.Samples;

/// <summary>The storm lab: its accounts are true of its series, and its checks find what is planted.</summary>
public sealed class StormLabTests
{
    /// <summary>A fifth of the lab's own load and capacity.</summary>
    private static readonly string[] Small =
    [
        "--clients", "5", "--load", "70", "--capacity", "100", "--queue", "400", "--duration", "100s",
        "--set", "configured:Retry:Budget:MinRetriesPerSecond=0.4",
    ];

    [Fact]
    public async Task In_the_outage_naive_clients_never_recover_and_configured_ones_do_within_half_a_minute()
    {
        (StormRun naive, StormRun configured) = await LiveAsync();
        naive.Recovery.Should().BeNull();
        naive.LastHalfMinute.Goodput.Should().BeLessThan(naive.Plan.Load * 0.05);
        naive.LastHalfMinute.Load.Should().BeGreaterThan(naive.Plan.Capacity, "retries alone keep the service full");
        configured.Recovery.Should().NotBeNull().And.BeLessThan(TimeSpan.FromSeconds(30));
        configured.LastHalfMinute.SuccessShare.Should().BeGreaterThan(0.99);
        configured.Openings.Should().BePositive();
        configured.Seconds.Max(s => s.Open).Should().Be(5, "every client's circuit is open for a whole second at least");
        naive.Seconds.Select(s => s.Started).Should().Equal(configured.Seconds.Select(s => s.Started), "both sides see the same calls");
        StormChecks.Of(naive).Concat(StormChecks.Of(configured)).Should().HaveCount(5).And.OnlyContain(c => c.Holds);
        Story.Verdict(naive, configured).Should().Contain("Naive, the fleet never recovers. Configured, it is well again");
        Hints.For(naive).Select(h => h.Split(':', ' ')[0]).Should().Contain(["Retry", "CircuitBreaker", "TotalTimeout"]);
    }

    [Fact]
    public async Task The_same_seed_makes_the_same_report_byte_for_byte_and_another_one_does_not()
    {
        (StormRun naive, StormRun configured) = await LiveAsync("--seed", "7");
        (StormRun naiveAgain, StormRun configuredAgain) = await LiveAsync("--seed", "7");
        naive.Report.IsExact.Should().BeTrue();
        naiveAgain.ToCsv().Should().Be(naive.ToCsv());
        configuredAgain.ToCsv().Should().Be(configured.ToCsv());
        HtmlReport.Page(naiveAgain, configuredAgain).Should().Be(HtmlReport.Page(naive, configured));
        (StormRun other, _) = await LiveAsync("--seed", "8");
        other.ToCsv().Should().NotBe(naive.ToCsv());
    }

    [Fact]
    public async Task A_run_without_a_budget_breaks_the_bound_of_the_budget()
    {
        StormPlan bounded = Plan(), unbounded = Plan("--budget", "off", "--breaker", "off");
        RetryBound bound = RetryBound.Of((await Storm.LiveAsync(bounded, StormPlan.Configured)).Settings, bounded.Clients)!;
        bound.Should().Be(new RetryBound(0.1, 2, 10));
        StormRun wild = await Storm.LiveAsync(unbounded, StormPlan.Configured);
        RetryBound.Of(wild.Settings, unbounded.Clients).Should().BeNull("nothing is promised");
        StormChecks.Amplification(wild.Seconds, bound).Holds.Should().BeFalse();
        StormChecks.Amplification(wild.Seconds, bound).Detail.Should().Contain("broken at 3");
    }

    [Fact]
    public async Task A_call_that_is_lost_or_counted_twice_breaks_conservation()
    {
        StormRun run = await Storm.LiveAsync(Plan(), StormPlan.Configured);
        long ended = run.Report.Succeeded + run.Report.Failed + run.Report.Rejected;
        StormChecks.Conservation(run.Seconds, run.Report.Started, ended, run.Report.Stuck).Holds.Should().BeTrue();
        StormChecks.Conservation(run.Seconds, run.Report.Started, ended - 1, run.Report.Stuck).Holds.Should().BeFalse();
        StormChecks.Conservation(run.Seconds, run.Report.Started, ended, run.Report.Stuck + 1).Holds.Should().BeFalse();
        StormSecond[] lost = [.. run.Seconds.Select(s => s.Second == 5 ? s with { Started = s.Started - 1 } : s)];
        StormChecks.Conservation(lost, run.Report.Started, ended, run.Report.Stuck).Holds.Should().BeFalse();
        StormSecond[] twice = [.. run.Seconds.Select(s => s.Second == 0 ? s with { Succeeded = s.Started + 1 } : s)];
        StormChecks.Conservation(twice, run.Report.Started, ended, run.Report.Stuck).Detail.Should().Contain("more ended than began at 0 s");
    }

    [Fact]
    public async Task Every_scenario_that_comes_with_the_lab_runs_and_its_checks_hold()
    {
        foreach (Scenario scenario in Scenario.Known)
        {
            (StormRun naive, StormRun configured) = await LiveAsync("--scenario", scenario.Name);
            StormChecks.Of(naive).Concat(StormChecks.Of(configured)).Should().OnlyContain(c => c.Holds, scenario.Name);
            naive.Calm.SuccessShare.Should().BeGreaterThan(0.99, "before the trouble all is well ({0})", scenario.Name);
            configured.Recovery.Should().NotBeNull(scenario.Name);

            // Where failing costs the service nothing, those who never stop asking are served sooner: the one story in which a breaker is a loss.
            if (scenario.Name != "flapping") configured.After.Goodput.Should().BeGreaterThan(naive.After.Goodput * 2, scenario.Name);
        }
    }

    [Fact]
    public void All_mistakes_are_reported_at_once_with_option_value_and_range()
    {
        Question question = CommandLine.Read("--clients", "0", "--jitter", "some", "--retyr", "3", "--timeout", "5", "--scenario", "flood",
            "--budget", "20", "--seed",
            "--set", "naive:Retry:MaxRetrys=2", "--breaker", "FailureRatio=1.5", "--duration", "60s");
        question.Plan.Should().BeNull();
        question.Problems.Should().HaveCount(9);
        question.Problems[0].Should().Be("--clients is '0', but must be a whole number from 1 to 200.");
        question.Problems[1].Should().Be("--jitter is 'some', but must be none, full, equal or decorrelated.");
        question.Problems[2].Should().StartWith("'--retyr' is no option; there are --scenario, --clients");
        string all = string.Join('\n', question.Problems);
        all.Should().Contain("--timeout is '5', but must be a time from 1ms to 1h, or off.")
            .And.Contain("--scenario is 'flood', but must be one of outage, spike")
            .And.Contain("--budget is '20', but must be 0, a number from 0.001 to 10, or off.").And.Contain("--seed has no value")
            .And.Contain("naive:Retry:MaxRetrys is not a known setting; did you mean MaxRetries?").And.Contain("configured:CircuitBreaker:FailureRatio is 1.5");
        CommandLine.Read("--duration", "60s").Problems.Should().ContainSingle()
            .Which.Should().Contain("--duration is 60s, but must leave 20 s after the end of the trouble");
        CommandLine.Read("--help").WantsHelp.Should().BeTrue();
        CommandLine.Help().Should().Contain("--breaker").And.Contain("cold-start");
    }

    [Fact]
    public void Arguments_become_settings_and_the_settings_of_a_side_can_be_pasted_into_a_configuration_file()
    {
        StormPlan plan = Plan("--retry", "2", "--jitter", "decorrelated", "--budget", "0.05", "--breaker", "FailureRatio=0.3,BreakDuration=1s",
            "--timeout", "750ms", "--deadline", "off", "--limit", "9");
        string json = FleetSettings.ToJson(plan.Settings, StormPlan.Configured);
        using MemoryStream file = new(Encoding.UTF8.GetBytes($$"""{ "Resilience": { "Pipelines": { "orders": {{json}} } } }"""));
        IConfigurationRoot configuration = new ConfigurationBuilder().AddJsonStream(file).Build();
        ServiceCollection services = new();
        services.AddLogging().AddResilience().AddPipelines(configuration.GetSection("Resilience:Pipelines"));
        using ServiceProvider provider = services.BuildServiceProvider();
        PipelineDescription pasted = provider.GetRequiredService<ResiliencePipelineProvider>().GetPipeline("orders").Describe();
        pasted.Policies.Select(p => p.Name).Should().Equal("retry", "circuit-breaker", "concurrency-limit", "attempt-timeout");
        pasted.Policies[^1].Timeout.Should().Be(TimeSpan.FromMilliseconds(750));
        json.Should().NotContain("TotalTimeout").And.Contain("\"BackoffKind\": \"Decorrelated\"").And.Contain("\"Ratio\": 0.05")
            .And.Contain("\"FailureRatio\": 0.3").And.Contain("\"MaxConcurrent\": 9");
    }

    [Fact]
    public void A_section_of_the_file_stands_for_a_whole_side_and_a_wrong_file_is_an_error()
    {
        string folder = Directory.CreateTempSubdirectory("storm").FullName;
        try
        {
            string file = Path.Combine(folder, "mine.json");
            File.WriteAllText(file, """{ "configured": { "Retry": {}, "AttemptTimeout": "00:00:02" } }""");
            StormPlan plan = Plan("--settings", file);
            plan.Settings.GetSection("configured:CircuitBreaker").Exists().Should().BeFalse("nothing of the default is mixed in");
            plan.Settings["naive:AttemptTimeout"].Should().Be("00:00:01", "the other side is the default");
            File.WriteAllText(file, """{ "configred": {}, "naive": { "AttemptTimeout": "2" } }""");
            CommandLine.Read("--settings", file).Problems.Should().HaveCount(2).And.Contain(p => p.Contains("configred is not a known section",
                StringComparison.Ordinal))
                .And.Contain(p => p.Contains("naive:AttemptTimeout is '2'", StringComparison.Ordinal));
            File.WriteAllText(file, """{ "Name": "x", "Story": "y", "Phases": [ { "From": 30, "Until": 30.5, "Latency": -1 } ] }""");
            CommandLine.Read("--scenario", file).Problems.Should().HaveCount(2).And.OnlyContain(p => p.Contains("Phases[0].", StringComparison.Ordinal));
            CommandLine.Read("--settings", Path.Combine(folder, "none.json")).Problems.Should().ContainSingle().Which.Should().Contain("cannot be read");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_breaker_that_can_never_judge_is_found_by_a_hint()
    {
        StormRun deaf = await Storm.LiveAsync(Plan("--breaker", "MinimumCalls=1000"), StormPlan.Configured);
        deaf.Openings.Should().Be(0);
        Hints.For(deaf).Should().Contain(h => h.Contains("MinimumCalls is 1000, but a client makes only 140 calls in its window of 10 s",
            StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_report_stands_alone()
    {
        (StormRun naive, StormRun configured) = await LiveAsync();
        string page = HtmlReport.Page(naive, configured);
        page.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal).Should().NotContainAny("http:", "https:", "src=", "<script", "url(",
            "@import");
        page.Should().Contain("default-src 'none'").And.Contain("prefers-color-scheme: dark")
            .And.Contain("width=device-width").And.NotContain("BROKEN").And.NotContain("NaN");
        string picture = page[page.IndexOf("<svg", StringComparison.Ordinal)..(page.IndexOf("</svg>", StringComparison.Ordinal) + 6)];
        System.Xml.Linq.XDocument.Parse(picture).Root!.Name.LocalName.Should().Be("svg");
    }

    [Fact]
    public async Task What_the_page_on_tuning_says_of_its_examples_is_true()
    {
        string page = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs/tuning.md"));
        foreach (TuningExample example in TuningExamples.All)
        {
            (StormRun before, StormRun after) = await example.LiveAsync(Repository.Root);
            example.Claim(before, after).Should().BeTrue(example.Name);
            page.Should().Contain($"<!-- storm: {example.Name} -->\n| | {example.Names.Before} | {example.Names.After} |");
            foreach (string picture in example.Pictures) page.Should().Contain($"(images/storm/{example.Name}-{picture}.svg)");
        }
    }

    private static StormPlan Plan(params string[] arguments)
    {
        Question question = CommandLine.Read([.. Small, .. arguments]);
        question.Problems.ShouldBeNone();
        return question.Plan!;
    }

    private static async Task<(StormRun Naive, StormRun Configured)> LiveAsync(params string[] arguments)
    {
        StormPlan plan = Plan(arguments);
        return (await Storm.LiveAsync(plan, StormPlan.Naive), await Storm.LiveAsync(plan, StormPlan.Configured));
    }
}
