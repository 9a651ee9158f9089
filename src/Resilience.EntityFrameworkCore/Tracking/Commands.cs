using System.Buffers;
using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Resilience.EntityFrameworkCore;

/// <summary>Tells commands that read from those that may write. In doubt it is a write: that costs a repeat and no data.</summary>
internal static class Commands
{
    /// <summary>A line in the text of a query that writes all the same, because it calls a function that does.</summary>
    internal const string WritesTag = "resilience: writes";

    private static readonly SearchValues<char> Quotes = SearchValues.Create("'\"`[");

    private static readonly HashSet<string> Reading = new(StringComparer.OrdinalIgnoreCase) { "SELECT", "WITH", "VALUES", "TABLE" };

    private static readonly HashSet<string> Writing = new(StringComparer.OrdinalIgnoreCase)
    {
        "INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "REPLACE", "TRUNCATE", "CALL", "EXEC", "EXECUTE", "DO", "COPY", "CREATE", "ALTER", "DROP", "SETVAL",
    };

    internal static CommandKind KindOf(DbCommand command, CommandSource source) => source switch
    {
        CommandSource.ValueGenerator or CommandSource.Scaffolding => CommandKind.Read, // a number that is drawn twice is lost, and nothing else
        CommandSource.LinqQuery => Reads(command.CommandText, isOurs: true) ? CommandKind.Read : CommandKind.Write,
        CommandSource.FromSqlQuery or CommandSource.Unknown => Reads(command.CommandText, isOurs: false) ? CommandKind.Read : CommandKind.Write,
        CommandSource.Migrations => CommandKind.ResumedWrite,
        _ => CommandKind.Write,
    };

    /// <summary>Whether the text begins as a query does and, unless EF Core wrote it, has no word with which one could write.</summary>
    private static bool Reads(string text, bool isOurs)
    {
        if (text.Contains(WritesTag, StringComparison.Ordinal)) return false;
        bool isFirst = true;
        HashSet<string>.AlternateLookup<ReadOnlySpan<char>> reading = Reading.GetAlternateLookup<ReadOnlySpan<char>>();
        HashSet<string>.AlternateLookup<ReadOnlySpan<char>> writing = Writing.GetAlternateLookup<ReadOnlySpan<char>>();
        for (ReadOnlySpan<char> rest = text; NextWord(ref rest) is { Length: > 0 } word; isFirst = false)
        {
            if (isFirst && !reading.Contains(word)) return false;
            if (isFirst && isOurs) return true;
            if (writing.Contains(word)) return false;
        }

        return !isFirst;
    }

    /// <summary>The next word outside of comments and quotes; empty at the end.</summary>
    private static ReadOnlySpan<char> NextWord(ref ReadOnlySpan<char> rest)
    {
        while (rest.Length > 0)
        {
            if (rest.StartsWith("--")) Skip(ref rest, 2, "\n");
            else if (rest.StartsWith("/*")) Skip(ref rest, 2, "*/");
            else if (Quotes.Contains(rest[0])) Skip(ref rest, 1, rest[0] == '[' ? "]" : rest[..1]);
            else if (char.IsLetter(rest[0])) return TakeWord(ref rest);
            else rest = rest[1..];
        }

        return [];
    }

    private static ReadOnlySpan<char> TakeWord(ref ReadOnlySpan<char> rest)
    {
        int length = 1;
        while (length < rest.Length && (char.IsLetterOrDigit(rest[length]) || rest[length] == '_')) length++;
        ReadOnlySpan<char> word = rest[..length];
        rest = rest[length..];
        return word;
    }

    private static void Skip(ref ReadOnlySpan<char> rest, int from, ReadOnlySpan<char> end)
    {
        int at = rest[from..].IndexOf(end);
        rest = at < 0 ? [] : rest[(from + at + end.Length)..];
    }
}
