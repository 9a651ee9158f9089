using System.Text;
using System.Text.RegularExpressions;

namespace Resilience.Fuzz;

/// <summary>The <c>Idempotency-Key</c> header, held against the grammar written as an expression.</summary>
internal static partial class KeyHeader
{
    internal static Oracle Make(Planted planted) => new(
        "header", bytes => Check(Encoding.Latin1.GetString(bytes), planted),
        ["\"", "\\\"", "\\\\", "\\", ";", ";a", ";a=1", ";a=\"x\"", "; d=?1", ",", " ", "\t", "\0", "=", "key", "\"key\"", "\u00ff", "*", ":", ";a=:YQ==:", ";a=%\"%c3%bc\"", ";a=-1.5", ";a=@1"]);

    private static void Check(string value, Planted planted)
    {
        string? bare = Read(value, acceptBare: true, planted), strict = Read(value, acceptBare: false, planted);
        string text = value.Trim(' ');
        string? expected = value.Length > IdempotencyKeyHeader.MaxValue ? null : Expected(text);
        Oracle.Require(bare == expected, $"read {Show(bare)}, the grammar says {Show(expected)}");
        Oracle.Require(strict is null ? !text.StartsWith('"') || bare is null : strict == bare, "strict and lenient reading disagree about a quoted key");
        if (bare is not null)
        {
            string sent = IdempotencyKeyHeader.Format(bare);
            if (sent.Length <= IdempotencyKeyHeader.MaxValue)
                Oracle.Require(Read(sent, acceptBare: false, planted) == bare, $"{sent} is not read back as {bare}");
        }

        // The same input as a key that a client wants to send.
        string sendable = string.Concat(value.Where(c => c is >= ' ' and <= '~').Take(255));
        if (sendable.Length > 0)
            Oracle.Require(Read(IdempotencyKeyHeader.Format(sendable), acceptBare: false, planted) == sendable, $"{sendable} is not read back");
    }

    private static string? Read(string value, bool acceptBare, Planted planted)
    {
        if (planted == Planted.IgnoresWhatFollows && Quoted().Match(value) is { Success: true } whole) value = whole.Value;
        bool isKey = IdempotencyKeyHeader.TryParse(value, acceptBare, out string key, out string problem);
        Oracle.Require(isKey ? key.Length > 0 && problem.Length == 0 : key.Length == 0 && problem.Length > 0, "an answer is a key or a problem");
        if (!isKey) return null;
        return planted == Planted.KeepsEscapes ? key.Replace("\"", "\\\"", StringComparison.Ordinal) : key;
    }

    private static string? Expected(string text)
    {
        if (Bare().IsMatch(text)) return text;
        if (Field().Match(text) is not { Success: true } match || !match.Groups["shown"].Captures.All(c => IsUtf8(c.Value))) return null;
        return Escape().Replace(match.Groups["key"].Value, "$1");
    }

    private static bool IsUtf8(string shown)
    {
        string bytes = Hex().Replace(shown, m => ((char)Convert.ToByte(m.Groups[1].Value, 16)).ToString());
        try
        {
            new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetCharCount(Encoding.Latin1.GetBytes(bytes));
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static string Show(string? key) => key is null ? "nothing" : $"'{key}'";

    [GeneratedRegex(@"\A""(?:[^""\\]|\\.)*""", RegexOptions.Singleline)]
    private static partial Regex Quoted();

    [GeneratedRegex(@"\A[!#-+./0-9:<-\[\]-~-]+\z")]
    private static partial Regex Bare();

    [GeneratedRegex(
        """\A"(?<key>(?:[ !#-\[\]-~]|\\["\\])+)"(?:; *[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[ !#-\[\]-~]|\\["\\])*"|-?(?:[0-9]{1,12}\.[0-9]{1,3}|[0-9]{1,15})|@-?[0-9]{1,15}|\?[01]|:(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?:|(?<shown>%"(?:[ !#$&-~]|%[0-9a-f]{2})*")|[A-Za-z*][A-Za-z0-9!\#$%&'*+\-.^_`|~:/]*))?)*\z""",
        RegexOptions.Singleline)]
    private static partial Regex Field();

    [GeneratedRegex("%([0-9a-f]{2})")]
    private static partial Regex Hex();

    [GeneratedRegex(@"\\(.)")]
    private static partial Regex Escape();
}
