using System.Globalization;

namespace Resilience.Tests.Docs.Running;

/// <summary>What comments of HTML above a block say of it; readers do not see them. Without one a block is run, and claims that it comes to its end.
/// <code>
/// &lt;!-- run
/// first: server.Answers(503, "42")       statements before the block
/// waits: 00:00:05                        waits up to this end at once; longer times never come (default 0.9 s)
/// then: await client.GetAsync("/")       statements after the block
/// holds: price == "42"                   what is true after it; the variables of the block are known
/// throws: TimedOutException              the block ends so
/// needs: PostgreSQL                      there is a server behind Host=db; without one the block is skipped by name
/// prints: Open; *                        a line of the block's output each, * for anything; also at the end of a line: // prints: …
/// --&gt;
/// </code>
/// <c>run by: Name_of_a_test</c>, <c>not run: reason</c> and <c>compile: no: reason</c> are the other kinds; <c>compile: file</c> goes with each.</summary>
internal sealed record BlockMark
{
    internal static readonly TimeSpan DefaultWait = TimeSpan.FromSeconds(0.9);

    internal IReadOnlyList<string> First { get; private init; } = [];

    /// <summary>Statements, and claims as <c>holds: …</c>, in their order.</summary>
    internal IReadOnlyList<string> After { get; private init; } = [];

    internal IReadOnlyList<string> Prints { get; private init; } = [];

    internal string? Throws { get; private init; }

    internal TimeSpan MaxWait { get; private init; } = DefaultWait;

    internal string? RunBy { get; private init; }

    internal string? NotRun { get; private init; }

    internal string? NotCompiled { get; private init; }

    internal bool IsFile { get; private init; }

    /// <summary>Whether the block is run with a server of PostgreSQL, and skipped by name where there is none.</summary>
    internal bool NeedsPostgreSql { get; private init; }

    /// <summary>What is no word of a mark.</summary>
    internal IReadOnlyList<string> Odd { get; private init; } = [];

    /// <summary>Reads the comments that stand directly above a fence, or above a blank line there.</summary>
    internal static BlockMark Above(string[] lines, int fence)
    {
        BlockMark mark = new();
        int at = fence - 1;
        while (true)
        {
            if (at >= 0 && lines[at].Trim().Length == 0) at--;
            if (at < 0 || !lines[at].TrimEnd().EndsWith("-->", StringComparison.Ordinal)) return mark;
            int end = at;
            while (at >= 0 && !lines[at].TrimStart().StartsWith("<!--", StringComparison.Ordinal)) at--;
            if (at < 0) return mark;
            string[] comment = [.. lines[at..(end + 1)].Select(l => l.Trim())];
            comment[0] = comment[0]["<!--".Length..];
            comment[^1] = comment[^1][..^"-->".Length];
            mark = comment.Select(l => l.Trim()).Where(l => l.Length > 0).Aggregate(mark, static (m, line) => m.With(line));
            at--;
        }
    }

    private BlockMark With(string line)
    {
        (string word, string rest) = line.Split(": ", 2) is [{ } head, { } tail] ? (head.Trim(), tail.Trim()) : (line.TrimEnd(':'), "");
        return word switch
        {
            "run" when rest.Length == 0 => this,
            "first" => this with { First = [.. First, rest] },
            "then" => this with { After = [.. After, rest] },
            "holds" => this with { After = [.. After, line] },
            "prints" => this with { Prints = [.. Prints, rest] },
            "throws" => this with { Throws = rest },
            "waits" when TimeSpan.TryParse(rest, CultureInfo.InvariantCulture, out TimeSpan wait) => this with { MaxWait = wait },
            "needs" when rest == "PostgreSQL" => this with { NeedsPostgreSql = true },
            "run by" => this with { RunBy = rest },
            "not run" => this with { NotRun = rest },
            "compile" when rest == "file" => this with { IsFile = true },
            "compile" when rest.StartsWith("no: ", StringComparison.Ordinal) => this with { NotCompiled = rest["no: ".Length..] },
            _ => this with { Odd = [.. Odd, line] },
        };
    }
}
