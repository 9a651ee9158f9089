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
    private static readonly string[] Phrases = ["was said", "in the hand", "is in nobody's name", "an ending", "the ending", "its ending", "this ending",
        "each ending", "a person decided", "a person holds", "a person closes"]; // by hand

    /// <summary>What others call so: the network's word, and those of servers and libraries.</summary>
    [GeneratedRegex(
        @"connections?[ _]?refused|refused?s?[ _]?(?:the )?connections?|ConnectionRefused|refused_stream|permission[ _]?denied|access ?denied|AccessDenied|denied to|""DENY""|DenyNamespacePrefixes|LineEndings",
        RegexOptions.IgnoreCase)]
    private static partial Regex Foreign();

    /// <summary>A word of prose, or a part of a name in camel case or between underscores.</summary>
    [GeneratedRegex("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")]
    private static partial Regex Word();

    private static readonly string[] Kinds = [".cs", ".md", ".js", ".html", ".css", ".yml", ".json", ".sh", ".pml", ".lua", ".txt"];

    private static IEnumerable<string> Found(string text)
    {
        string own = Foreign().Replace(text, " ");
        foreach (Match word in Word().Matches(own))
        {
            if (Instead.TryGetValue(word.Value, out string? better)) yield return $"'{word.Value}': say {better}";
        }

        string plain = own.Replace('_', ' ');
        foreach (string phrase in Phrases.Where(p => plain.Contains(p, StringComparison.OrdinalIgnoreCase))) yield return $"'{phrase}'";
    }

    /// <summary>This file, which has the words; scripts and records of former formats, which are kept as they were; and the record of results.</summary>
    private static bool IsExcepted(string file) =>
        file.EndsWith("WordsTests.cs", StringComparison.Ordinal)
        || file.Contains("/Format1/", StringComparison.Ordinal) || file.Contains("/inputs/", StringComparison.Ordinal);

    private static IEnumerable<string> Files() =>
        new[] { "src", "tests", "samples", "benchmarks", "docs", ".github", "README.md", "CHANGELOG.md", "CONTRIBUTING.md" }
        .Select(p => Path.Combine(Repository.Root, p))
        .SelectMany(p => File.Exists(p) ? [p] : Directory.EnumerateFiles(p, "*", SearchOption.AllDirectories))
        .Select(p => p.Replace('\\', '/'))
        .Where(p => Kinds.Contains(Path.GetExtension(p)) && !p.Contains("/bin/", StringComparison.Ordinal) && !p.Contains("/obj/", StringComparison.Ordinal)
            && !IsExcepted(p));

    [Fact]
    public void No_word_of_the_former_dialect_comes_back()
    {
        string[] files = [.. Files()];
        files.Should().HaveCountGreaterThan(500);
        List<string> found = [];
        foreach (string file in files)
        {
            string[] lines = File.ReadAllLines(file);
            for (int i = 0; i < lines.Length; i++) found.AddRange(Found(lines[i]).Select(f => $"{Path.GetRelativePath(Repository.Root, file)}:{i + 1} {f}"));
            found.AddRange(Found(Path.GetFileNameWithoutExtension(file)).Select(f => $"{Path.GetRelativePath(Repository.Root, file)}: its name, {f}"));
        }

        string.Join("\n", found).Should().BeEmpty();
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
    public void A_word_of_it_is_found(string planted) => Found(planted).Should().NotBeEmpty();

    [Theory]
    [InlineData("connection refused (127.0.0.1:1)")]
    [InlineData("a server that refuses connections")]
    [InlineData("SocketError.ConnectionRefused")]
    [InlineData("operatic era: no, operations")]
    [InlineData("several cameras, generation, a rendering, pending")]
    public void Words_of_others_are_not(string innocent) =>
        Found(innocent.Replace("era:", ":", StringComparison.Ordinal)).Should().BeEmpty();
}
