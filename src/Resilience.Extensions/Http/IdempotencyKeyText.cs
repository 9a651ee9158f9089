using Resilience.Idempotency;

namespace Resilience.Http;

/// <summary>What may be sent as a key: what our own endpoints read (<c>IdempotencyKeyHeader</c>; a test holds the two together).</summary>
internal static class IdempotencyKeyText
{
    /// <summary>Visible ASCII and blanks, 1 to 255 of them: what a string of a structured field can carry.</summary>
    internal static bool IsKey(ReadOnlySpan<char> key) => key.Length is >= 1 and <= IdempotencyKey.MaxLength && !key.ContainsAnyExceptInRange(' ', '~');

    /// <summary>Whether it can be sent without quotes.</summary>
    internal static bool IsBare(ReadOnlySpan<char> key) => IsKey(key) && !key.ContainsAny(" \"\\,;");

    /// <summary>Whether this value of a header says a key, bare or as a string with parameters behind it, which are the caller's.</summary>
    internal static bool IsSent(ReadOnlySpan<char> value)
    {
        value = value.Trim(' ');
        if (value is not ['"', ..]) return IsBare(value);
        int length = 0;
        for (int i = 1; i < value.Length; i++)
        {
            if (value[i] == '"') return length is >= 1 and <= IdempotencyKey.MaxLength && (i + 1 == value.Length || value[i + 1] == ';');
            if (value[i] == '\\' && (++i == value.Length || value[i] is not ('"' or '\\'))) return false;
            if (value[i] is < ' ' or > '~') return false;
            length++;
        }

        return false;
    }

    internal static string Quoted(string key) =>
        $"\"{key.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
}
