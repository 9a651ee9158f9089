using System.Globalization;
using Resilience.Tests.Support;

namespace Resilience.Tests.Architecture;

/// <summary>The closing line of `.ci/run` tells the truth: the script runs with a stand-in for the SDK that writes given results.</summary>
[Requires(Tool.Bash)]
public sealed class CiScriptTests
{
    [Theory]
    [InlineData("all passed", 0, 0, "4/4/4 2/2/2", "6 passed, 0 failed, 0 skipped")]
    [InlineData("one skipped", 0, 0, "5/4/4", "4 passed, 0 failed, 1 skipped")]
    [InlineData("one failed", 1, 1, "5/5/4 2/2/2", "6 passed, 1 failed, 0 skipped")]
    [InlineData("a failure that the exit code hides", 0, 1, "5/5/4", "4 passed, 1 failed, 0 skipped")]
    [InlineData("broke off after some had passed", 134, 134, "5/5/5", "5 passed, 1 failed, 0 skipped")]
    [InlineData("nothing ran", 0, 1, "", "0 passed, 1 failed, 0 skipped")]
    [InlineData("everything was skipped", 0, 1, "3/0/0", "0 passed, 1 failed, 3 skipped")]
    public async Task The_last_line_and_the_exit_code_tell_the_truth_when(string what, int testExit, int expectedExit, string results, string expectedLine)
    {
        (int exit, string printed) = await RunAsync($"test) {Writes(results)} exit {testExit.ToString(CultureInfo.InvariantCulture)};; *) exit 0;;");
        printed.TrimEnd().Split('\n')[^1].Should().Be(expectedLine, "{0}: {1}", what, printed);
        exit.Should().Be(expectedExit, "{0}: {1}", what, printed);
    }

    [Theory]
    [InlineData("build")]
    [InlineData("format")]
    public async Task A_failed_step_ends_the_run(string step)
    {
        (int exit, string printed) = await RunAsync($"{step}) exit 1;; test) {Writes("4/4/4")} exit 0;; *) exit 0;;");
        printed.TrimEnd().Split('\n')[^1].Should().Be("0 passed, 1 failed, 0 skipped");
        exit.Should().Be(1);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("--deep", "1")]
    public async Task The_bounds_are_larger_when_asked(string argument, string expected)
    {
        (_, string printed) = await RunAsync($"test) echo \"deep=[$RESILIENCE_DEEP]\"; {Writes("4/4/4")} exit 0;; *) exit 0;;", argument);
        printed.Should().Contain($"deep=[{expected}]");
    }

    /// <summary>Shell text that writes one result file for each "total/executed/passed" into the folder after --results-directory.</summary>
    private static string Writes(string results)
    {
        string find = "while [ \"$1\" != --results-directory ]; do shift; done; ";
        int file = 0;
        return find + string.Concat(results.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(r =>
        {
            string[] n = r.Split('/');
            string line = $"<Counters total=\"{n[0]}\" executed=\"{n[1]}\" passed=\"{n[2]}\" failed=\"0\" error=\"0\" />";
            return string.Create(CultureInfo.InvariantCulture, $"echo '<TestRun><ResultSummary>{line}</ResultSummary></TestRun>' > \"$2/{file++}.trx\"; ");
        }));
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(string cases, string argument = "")
    {
        string stands = Directory.CreateTempSubdirectory("resilience-ci").FullName;
        try
        {
            Program("dotnet", $"case \"$1\" in {cases} esac");
            Program("gcc", "exit 0");
            Program("apt-get", "exit 1");
            return await Repository.RunAsync(
                "bash", TimeSpan.FromMinutes(1), Repository.Root, new() { ["PATH"] = $"{stands}:{Environment.GetEnvironmentVariable("PATH")}", ["RESILIENCE_DEEP"] = "" },
                [".ci/run", .. argument.Length > 0 ? new[] { argument } : []]);
        }
        finally
        {
            Directory.Delete(stands, recursive: true);
        }

        void Program(string name, string text)
        {
            string file = Path.Combine(stands, name);
            File.WriteAllText(file, $"#!/bin/sh\n{text}\n");
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }
}
