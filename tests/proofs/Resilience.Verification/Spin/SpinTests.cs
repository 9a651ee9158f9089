using System.Diagnostics;
using System.Text.RegularExpressions;
using Resilience.Verification.Coyote;

namespace Resilience.Verification.Spin;

/// <summary>Explores the model of the breaker, breaker.pml, completely within its bounds.</summary>
[Requires(Tool.Spin)]
public sealed partial class SpinTests(ITestOutputHelper output)
{
    [Fact]
    public void The_model_keeps_its_rules_in_every_state_it_can_reach()
    {
        Verdict(Explore("-DSAFETY", "", Bounds.IsDeep ? "-DCALLERS=3 -DCALLS=1" : "-DCALLERS=2 -DCALLS=2")).Should().BeNull();
        if (Bounds.IsDeep) Verdict(Explore("-DSAFETY", "", "-DCALLERS=2 -DCALLS=2 -DPLACES=2")).Should().BeNull();
    }

    [Fact]
    public void The_model_keeps_its_rules_while_an_update_lowers_the_limit() =>
        Verdict(Explore("-DSAFETY -DCOLLAPSE", "", "-DUPDATE -DCALLERS=2 -DCALLS=1")).Should().BeNull();

    [Theory]
    [InlineData("NO_SETTLE")]
    [InlineData("OLD_LIMIT")]
    public void A_flaw_of_an_update_in_the_model_is_found(string flaw) =>
        Verdict(Explore("-DSAFETY -DBFS", "", $"-DUPDATE -DCALLERS=2 -DCALLS=1 -DBUG_{flaw}")).Should().NotBeNull("the model must notice it");

    /// <summary>No more probes than the larger number, no event lost, and who keeps asking gets in.</summary>
    [Fact]
    public void The_model_keeps_its_rules_while_an_update_lowers_the_number_of_probes()
    {
        Verdict(Explore("-DSAFETY", "", "-DUPDATE_PROBES -DFULL=1 -DCALLERS=2 -DCALLS=1 -DPLACES=2")).Should().BeNull();
        Verdict(Explore("-DNP", "-l -f", $"-DPATIENT {LoweredProbes}")).Should().BeNull();
    }

    /// <summary>One of two probes has succeeded, and one is enough now: who closes only when a probe reports waits for a probe that is never sent.</summary>
    [Fact]
    public void A_circuit_that_is_never_closed_after_an_update_of_the_probes_is_found() =>
        Verdict(Explore("-DNP", "-l -f", $"-DPATIENT {LoweredProbes} -DBUG_NO_CLOSE")).Should().Contain("non-progress cycle");

    private const string LoweredProbes = "-DUPDATE_PROBES -DCALLERS=1 -DFULL=1 -DCALLS=2 -DPLACES=2";

    [Fact]
    public void A_caller_that_keeps_asking_gets_in_whatever_became_of_the_probes() =>
        Verdict(Explore("-DNP", "-l -f", "-DPATIENT -DCALLERS=1 -DFULL=1 -DCALLS=2")).Should().BeNull();

    [Theory]
    [InlineData("LOST_FAILURE")]
    [InlineData("TWO_PROBES")]
    [InlineData("STALE_COUNTS")]
    [InlineData("LOSER_PASSES")]
    [InlineData("EARLY_EVENT")]
    [InlineData("NO_HANDOVER")]
    public void A_flaw_in_the_model_is_found(string flaw) =>
        Verdict(Explore("-DSAFETY -DBFS", "", $"-DCALLERS=2 -DCALLS=2 -DFULL={(flaw == "LOST_FAILURE" ? 2 : 1)} -DBUG_{flaw}"))
            .Should().NotBeNull("the model must notice it");

    [Fact]
    public void A_lost_probe_that_is_waited_for_without_end_is_found() =>
        Verdict(Explore("-DNP", "-l -f", "-DPATIENT -DCALLERS=1 -DFULL=1 -DCALLS=2 -DBUG_NO_LEASE")).Should().Contain("non-progress cycle");

    /// <summary>Null, or the complaint with the schedule that leads to it.</summary>
    private string? Verdict((string Report, string Trail) run)
    {
        Match errors = Errors().Match(run.Report), states = States().Match(run.Report);
        (errors.Success && states.Success).Should().BeTrue($"the exploration ended and reported; it said: {run.Report}");
        run.Report.Should().NotContain("max search depth too small");
        output.WriteLine($"{states.Groups[1].Value} states, {errors.Groups[1].Value} errors");
        if (errors.Groups[1].Value == "0") return null;
        output.WriteLine(run.Report.Split('\n').First(line => line.StartsWith("pan:", StringComparison.Ordinal)));
        return run.Report + run.Trail;
    }

    private static (string Report, string Trail) Explore(string compilerFlag, string searchFlags, string modelFlags)
    {
        string folder = Directory.CreateTempSubdirectory("breaker-model-").FullName;
        try
        {
            File.Copy(Path.Combine(AppContext.BaseDirectory, "Spin", "breaker.pml"), Path.Combine(folder, "breaker.pml"));
            Run(folder, "spin", $"{modelFlags} -a breaker.pml");
            Run(folder, "gcc", $"-O2 -w {compilerFlag} -o pan pan.c");
            string report = Run(folder, Path.Combine(folder, "pan"), $"-m200000 {searchFlags}");
            bool hasTrail = File.Exists(Path.Combine(folder, "breaker.pml.trail"));
            return (report, hasTrail ? Run(folder, "spin", $"{modelFlags} -t -p -g breaker.pml") : "");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Run(string folder, string program, string arguments)
    {
        try
        {
            ProcessStartInfo start = new(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true };
            using Process process = Process.Start(start)!;
            string said = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return said;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new InvalidOperationException($"{program} is missing: apt-get install {program}");
        }
    }

    [GeneratedRegex("errors: ([0-9]+)")]
    private static partial Regex Errors();

    [GeneratedRegex("([0-9.e+]+) states, stored")]
    private static partial Regex States();
}
