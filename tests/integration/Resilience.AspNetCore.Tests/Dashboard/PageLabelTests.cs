using System.Diagnostics;
using System.Text.RegularExpressions;
using Resilience.Events;

namespace Resilience.AspNetCore.Tests;

/// <summary>The live page knows some answers of a gate before the first of them: by the names under which they are counted.</summary>
public sealed partial class PageLabelTests
{
    [GeneratedRegex(@"for \(const answer of \[([^\]]+)\]\)")]
    private static partial Regex Known();

    private static string[] KnownAnswers(string script) => [.. Known().Match(script).Groups[1].Value.Split(',').Select(l => l.Trim(' ', '\''))];

    private static string[] Counted() => [.. Enum.GetValues<IdempotencyStatus>().Select(TagOf)];

    private static string TagOf(IdempotencyStatus status)
    {
        TagList tags = default;
        new IdempotencyChecked("", "gate", "1a2b", status, 1).AddTags(ref tags);
        return (string)tags[0].Value!;
    }

    [Fact]
    public void Answers_that_are_shown_before_the_first_are_those_that_are_counted()
    {
        string script = File.ReadAllText(Path.Combine(Repository.Root, "src/Resilience.AspNetCore/Dashboard/Page/cards.js"));
        string[] known = KnownAnswers(script);
        known.Should().HaveCountGreaterThan(4).And.Contain("stale", "a completion, which is shown there too");
        known.Except(["stale"]).Except(Counted()).Should().BeEmpty();
        KnownAnswers("for (const answer of ['claimed', 'busy'])").Except(Counted()).Should().Equal("busy");
    }
}
