namespace Resilience.Tests.Architecture;

/// <summary>The samples run, to their end, and say what they should.</summary>
[Trait("Category", "Samples")]
[Collection(ProcessesCollection.Name)]
public sealed class SampleTests
{
    [Fact]
    public async Task The_quick_start_runs_through_an_outage_and_a_recovery_in_time()
    {
        (int exit, string printed) = await Repository.RunProjectAsync("samples/QuickStart", TimeSpan.FromSeconds(120));
        exit.Should().Be(0, "{0}", printed);
        printed.Should().Contain("circuit OPENS").And.Contain("circuit HALF OPEN").And.Contain("circuit CLOSES")
            .And.Contain("answered from memory").And.Contain("What the customers saw:");
        string[] summary = [.. printed.Split('\n').Where(l => l.Contains(" questions: ", StringComparison.Ordinal))];
        summary.Should().HaveCount(2);
        Errors(summary[0]).Should().BeGreaterThan(20, "a bare client passes the outage on");
        Errors(summary[1]).Should().BeLessThan(Errors(summary[0]) / 4);

        static int Errors(string line) => int.Parse(System.Text.RegularExpressions.Regex.Match(line, @"(\d+) errors").Groups[1].Value);
    }

    [Fact]
    public async Task The_payments_sample_charges_every_order_once_and_without_keys_it_does_not()
    {
        (int exit, string printed) = await Repository.RunProjectAsync("samples/Payments", TimeSpan.FromSeconds(180));
        exit.Should().Be(0, "{0}", printed);
        string[] ledgers = [.. printed.Split('\n').Where(l => l.Contains("The ledger:", StringComparison.Ordinal))];
        ledgers.Should().HaveCount(2);
        ledgers[0].Should().MatchRegex(@"; [1-9]\d* orders charged more than once");
        ledgers[1].Should().Contain("30 charges for 30 orders; 0 orders charged more than once, 0 not at all; customers paid 0.00 too much");
        printed.Should().Contain("the service was killed 2 times").And.Contain("With keys every order was charged once.");
    }

    [Fact]
    public async Task The_http_client_sample_charges_once_and_takes_new_settings_during_the_outage()
    {
        (int exit, string printed) = await Repository.RunProjectAsync("samples/HttpClient", TimeSpan.FromSeconds(120));
        exit.Should().Be(0, "{0}", printed);
        Told(printed).Should().Equal(HttpClientStory, "a line of the log stands before what comes of it, and once\n{0}", printed);
    }

    [Fact]
    public void A_line_of_the_log_that_comes_late_or_twice_is_found()
    {
        Told(string.Join('\n', HttpClientStory)).Should().Equal(HttpClientStory);
        string[] late = [.. HttpClientStory];
        string[] twice = [.. HttpClientStory.SelectMany(l => l.StartsWith("did you", StringComparison.Ordinal) ? [l, l] : new[] { l })];
        int last = Array.FindIndex(late, l => l.StartsWith("attempt 3", StringComparison.Ordinal));
        (late[last], late[last + 1]) = (late[last + 1], late[last]);

        Told(string.Join('\n', late)).Should().NotEqual(HttpClientStory, "a call fails before its last attempt has");
        Told(string.Join('\n', twice)).Should().NotEqual(HttpClientStory, "an error is there twice");
    }

    private static readonly string[] HttpClientStory =
    [
        "1. The reply is lost twice.", "attempt 1 failed (System", "attempt 2 failed (System", "receipt 1 for the book; 3 requests, 1 charge",
        "2. The service goes down.", "attempt 1 failed (503)", "attempt 2 failed (503)", "attempt 3 failed (503) and is not retried",
        "failed: ServiceUnavailable",
        "attempt 1 failed (503)", "attempt 2 failed (503)", "circuit opened for 2 s", "attempt 3 failed (503) and is not retried",
        "failed: ServiceUnavailable",
        "rejected by the circuit-breaker", "rejected by the circuit-breaker", "rejected by the circuit-breaker",
        "circuit Open; 6 requests reached the service for 5 calls",
        "3. An operator edits", "applied the changed settings", "attempt timeout 00:00:00.5000000, circuit Open",
        "4. And makes a mistake", "did you mean AttemptTimeout?", "attempt timeout 00:00:00.5000000, circuit Open",
        "5. The service comes back.", "circuit half-open, probing", "circuit closed", "receipt 2 for the lamp; circuit Closed; 2 charges in all",
    ];

    /// <summary>The part of the story that each printed line is; other lines are left out.</summary>
    private static string[] Told(string printed) =>
        [.. printed.Split('\n').Select(line => HttpClientStory.FirstOrDefault(part => line.Contains(part, StringComparison.Ordinal))).OfType<string>()];

    [Fact]
    public async Task The_simulation_sample_lives_two_days_and_compares_them()
    {
        (int exit, string printed) = await Repository.RunProjectAsync("samples/Simulation", TimeSpan.FromSeconds(120));
        exit.Should().Be(0, "{0}", printed);
        printed.Should().Contain("6.0 requests for each call, against 0.0").And.NotContain("(not exact)");
    }

    [Fact]
    public async Task The_storm_lab_tells_its_story_writes_its_report_and_says_what_it_was_not_asked_rightly()
    {
        string folder = Directory.CreateTempSubdirectory("storm").FullName;
        try
        {
            (int exit, string printed) = await Repository.RunProjectAsync("samples/StormLab", TimeSpan.FromSeconds(180), "--out", folder);
            exit.Should().Be(0, "{0}", printed);
            printed.Should().Contain("Naive, the fleet never recovers. Configured, it is well again").And.Contain("goodput, configured")
                .And.Contain("check holds")
                .And.NotContain("BROKEN");
            Directory.EnumerateFiles(folder).Select(Path.GetFileName)
                .Should().Contain(["report.html", "load.svg", "goodput.svg", "latency.svg", "series-naive.csv"]);
            (exit, printed) = await Repository.RunProjectAsync("samples/StormLab", TimeSpan.FromSeconds(120), "--clients", "0", "--jitter", "some");
            exit.Should().Be(2);
            printed.Should().Contain("--clients is '0'").And.Contain("--jitter is 'some'");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
