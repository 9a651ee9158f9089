using System.Text;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Docs;

/// <summary>Every sentence that an exception, a rejection, a finding or a problem document of the library can say stands in a file that is reviewed, with
/// each of its forms: <c>(a ¦ b)</c> where a part depends on something. Lines of the log have a file of their own.</summary>
public sealed partial class MessageTextTests
{
    private const string File = "docs/message-texts.txt";

    private static readonly string[] Checks = ["Require", "Span", "Number", "Defined"];

    [Fact]
    public void Every_sentence_is_reviewed()
    {
        string path = Path.Combine(Repository.Root, File),
            written = string.Join("\n", Written().Select(w => $"{w.Kind}: {w.Text.ReplaceLineEndings(" ")}").Distinct().Order(StringComparer.Ordinal)) + "\n";
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1") System.IO.File.WriteAllText(path, written);
        System.IO.File.ReadAllText(path).ReplaceLineEndings("\n").Should().Be(
            written, "a sentence has changed: read it, and accept it by running this test with RESILIENCE_ACCEPT_API=1");
    }

    /// <summary>What a user reads in an exception is a sentence: it begins like one and ends like one, and no part leaves a gap when it is missing.</summary>
    [Fact]
    public void Exceptions_are_sentences() => Written().Where(w => w.Kind == "exception" && !IsSentence(w.Text)).Select(w => w.Line).Should().BeEmpty();

    [Theory]
    [InlineData("class C { void M() => throw new InvalidOperationException($\"The thing '{Name}' is {(On ? \"on\" : \"off\")}.\"); }",
        "The thing '{Name}' is (on ¦ off).", true)]
    [InlineData("class C { void M() => throw new ArgumentException(\"no sentence\", nameof(M)); }", "no sentence", false)]
    [InlineData("class C { Exception M() => new TimedOutException(\"Ends \" + \"nowhere\"); }", "Ends nowhere", false)]
    [InlineData("class C { void M() => throw new InvalidOperationException(\"Two  blanks.\"); }", "Two  blanks.", false)]
    public void Sentences_are_found_and_judged(string code, string text, bool isSentence)
    {
        (string Kind, string Text, string Line) found = Of("C.cs", code).Should().ContainSingle().Subject;
        found.Text.Should().Be(text);
        IsSentence(found.Text).Should().Be(isSentence);
    }

    private static bool IsSentence(string text) => Sentence().IsMatch(text) && !text.Contains("  ", StringComparison.Ordinal);

    [GeneratedRegex(@"^([\p{Lu}\d{('""]|default\().*([.:)?]|\}|»)$", RegexOptions.Singleline)]
    private static partial Regex Sentence();

    private static IEnumerable<(string Kind, string Text, string Line)> Written() => Repository.Files("src", "*.cs")
        .Where(f => !f.Contains("Resilience.Analyzers", StringComparison.Ordinal) && !f.Contains("Resilience.CodeFixes", StringComparison.Ordinal)
            && !f.Contains("Resilience.Migration", StringComparison.Ordinal))
        .OrderBy(Repository.Relative, StringComparer.Ordinal)
        .SelectMany(f => Of(Repository.Relative(f), System.IO.File.ReadAllText(f)));

    private static IEnumerable<(string Kind, string Text, string Line)> Of(string file, string code)
    {
        foreach (SyntaxNode node in CSharpSyntaxTree.ParseText(code).GetRoot().DescendantNodes())
        {
            (string kind, IEnumerable<ExpressionSyntax> texts) = node switch
            {
                ObjectCreationExpressionSyntax made when made.Type.ToString().EndsWith("Exception", StringComparison.Ordinal) =>
                    ("exception", Arguments(made.ArgumentList).Take(2)),
                InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: { } name, Expression: IdentifierNameSyntax { Identifier.Text: "check" } } } called
                    when Checks.Contains(name) => ("option", Arguments(called.ArgumentList).TakeLast(1)),
                InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: "Warn" or "Contradict" } } found =>
                    ("finding", Arguments(found.ArgumentList).Skip(1).Take(1)),
                InvocationExpressionSyntax { Expression: IdentifierNameSyntax { Identifier.Text: "WriteAsync" } } problem when file.EndsWith("Problems.cs",
                    StringComparison.Ordinal) =>
                    ("problem", Arguments(problem.ArgumentList)),
                ArgumentSyntax { NameColon.Name.Identifier.Text: "allowed" } declared => ("option", [declared.Expression]),
                PropertyDeclarationSyntax { Identifier.Text: "Reason", ExpressionBody.Expression: { } reason } => ("rejection", [reason]),
                BaseObjectCreationExpressionSyntax { ArgumentList: { } list } warning when list.Arguments.FirstOrDefault()?.ToString()
                    .StartsWith("\"RES0", StringComparison.Ordinal) == true =>
                    ("finding", Arguments(list)),
                _ => ("", []),
            };
            string[] said = [.. texts.Select(TextOf).OfType<string>().Where(t => t.Contains(' ', StringComparison.Ordinal))];
            if (said.Length == 0) continue;
            string text = string.Join(" | ", said);
            yield return (kind, text, $"{Path.GetFileName(file)} {kind}: {text.ReplaceLineEndings(" ")}");
        }
    }

    private static IEnumerable<ExpressionSyntax> Arguments(BaseArgumentListSyntax? list) => (list?.Arguments ?? []).Select(a => a.Expression);

    /// <summary>The text of an expression that is made of literals; null for any other.</summary>
    private static string? TextOf(ExpressionSyntax expression) => expression switch
    {
        LiteralExpressionSyntax literal when literal.IsKind(SyntaxKind.StringLiteralExpression) => literal.Token.ValueText,
        InterpolatedStringExpressionSyntax interpolated => Contents(interpolated),
        BinaryExpressionSyntax sum when sum.IsKind(SyntaxKind.AddExpression) && (TextOf(sum.Left) ?? TextOf(sum.Right)) is not null =>
            (TextOf(sum.Left) ?? Placeholder(sum.Left)) + (TextOf(sum.Right) ?? Placeholder(sum.Right)),
        ConditionalExpressionSyntax either when (TextOf(either.WhenTrue) ?? TextOf(either.WhenFalse)) is not null =>
            $"({TextOf(either.WhenTrue) ?? Placeholder(either.WhenTrue)} ¦ {TextOf(either.WhenFalse) ?? Placeholder(either.WhenFalse)})",
        SwitchExpressionSyntax choice => $"({string.Join(" ¦ ", choice.Arms.Select(a => TextOf(a.Expression) ?? Placeholder(a.Expression)))})",
        ParenthesizedExpressionSyntax inner => TextOf(inner.Expression),
        InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.Text: "Create" } } create =>
            TextOf(create.ArgumentList.Arguments[^1].Expression),
        _ => null,
    };

    private static string Contents(InterpolatedStringExpressionSyntax interpolated)
    {
        StringBuilder text = new();
        foreach (InterpolatedStringContentSyntax part in interpolated.Contents)
        {
            if (part is InterpolatedStringTextSyntax plain) text.Append(plain.TextToken.ValueText);
            else if (part is InterpolationSyntax hole) text.Append(TextOf(hole.Expression) ?? Placeholder(hole.Expression));
        }

        return text.ToString();
    }

    private static string Placeholder(ExpressionSyntax expression) =>
        expression is InvocationExpressionSyntax { Expression: IdentifierNameSyntax { Identifier.Text: "nameof" } } name
            ? name.ArgumentList.Arguments[0].ToString().Split('.')[^1]
            : $"{{{Regex.Replace(expression.ToString(), @"\s+", " ")}}}";
}
