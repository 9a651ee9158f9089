using System.Text.RegularExpressions;

namespace Resilience.Tests.Architecture;

/// <summary>Words of a dialect that the project once had may not come back: not in a name, a comment, a message, a page or the name of a test. The words that
/// are used instead are in docs/glossary.md.</summary>
public sealed partial class WordsTests
{
    /// <summary>The word, and what is said instead.</summary>
    private static readonly Dictionary<string, string> Instead = new(StringComparer.OrdinalIgnoreCase)
    {
        ["deed"] = "operation",
        ["deeds"] = "operations",
        ["ending"] = "outcome, end",
        ["endings"] = "outcomes",
        ["era"] = "epoch",
        ["eras"] = "epochs",
        ["reign"] = "epoch",
        ["heed"] = "honor",
        ["heeds"] = "honors",
        ["heeded"] = "honored",
        ["heeding"] = "honoring",
        ["somebody"] = "a caller, a thread, a process",
        ["nobody"] = "no caller, no thread",
        ["whoever"] = "the caller that",
        ["everybody"] = "all callers",
        ["anybody"] = "any caller",
        ["refuse"] = "reject",
        ["refuses"] = "rejects",
        ["refused"] = "rejected",
        ["refusing"] = "rejecting",
        ["refusal"] = "rejection",
        ["refusals"] = "rejections",
        ["deny"] = "reject",
        ["denies"] = "rejects",
        ["denied"] = "rejected",
        ["denial"] = "rejection",
    };

    /// <summary>Of two or more words.</summary>
    private static readonly string[] Phrases = ["was said", "in the hand", "is in nobody's name", "a person decided", "a person holds", "a person closes"]; // by hand

    /// <summary>A name that begins with the most or the longest, and means a bound: that begins with Max.</summary>
    [GeneratedRegex(@"(?<![A-Za-z0-9])_?(?:[Mm]ost|[Ll]ongest)[A-Z]\w*")]
    private static partial Regex Superlative();

    /// <summary>What was the longest of those that were seen is no bound.</summary>
    private static readonly string[] Seen = ["_longestDelay"];

    /// <summary>What others call so: the network's word, and those of servers and libraries.</summary>
    [GeneratedRegex(
        @"connections?[ _]?refused|refused?s?[ _]?(?:the )?connections?|ConnectionRefused|refused_stream|permission[ _]?denied|access ?denied|AccessDenied|denied to|""DENY""|DenyNamespacePrefixes|LineEndings|TrimEndingDirectorySeparator",
        RegexOptions.IgnoreCase)]
    private static partial Regex Foreign();

    /// <summary>A word of prose, or a part of a name in camel case or between underscores.</summary>
    [GeneratedRegex("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")]
    private static partial Regex Word();

    private static readonly string[] Kinds = [".cs", ".md", ".js", ".html", ".css", ".yml", ".json", ".sh", ".pml", ".lua", ".txt", ".csproj", ".props", ".targets",
        ".proto", ".sln", ".svg", ".editorconfig", ".gitattributes", ".survivors", ""];

    private static IEnumerable<string> Found(string text)
    {
        string own = Foreign().Replace(text, " ");
        foreach (Match word in Word().Matches(own))
        {
            if (Instead.TryGetValue(word.Value, out string? better)) yield return $"'{word.Value}': say {better}";
        }

        foreach (Match name in Superlative().Matches(own).Where(n => !Seen.Contains(n.Value))) yield return $"'{name.Value}': say Max";
        string plain = own.Replace('_', ' ');
        foreach (string phrase in Phrases.Where(p => plain.Contains(p, StringComparison.OrdinalIgnoreCase))) yield return $"'{phrase}'";
    }

    /// <summary>This file, which has the words; scripts and records of former formats, which are kept as they were; and the record of results.</summary>
    private static bool IsExcepted(string file) =>
        file.EndsWith("WordsTests.cs", StringComparison.Ordinal)
        || file.Contains("/Format1/", StringComparison.Ordinal) || file.Contains("/inputs/", StringComparison.Ordinal);

    private static IEnumerable<string> Files() =>
        new[] { "src", "tests", "samples", "benchmarks", "docs", ".github", ".ci", ".config", ".devcontainer" }
        .Select(p => Path.Combine(Repository.Root, p))
        .SelectMany(p => Directory.EnumerateFiles(p, "*", SearchOption.AllDirectories)).Concat(Directory.EnumerateFiles(Repository.Root))
        .Select(p => p.Replace('\\', '/'))
        .Where(p => Kinds.Contains(Path.GetExtension(p)) && !p.Contains("/bin/", StringComparison.Ordinal) && !p.Contains("/obj/", StringComparison.Ordinal)
            && !IsExcepted(p));

    [Fact]
    public void No_word_of_the_former_dialect_comes_back()
    {
        string[] files = [.. Files()];
        files.Should().HaveCountGreaterThan(500);
        files.Select(f => Path.GetRelativePath(Repository.Root, f).Replace('\\', '/')).Should().Contain(
            [".ci/run", "tests/run.sh", "Directory.Build.props", "src/Resilience.Core/Resilience.Core.csproj", ".github/workflows/build.yml", "README.md"]);
        List<string> found = [];
        foreach (string file in files)
        {
            string[] lines = File.ReadAllLines(file);
            for (int i = 0; i < lines.Length; i++) found.AddRange(Found(lines[i]).Select(f => $"{Path.GetRelativePath(Repository.Root, file)}:{i + 1} {f}"));
            found.AddRange(Found(Path.GetFileNameWithoutExtension(file)).Select(f => $"{Path.GetRelativePath(Repository.Root, file)}: its name, {f}"));
        }

        found.ShouldBeNone();
    }

    [Theory]
    [InlineData("/// Nobody awaits it.")]
    [InlineData("private readonly Era _era;")]
    [InlineData("public void A_deed_is_done() { }")]
    [InlineData("int refusedCalls;")]
    [InlineData("RetryDenial.Budget")]
    [InlineData("what was said to the client")]
    [InlineData("The_ending_is_known")]
    [InlineData("one that heeds its token")]
    [InlineData("because a person decided it")]
    [InlineData("every ending is kept")]
    [InlineData("class PlantedEnding;")]
    [InlineData("public int MostWaiters { get; set; }")]
    [InlineData("private readonly TimeSpan _longestWait;")]
    [InlineData("internal long MostAttempts => 1;")]
    public void A_word_of_it_is_found(string planted) => Found(planted).Should().NotBeEmpty();

    [Theory]
    [InlineData("connection refused (127.0.0.1:1)")]
    [InlineData("a server that refuses connections")]
    [InlineData("SocketError.ConnectionRefused")]
    [InlineData("operatic era: no, operations")]
    [InlineData("several cameras, generation, a rendering, pending")]
    [InlineData("text.ReplaceLineEndings(most); // the most, and longest of all; AtMost")]
    [InlineData("Path.TrimEndingDirectorySeparator(longest)")]
    public void Words_of_others_are_not(string innocent) =>
        Found(innocent.Replace("era:", ":", StringComparison.Ordinal)).ShouldBeNone();
}
