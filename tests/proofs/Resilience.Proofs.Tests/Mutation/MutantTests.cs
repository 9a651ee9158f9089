using System.Text.Json;
using Resilience.Mutants;

namespace Resilience.Tests.Mutation;

/// <summary>The lists of mutants that survive, each with its reason, and the judge who holds reports against them (tests/mutants.sh).</summary>
public sealed class MutantTests
{
    private static readonly Mutant Border = Mutant.Of("Rules.cs", "return one > other ? one : other;", "one >= other");
    private static readonly Mutant Sign = Mutant.Of("Rules.cs", "next = now + span;", "now - span");

    public static TheoryData<string, string> Groups => new()
    {
        { "core", "Resilience.Core" }, { "idempotency", "Resilience.Core" }, { "client", "Resilience.Extensions" }, { "endpoint", "Resilience.AspNetCore" },
    };

    [Theory]
    [MemberData(nameof(Groups))]
    public void Every_survivor_in_a_list_is_a_line_that_stands_in_a_file_that_is_mutated(string group, string project)
    {
        string[] mutated = Mutated(group);
        mutated.Should().NotBeEmpty().And.OnlyContain(file => File.Exists(Path.Combine(Repository.Root, "src", project, file)));
        foreach (Survivor survivor in SurvivorList.Read(File.ReadAllText(Path.Combine(Repository.Root, "tests", "proofs", "mutants", $"{group}.survivors"))))
        {
            mutated.Should().Contain(survivor.Mutant.File);
            File.ReadLines(Path.Combine(Repository.Root, "src", project, survivor.Mutant.File)).Select(line => Mutant.Of("", line, "").Line)
                .Should().Contain(survivor.Mutant.Line, "a list that speaks of code that is gone explains nothing");
        }
    }

    [Fact]
    public void Survivors_that_change_nothing_are_not_counted_and_others_are()
    {
        Judgement good = Judgement.Of(
            [.. Tried("Killed", 38), .. Tried("Timeout", 1), Survived(Border), Survived(Sign)], [Explained(Border, SurvivorKind.Same), Explained(Sign, SurvivorKind.Race)]);
        good.Lines.Should().Equal("noticed 39 of 41, 95.1 %; 1 change nothing: 39 of 40, 97.5 %");
        good.IsGood.Should().BeTrue();
    }

    [Fact]
    public void Whatever_is_wrong_with_a_run_or_a_list_is_found()
    {
        Fault([.. Tried("Killed", 99), Survived(Sign)], []).Should().StartWith("survived, and no reason is given: Rules.cs: next = now + span; -> now - span");
        Fault([.. Tried("Killed", 99), Survived(Sign), Survived(Sign)], [Explained(Sign, SurvivorKind.Cost)]).Should().StartWith("survived, and no reason is given");
        Fault([.. Tried("Killed", 99), new(Border, IsNoticed: true, IsTimeout: false)], [Explained(Border, SurvivorKind.Same)]).Should().StartWith("said to change nothing, and noticed");
        Fault(Tried("Killed", 99), [Explained(Border, SurvivorKind.Same)]).Should().StartWith("listed, and not in the report");
        Fault([.. Tried("Killed", 18), Survived(Sign)], [Explained(Sign, SurvivorKind.Race)]).Should().StartWith("fewer than 95.0 % of the mutants");
        Fault([Survived(Border)], [Explained(Border, SurvivorKind.Same)]).Should().StartWith("fewer than");
        Fault([], []).Should().StartWith("fewer than");

        static string Fault(IReadOnlyList<TriedMutant> tried, IReadOnlyList<Survivor> explained)
        {
            Judgement judgement = Judgement.Of(tried, explained);
            judgement.IsGood.Should().BeFalse();
            return judgement.Lines[0];
        }
    }

    [Fact]
    public void What_chance_noticed_and_what_only_took_too_long_is_reported_and_no_fault()
    {
        Judgement judgement = Judgement.Of(
            [.. Tried("Killed", 99), new(Border, IsNoticed: true, IsTimeout: true), new(Sign, IsNoticed: true, IsTimeout: false)],
            [Explained(Border, SurvivorKind.Same), Explained(Sign, SurvivorKind.Race)]);
        judgement.IsGood.Should().BeTrue();
        judgement.Lines.Should().HaveCount(3).And.Subject.Take(2).Should().OnlyContain(line => line.StartsWith("listed, and noticed this time", StringComparison.Ordinal));
    }

    [Fact]
    public void A_report_is_read_as_it_is_written_and_its_survivors_come_back_from_a_list()
    {
        IReadOnlyList<TriedMutant> tried = Report.Read(Json("Killed", "Survived", "NoCoverage", "Timeout", "Ignored", "CompileError"));
        tried.Select(t => (t.IsNoticed, t.IsTimeout)).Should().Equal((true, false), (false, false), (false, false), (true, true));
        tried[0].Mutant.Should().Be(new Mutant("Retry/Rules.cs", "if (a", "a b"));
        string list = "same: because\n\n" + string.Join('\n', SurvivorList.Write(tried.Where(t => !t.IsNoticed)));
        SurvivorList.Read(list).Should().HaveCount(2).And.OnlyContain(s => s.Reason == "because" && s.Mutant == tried[0].Mutant);
        FluentActions.Invoking(() => Report.Read(Json("Pending"))).Should().Throw<InvalidDataException>().WithMessage("*Retry/Rules.cs*'Pending'*");
    }

    [Theory]
    [InlineData("same:\n", "line 1 must be 'KIND: reason'*Same, Race, Cost, Misuse*")]
    [InlineData("# a\nsome: reason\n", "line 2 must be*")]
    [InlineData("1: reason\n", "line 1 must be*")]
    [InlineData("  Rules.cs\n", "line 1 stands too far to the right")]
    [InlineData("same: r\n    line\n", "line 2 stands too far to the right")]
    [InlineData("same: r\n  f\nrace: r\n    line\n", "line 4 stands too far to the right")]
    public void A_list_that_cannot_be_read_is_rejected_with_the_line(string text, string message) =>
        FluentActions.Invoking(() => SurvivorList.Read(text)).Should().Throw<FormatException>().WithMessage(message);

    private static string[] Mutated(string group)
    {
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "tests", "proofs", "mutants", $"{group}.json")));
        return [.. config.RootElement.GetProperty("stryker-config").GetProperty("mutate").EnumerateArray().Select(file => file.GetString()!)];
    }

    private static Survivor Explained(Mutant mutant, SurvivorKind kind) => new(mutant, kind, "because");

    private static TriedMutant Survived(Mutant mutant) => new(mutant, IsNoticed: false, IsTimeout: false);

    private static List<TriedMutant> Tried(string status, int count) =>
        [.. Enumerable.Range(0, count).Select(i => new TriedMutant(Mutant.Of("Other.cs", $"line {i}", "x"), IsNoticed: true, IsTimeout: status == "Timeout"))];

    /// <summary>A report with a mutant of each of these ends, all on the second line of one file.</summary>
    private static string Json(params string[] ends) => JsonSerializer.Serialize(new
    {
        projectRoot = "/root/src",
        files = new Dictionary<string, object>
        {
            ["/root/src/Retry/Rules.cs"] = new
            {
                source = "first\n    if (a  \n  && b) third",
                mutants = ends.Select(end => new { status = end, replacement = "a\n  b", location = new { start = new { line = 2 } } }),
            },
        },
    });
}
