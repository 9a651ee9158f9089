using System.Text;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Resilience.Tests.Architecture;
using Resilience.Tests.Docs.Texts;

namespace Resilience.Tests.Docs;

/// <summary>Every text that a package can show (exceptions, rejections, findings, problem documents, statuses of gRPC, health checks, diagnostics of the
/// analyzers, what fixes and the move write as comments) stands in a file that is reviewed, by package and type. Lines of the log, settings and the tables of
/// transports have files of their own.</summary>
public sealed partial class MessageTextTests
{
    private const string File = "docs/message-texts.txt";

    private const string Head = """
        Every text that the packages can show, by package and type, as a test finds them in the source. {name}: what is filled in. (a ¦ b): one of them. [a]: or
        nothing. In front stands what becomes of a text, where that is seen; the others are parts, or are shown on the live page or by Describe.
        Elsewhere: lines of the log (log-lines.txt and its neighbours), settings (the schema of the configuration), tables of transports (transports.md).
        """;

    private static readonly Lazy<(string Package, CSharpCompilation Source)[]> Packages = new(() =>
    [
        .. from folder in Directory.GetDirectories(Path.Combine(Repository.Root, "src"), "Resilience*").Order(StringComparer.Ordinal)
           let package = Path.GetFileName(folder)
           let files = Repository.Files($"src/{package}", "*.cs").Order(StringComparer.Ordinal)
           let sources = files.Select(f => (Repository.Relative(f), System.IO.File.ReadAllText(f)))
           select (package, SourceTexts.Compile(sources, References.WithCompiler)),
    ]);

    private static readonly Lazy<SourceText[]> Texts = new(() => [.. Packages.Value.SelectMany(p => SourceTexts.Of(p.Package, p.Source))]);

    [Fact]
    public void Every_sentence_is_reviewed()
    {
        string path = Path.Combine(Repository.Root, File), written = Written(Texts.Value);
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1") System.IO.File.WriteAllText(path, written);
        System.IO.File.ReadAllText(path).ReplaceLineEndings("\n").Should().Be(
            written, "a sentence has changed: read it, and accept it by running this test with RESILIENCE_ACCEPT_API=1");
    }

    private static string Written(IEnumerable<SourceText> texts)
    {
        StringBuilder written = new(Head.ReplaceLineEndings("\n") + "\n");
        foreach (IGrouping<string, SourceText> package in texts.GroupBy(t => t.Package))
        {
            written.Append($"\n# {package.Key}\n");
            foreach (IGrouping<string, SourceText> type in package.GroupBy(t => t.File).OrderBy(t => t.Key, StringComparer.Ordinal))
            {
                written.Append($"\n{type.Key}\n");
                foreach (SourceText text in type.Distinct()) written.Append($"    {(text.Kind.Length > 0 ? text.Kind + ": " : "")}{text.Text}\n");
            }
        }

        return written.ToString();
    }

    /// <summary>What a user reads in an exception is a sentence: it begins like one and ends like one, and no part leaves a gap when it is missing.</summary>
    [Fact]
    public void Exceptions_are_sentences() =>
        Texts.Value.Where(t => t.Kind == "exception" && !IsSentence(t.Text)).Select(t => $"{t.File}: {t.Text}").Should().BeEmpty();

    [Fact]
    public void No_text_shows_a_span_or_an_enum_as_the_code_has_it() =>
        Packages.Value.Where(p => p.Package != "Resilience.Testing") // which speaks to authors of stores in the terms of its interfaces
            .SelectMany(p => RawValues.In(p.Source)).Where(v => !AsTheCodeHasIt.Any(v.StartsWith)).Should().BeEmpty();

    /// <summary>What writes spans, and statuses as gRPC names them.</summary>
    private static readonly string[] AsTheCodeHasIt = ["TimeText.cs: ", "SpanText.cs: ", "GrpcIdempotencyOptions.cs: {status} "];

    [Theory]
    [InlineData("void M() => throw new InvalidOperationException($\"The thing '{_name}' is {(On ? \"on\" : \"off\")}.\");",
        "The thing '{name}' is (on ¦ off).", true)]
    [InlineData("void M() => throw new ArgumentException(\"no sentence\", nameof(M));", "no sentence", false)]
    [InlineData("Exception M() => new TimeoutException(\"Ends \" + \"nowhere\");", "Ends nowhere", false)]
    [InlineData("void M() => throw new InvalidOperationException(\"Two  blanks.\");", "Two  blanks.", false)]
    [InlineData("Exception M() => On ? null! : new InvalidOperationException($\"It is{(On ? \"\" : \" not\")} so.\");", "It is[ not] so.", true)]
    [InlineData("InvalidOperationException M() => new(\"its type is said elsewhere\");", "its type is said elsewhere", false)]
    [InlineData("InvalidOperationException _error = new(\"in a field\");", "in a field", false)]
    [InlineData("Exception M(int i) => i switch { 0 => new IOException(\"in an arm\"), _ => null! };", "in an arm", false)]
    [InlineData("void M(int i) => throw new ArgumentOutOfRangeException(nameof(i), i, \"the third argument\");", "the third argument", false)]
    [InlineData("const string Said = \"a constant\"; void M() => throw new IOException(Said);", "a constant", false)]
    [InlineData("string Said(int i) => i switch { 0 => \"One thing.\", _ => \"another thing\" }; void M() => throw new IOException(Said(1));",
        "another thing", false)]
    [InlineData("string Said => On ? \"either thing\" : \"or nothing\"; void M() => throw new IOException(Said);", "either thing", false)]
    [InlineData("static Exception Made(string said) => new IOException(said); void M() => throw Made(\"by a helper\");", "by a helper", false)]
    [InlineData("void M() { string said = On ? \"in a local\" : \"Or in another.\"; throw new IOException(said); }", "in a local", false)]
    [InlineData("sealed class E(string s) : IOException(s); void M() => throw new E(\"of a type of ours\");", "of a type of ours", false)]
    [InlineData("sealed class E : IOException { E() : base(\"by its base\") { } }", "by its base", false)]
    public void Sentences_are_found_and_judged(string members, string text, bool isSentence)
    {
        SourceText[] found = Planted(members);
        SourceText one = found.Should().ContainSingle(t => t.Text == text).Subject;
        one.Kind.Should().Be("exception");
        IsSentence(one.Text).Should().Be(isSentence);
    }

    [Theory]
    [InlineData("void M() => Report(\"retry OnRetry\"); void Report(string callback) { }")]
    [InlineData("bool M(string s) => s is \"a b\" || s.StartsWith(\"a b\");")]
    [InlineData("string M() => \"SELECT id FROM keys\";")]
    [InlineData("[System.Diagnostics.CodeAnalysis.SuppressMessage(\"a b\", \"c d\")] void M() { }")]
    public void What_is_no_text_for_a_user_is_not_found(string members) => Planted(members).Should().BeEmpty();

    [Theory]
    [InlineData("string M(TimeSpan wait) => $\"in {wait}\";", "C.cs: {wait} is a TimeSpan")]
    [InlineData("string M(TimeSpan? wait) => $\"in {wait}\";", "C.cs: {wait} is a TimeSpan")]
    [InlineData("string M(TimeSpan wait) => $\"in {wait.TotalSeconds:0} s\";", "C.cs: {wait.TotalSeconds:0} is a part of a span")]
    [InlineData("string M(DayOfWeek day) => $\"on {day}\";", "C.cs: {day} is a DayOfWeek")]
    public void A_value_as_the_code_has_it_is_found(string members, string found) => RawValues.In(Source(members)).Should().Equal(found);

    private static CSharpCompilation Source(string members) =>
        SourceTexts.Compile([("C.cs", $$"""class C { bool On; string _name = ""; {{members}} }""")], References.Framework);

    private static SourceText[] Planted(string members) => [.. SourceTexts.Of("P", Source(members))];

    private static bool IsSentence(string text) => Sentence().IsMatch(text) && !text.Contains("  ", StringComparison.Ordinal);

    [GeneratedRegex(@"^([\p{Lu}\d{(\['""]|default\().*([.:)?\]]|\}|»)$", RegexOptions.Singleline)]
    private static partial Regex Sentence();
}
